"""A new last layer: what is copied, what can be trained, what is refused."""

import pytest
import torch
from torch import nn

import cl_helpers as cl
from cl_helpers.models import with_head


@pytest.mark.parametrize(
    "model",
    [cl.MLP((784, 12, 10), seed=1), cl.CNN(n_outputs=4, seed=1), cl.ResNet18(5, width=2, seed=1)],
)
def test_features_stay_and_the_last_layer_is_new(model):
    channels = 3 if isinstance(model, cl.ResNet18) else 1
    x = torch.rand(3, channels, 28, 28, generator=torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    new = with_head(model.eval(), 7, seed=2)
    assert new(x).shape == (3, 7)
    assert torch.equal(new.features(x), model.features(x))
    trained = [name for name, p in new.named_parameters() if p.requires_grad]
    assert len(trained) == 2
    assert trained[0].startswith("fc")
    assert all(p.requires_grad for p in model.parameters())
    assert all(p.requires_grad for p in with_head(model, 7, frozen=False).parameters())
    cl.models.flatten(new).theta.add_(1.0)  # it shares no memory
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_the_seed_fixes_the_new_weights_within_their_bound():
    model = cl.MLP((784, 16, 10), seed=1)
    a, b, c = (with_head(model, 50, seed=seed).fc2.weight for seed in (3, 3, 4))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert 0.24 < a.abs().max() <= 0.25  # 1 / √16


def test_a_head_is_all_that_moves(few):
    start = with_head(cl.MLP((784, 16, 3), seed=1), 10)
    before = {k: v.clone() for k, v in start.state_dict().items()}
    cl.train(cl.Baseline(), cl.split(few, 5), start, epochs=1, progress=False)
    moved = [k for k, v in start.state_dict().items() if not torch.equal(v, before[k])]
    assert moved == ["fc2.weight", "fc2.bias"]


def test_what_has_no_linear_layer_is_refused():
    with pytest.raises(ValueError, match=r"Flatten has no nn\.Linear that could be replaced"):
        with_head(nn.Flatten(), 3)
    with pytest.raises(ValueError, match="n_outputs is 0"):
        with_head(cl.MLP((4, 3, 2)), 0)
