"""LoRA against its dense form, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import random_task

import cl_helpers as cl
from cl_helpers.methods.lora import LowRank, adapt, linear_layers, merge
from cl_helpers.models.flat import flatten

HOW_STEPS = {"epochs": 2, "batch_size": 10, "lr": 0.01, "device": "cpu"}
HOW = HOW_STEPS | {"progress": False}


def network(*, seed=0):
    """Two linear layers with a normalisation between them, in float64."""
    first, second = (
        nn.utils.skip_init(nn.Linear, *n, dtype=torch.float64) for n in ((6, 5), (5, 4))
    )
    net = nn.Sequential(first, nn.LayerNorm(5, dtype=torch.float64), nn.Tanh(), second)
    generator = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return net


def adapted(rank=2, alpha=3.0):
    """An adapted network in which neither A nor B is zero."""
    net, generator = network(), torch.Generator().manual_seed(1)
    adapt(net, rank, alpha, generator)
    for name, p in net.named_parameters():
        if name.endswith(".B"):
            p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return net


def inputs(n=7):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_at_first_an_adapter_changes_nothing():
    net, x = network(), inputs()
    before = net(x)
    adapt(net, 2, 3.0, torch.Generator().manual_seed(0))
    assert torch.equal(net(x), before)


def test_merged_weights_give_the_same_outputs():
    net, x = adapted(), inputs()
    w0, change = net[0].parametrizations.weight.original, net[0].parametrizations.weight[0]
    dense = w0 + 3.0 / 2 * change.B @ change.A
    by_hand = F.linear(x, w0, net[0].bias) + 1.5 * (x @ change.A.T) @ change.B.T
    torch.testing.assert_close(net[0](x), by_hand, rtol=1e-12, atol=1e-12)
    outputs = net(x).detach()
    merge(net)
    torch.testing.assert_close(net[0].weight, dense, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(net(x), outputs, rtol=1e-12, atol=1e-12)
    assert [n for n, _ in net.named_parameters()] == [n for n, _ in network().named_parameters()]


def test_gradients_are_those_of_the_dense_form():
    """With G = ∂L/∂W: ∂L/∂B = α/r G Aᵀ and ∂L/∂A = α/r Bᵀ G."""
    net, x = adapted(), inputs()
    net(x).square().sum().backward()
    changes = {n: net[n].parametrizations.weight[0] for n in (0, 3)}
    dense = network()
    for n, change in changes.items():
        w0 = net[n].parametrizations.weight.original
        dense[n].weight.data = (w0 + 1.5 * change.B @ change.A).detach()
    dense(x).square().sum().backward()
    for n, change in changes.items():
        g = dense[n].weight.grad
        torch.testing.assert_close(change.B.grad, 1.5 * g @ change.A.T, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(change.A.grad, 1.5 * change.B.T @ g, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_rank_limits_what_can_be_reached_and_full_rank_reaches_all(rank):
    """Eckart and Young: the nearest matrix of rank r misses by the other singular values."""
    target = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    change = LowRank(torch.zeros(5, 4, dtype=torch.float64), rank, 2.0 * rank, torch.Generator())
    u, s, v = torch.linalg.svd(target, full_matrices=False)
    change.B.data, change.A.data = u[:, :rank] * s[:rank] / 2, v[:rank]
    off = (change(torch.zeros(5, 4, dtype=torch.float64)) - target).norm()
    torch.testing.assert_close(off, s[rank:].norm(), rtol=1e-10, atol=1e-12)
    assert torch.linalg.matrix_rank(change(torch.zeros_like(target))) == rank


@pytest.mark.parametrize("rank", [1, 3])
def test_trainable_weights_are_counted(rank):
    net = network()
    adapt(net, rank, 1.0, torch.Generator())
    assert len(flatten(net).theta) == rank * ((6 + 5) + (5 + 4))
    assert {n.rsplit(".")[-1] for n in flatten(net).shapes} == {"A", "B"}


@pytest.fixture
def two():
    return [random_task(seed=0), random_task(seed=1).with_(name="second")]


def test_nothing_moves_but_a_and_b(two):
    method, net, after_first = cl.LoRA(rank=2, alpha=3.0), network(), {}
    for event in cl.train_steps(method, two, net, **{k: HOW[k] for k in HOW if k != "progress"}):
        if event.kind == "task" and event.task == 0:
            after_first = {n: p.detach().clone() for n, p in net.named_parameters()}
        if event.kind == "step" and event.task == 1:
            assert {n.rsplit(".")[-1] for n in flatten(net).shapes} == {"A", "B"}
    now = dict(net.named_parameters())
    assert [*now] == [*after_first]
    for name, before in after_first.items():
        change = now[name].detach() - before
        if name in ("0.weight", "3.weight"):
            assert torch.linalg.matrix_rank(change, rtol=1e-8) == 2
        else:
            assert not change.any()
    assert all(p.requires_grad for p in net.parameters())
    assert not method.stored


def test_the_first_task_is_trained_as_by_the_baseline(two):
    nets = network(), network()
    for net, method in zip(nets, (cl.LoRA(), cl.Baseline()), strict=True):
        cl.train(method, two[:1], net, **HOW)
    assert torch.equal(flatten(nets[0]).theta, flatten(nets[1]).theta)


def test_a_frozen_parameter_stays_frozen(two):
    net = network()
    net[0].weight.requires_grad_(False)
    cl.train(cl.LoRA(), two, net, learned=1, **HOW)
    assert not net[0].weight.requires_grad
    assert torch.equal(net[0].weight, network()[0].weight)
    assert [*linear_layers(net)] == ["3"]


def test_it_reaches_what_a_change_of_its_rank_can():
    """Targets that a change of rank 1 explains are learned; W₀ alone is off."""
    generator = torch.Generator().manual_seed(3)
    net = nn.utils.skip_init(nn.Linear, 6, 4, bias=False, dtype=torch.float64)
    net.weight.data.normal_(generator=generator)
    u, v = (torch.randn(n, 1, generator=generator, dtype=torch.float64) for n in (4, 6))
    true, x = net.weight.detach() + u @ v.T, inputs(64)
    adapt(net, 1, 1.0, generator)
    optimizer = torch.optim.LBFGS(flatten(net).parameters, max_iter=300, tolerance_grad=1e-12)

    def closure():
        optimizer.zero_grad()
        loss = (net(x) - x @ true.T).square().mean()
        loss.backward()
        return loss

    start = closure().item()
    optimizer.step(closure)
    assert closure().item() < 1e-8 * start


def test_settings_and_models_without_a_linear_layer_are_refused(two):
    for knobs, words in (({"rank": 0}, "rank is 0"), ({"alpha": 0}, "alpha is 0")):
        with pytest.raises(ValueError, match=words):
            cl.LoRA(**knobs)
    net = nn.Sequential(nn.LayerNorm(6, dtype=torch.float64))
    with pytest.raises(ValueError, match="LoRA adapts linear layers, but Sequential has none"):
        cl.train(cl.LoRA(), two, net, learned=1, **HOW)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x.float()).relu())


def normed():
    net = network()
    nn.utils.parametrizations.weight_norm(net[0])
    return net


@pytest.mark.parametrize(
    ("make", "why"), [(Tied, "shared with another"), (normed, "computed from")]
)
def test_a_weight_that_is_not_a_layers_own_is_refused_before_any_training(make, why):
    net = make()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ValueError, match=why):
        cl.train(cl.LoRA(), [random_task()], net, **HOW)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_a_method_of_one_model_is_not_used_on_another():
    method, tasks = cl.LoRA(rank=2), [random_task(seed=s) for s in range(2)]
    cl.train(method, tasks, network(), **HOW)
    with pytest.raises(ValueError, match="weights of another model"):
        cl.train(method, tasks, network(seed=5), **HOW)


def test_a_run_that_is_broken_off_leaves_the_model_whole():
    """It computes what it computed when it was left, and all of its weights can be trained."""
    net, tasks = network(), [random_task(seed=s) for s in range(2)]
    names, x = [*dict(net.named_parameters())], inputs()
    events = cl.train_steps(cl.LoRA(rank=2), tasks, net, every=1, **HOW_STEPS)
    next(e for e in events if e.kind == "step" and e.task == 1)
    then = net(x)
    assert [*dict(net.named_parameters())] != names
    events.close()
    assert [*dict(net.named_parameters())] == names
    assert all(p.requires_grad for p in net.parameters())
    torch.testing.assert_close(net(x), then)
