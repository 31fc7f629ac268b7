"""The state of a network in numbers, against matrices and units whose answer is known."""

import pytest
import torch
from torch import nn

import cl_helpers as cl
from cl_helpers.analysis import plasticity
from cl_helpers.models.hidden import hidden_units, linear_chain


def linear(n_in, n_out):
    return nn.utils.skip_init(nn.Linear, n_in, n_out)


def test_a_unit_is_dead_if_it_is_zero_for_every_input():
    h = torch.tensor([[0.0, 0.0, -1.0], [0.0, 2.0, 1.0]])
    assert plasticity.dead(h).tolist() == [True, False, False]


def test_a_unit_is_dormant_by_its_share_of_the_layer():
    """Means of |h|: 1, 3, 0.1, 0 and their mean 1.025; the shares are 0.976, 2.93, 0.098, 0."""
    h = torch.tensor([[1.0, -3.0, 0.2, 0.0], [-1.0, 3.0, 0.0, 0.0]])
    assert plasticity.dormant(h, threshold=0).tolist() == [False, False, False, True]
    assert plasticity.dormant(h, threshold=0.1).tolist() == [False, False, True, True]
    assert plasticity.dormant(h, threshold=0.09).tolist() == [False, False, False, True]
    assert plasticity.dormant(torch.zeros(3, 4)).all()


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_effective_rank_of_equal_singular_values_is_their_number(rank):
    generator = torch.Generator().manual_seed(0)
    u, v = (
        torch.linalg.qr(torch.randn(n, rank, generator=generator, dtype=torch.float64))[0]
        for n in (30, 12)
    )
    for scale in (1e-3, 7.0):
        assert plasticity.effective_rank(scale * u @ v.T) == pytest.approx(rank, rel=1e-9)


def test_effective_rank_of_two_unequal_ones_is_the_closed_form():
    """σ = 3, 1: p = ¾, ¼, and exp(−¾ ln ¾ − ¼ ln ¼) = 4 / 3^0.75."""
    assert plasticity.effective_rank(torch.diag(torch.tensor([3.0, 1.0, 0.0]))) == pytest.approx(
        4 / 3**0.75
    )
    assert plasticity.effective_rank(torch.zeros(4, 3)) == 0.0


def test_weight_magnitude_is_the_mean_over_all_parameters():
    model = nn.Sequential(linear(2, 1), linear(1, 1))
    with torch.no_grad():
        for p, value in zip(model.parameters(), (-2.0, 1.0, 3.0, 0.0), strict=True):
            p.fill_(value)
    assert plasticity.weight_magnitude(model) == pytest.approx((2 + 2 + 1 + 3 + 0) / 5)


def test_hidden_units_are_the_outputs_after_the_relu():
    model = cl.MLP((6, 5, 4, 3), seed=2)
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    first = (x @ model.fc1.weight.T + model.fc1.bias).relu()
    second = (first @ model.fc2.weight.T + model.fc2.bias).relu()
    for came, expected in zip(hidden_units(model, x), (first, second), strict=True):
        torch.testing.assert_close(came, expected)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_units_put_to_zero_by_hand_are_found():
    """Three of nine units get a bias so low that no input reaches them."""
    model = cl.MLP((6, 5, 4, 3), seed=2)
    x = torch.rand(50, 6, generator=torch.Generator().manual_seed(0))
    for p in model.parameters():
        p.data.abs_()
    healthy = plasticity.diagnose(model, x)
    assert healthy["dead"] == 0
    model.fc1.bias.data[[0, 3]] = -100
    model.fc2.bias.data[1] = -100
    found = plasticity.diagnose(model.train(), x)
    assert found["dead"] == pytest.approx(3 / 9)
    assert found["dormant"] >= found["dead"]
    assert found["rank"] == pytest.approx(plasticity.effective_rank(hidden_units(model, x)[-1]))
    assert found["rank"] < 3.0001  # three units are left
    assert model.training


def test_only_linear_layers_have_units_here():
    with pytest.raises(ValueError, match="conv1"):
        linear_chain(cl.CNN())
    with pytest.raises(ValueError, match="none, or they do not follow"):
        linear_chain(nn.Sequential(linear(3, 4), linear(5, 2)))
    with pytest.raises(ValueError, match="none"):
        linear_chain(linear(3, 4))


def test_a_normalised_mlp_has_hidden_layers_of_mean_0_and_variance_1_before_the_relu():
    model = cl.models.NormalisedMLP((6, 200, 150, 3), seed=2)
    x = 5 + 9 * torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    h = x
    for layer in (model.fc1, model.fc2):
        z = (h @ layer.weight.T + layer.bias).double()
        z = (z - z.mean(1, keepdim=True)) / (z.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        h = z.relu().float()
    torch.testing.assert_close(model.features(x), h, rtol=1e-4, atol=1e-5)
    assert [p.shape for p in model.parameters()] == [
        p.shape for p in cl.MLP((6, 200, 150, 3)).parameters()
    ]
    torch.testing.assert_close(model(x), h @ model.fc3.weight.T + model.fc3.bias)
