import copy
import gc

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.models.flat import flatten, unflatten
from cl_helpers.models.seeded import Dropout


def test_the_homework_model():
    model = cl.MLP()
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    assert shapes == {
        "fc1.weight": (1024, 784),
        "fc1.bias": (1024,),
        "fc2.weight": (512, 1024),
        "fc2.bias": (512,),
        "fc3.weight": (256, 512),
        "fc3.bias": (256,),
        "fc4.weight": (10, 256),
        "fc4.bias": (10,),
    }
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    h = x.flatten(1)
    for layer in (model.fc1, model.fc2, model.fc3):
        h = F.relu(h @ layer.weight.T + layer.bias)
    torch.testing.assert_close(model(x), h @ model.fc4.weight.T + model.fc4.bias)


def test_initial_weights_are_distributed_as_pytorchs():
    weight = cl.MLP().fc1.weight
    bound = 784**-0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)
    assert weight.mean().abs() < 0.01 * bound


def test_a_cnn_is_what_pytorch_makes_of_its_weights():
    model = cl.CNN((3, 4), 7, shape=(2, 20, 17), seed=5)
    x = torch.rand(6, 2, 20, 17, generator=torch.Generator().manual_seed(0))
    h = F.relu(F.conv2d(x, model.conv1.weight, model.conv1.bias, stride=2))
    h = F.relu(F.conv2d(h, model.conv2.weight, model.conv2.bias, stride=2))
    assert h.shape[1:] == (4, 2, 2)
    torch.testing.assert_close(model.features(x), h.reshape(6, -1))
    torch.testing.assert_close(model(x), F.linear(h.reshape(6, -1), model.fc.weight, model.fc.bias))
    for layer, n_inputs in ((model.conv1, 2 * 25), (model.conv2, 3 * 25), (model.fc, 16)):
        assert 0.8 * n_inputs**-0.5 < layer.weight.abs().max() <= n_inputs**-0.5


def test_a_cnn_begins_with_the_weights_of_a_seed():
    assert cl.CNN().is_untouched()
    assert not cl.CNN(seed=0).is_untouched()
    assert torch.equal(cl.CNN(seed=1).conv2.weight, cl.CNN(seed=1).conv2.weight)
    assert not torch.equal(cl.CNN(seed=1).conv2.weight, cl.CNN(seed=2).conv2.weight)
    with pytest.raises(ValueError, match=r"shape is \(1, 12, 28\): give images of 13 × 13"):
        cl.CNN(shape=(1, 12, 28))
    assert cl.CNN(shape=(1, 13, 13))(torch.zeros(2, 1, 13, 13)).shape == (2, 10)


def test_seeds_and_being_untouched():
    a, b, c = cl.MLP(seed=1), cl.MLP(seed=1), cl.MLP(seed=2)
    assert torch.equal(a.fc1.weight, b.fc1.weight)
    assert not torch.equal(a.fc1.weight, c.fc1.weight)
    assert not a.is_untouched()
    fresh = cl.MLP()
    assert fresh.is_untouched()
    with torch.no_grad():
        fresh.fc4.bias[0] += 1e-3
    assert not fresh.is_untouched()


def test_dropout_is_off_in_eval_mode_and_keeps_the_mean_in_training():
    drop = Dropout(0.25)
    drop.generator = torch.Generator().manual_seed(0)
    x = torch.ones(200_000)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert drop.eval()(x) is x


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: cl.MLP((3,)), "sizes"), (lambda: cl.MLP(dropout=1.0), "dropout is 1.0")],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- parameters as one vector ---


def test_flat_vector_and_parameters_are_the_same_memory(small_model):
    before = {n: p.detach().clone() for n, p in small_model.named_parameters()}
    flat = flatten(small_model)
    assert flatten(small_model) is flat
    for n, view in unflatten(flat.theta, flat.shapes).items():
        assert torch.equal(view, before[n])
    flat.theta.add_(1)
    assert torch.equal(small_model.fc1.bias, before["fc1.bias"] + 1)


def test_gradients_are_found_wherever_they_are(small_model):
    flat = flatten(small_model)
    x = torch.ones(2, 784)
    small_model(x).sum().backward()
    expected = torch.cat([p.grad.reshape(-1).clone() for p in small_model.parameters()])
    assert torch.equal(flat.grad, expected)
    for p in small_model.parameters():
        p.grad = None  # as optimizer.zero_grad() does
    assert not flat.grad.any()
    for p in small_model.parameters():
        p.grad = None
    small_model(x).sum().backward()
    assert torch.equal(flat.grad, expected)


def test_a_moved_copied_or_changed_model_is_flattened_anew(small_model):
    flat = flatten(small_model)
    twin = copy.deepcopy(small_model)
    flatten(twin).theta.zero_()
    assert flat.theta.any()
    small_model.double()
    assert flatten(small_model).theta.dtype == torch.float64
    small_model.fc1.weight.requires_grad_(False)
    assert len(flatten(small_model).theta) == 16 + 16 * 10 + 10
    small_model.fc2 = nn.utils.skip_init(nn.Linear, 16, 2).double()
    assert len(flatten(small_model).theta) == 16 + 16 * 2 + 2


def test_flat_vectors_go_with_their_model():
    from cl_helpers.models import flat as parameters

    model = cl.MLP((4, 2))
    flatten(model)
    gc.collect()
    before = len(parameters._flat)
    del model
    gc.collect()
    assert len(parameters._flat) == before - 1


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="Flatten has no parameter"):
        flatten(nn.Flatten())


def test_sparse_gradients_are_brought_in_dense():
    model = nn.Sequential(nn.utils.skip_init(nn.Embedding, 5, 2, sparse=True))
    nn.init.ones_(model[0].weight)
    flat = flatten(model)
    for p in model.parameters():
        p.grad = None
    model(torch.tensor([1, 3, 3])).sum().backward()
    assert model[0].weight.grad.is_sparse
    assert flat.grad.tolist() == [0, 0, 1, 1, 0, 0, 2, 2, 0, 0]
