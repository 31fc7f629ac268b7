"""The residual network: against torchvision's, and under every method."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from toys import full_but, gradient, random_task

import cl_helpers as cl
from cl_helpers.models.forward import evaluating
from cl_helpers.scale.stacked import can_be_stacked

MEMORIES = ("icarl", "gem", "agem", "er")
HOW = {"epochs": 1, "batch_size": 10, "lr": 0.05, "optimizer": "sgd"}


def tiny(seed=None):
    return cl.ResNet18(10, channels=1, width=2, seed=seed)


@pytest.fixture(scope="module")
def small(digits):
    """scenario -> three tasks of two digits, 14 × 14 pixels, thirty or so of each."""
    part = digits.first(150, 100)
    images = {k: getattr(part, k)[..., ::2, ::2] for k in ("train_images", "test_images")}
    return lambda scenario: cl.split(replace(part, **images), 2, scenario=scenario)[:3]


def used():
    """In float64 and in training mode, its running statistics of something."""
    generator = torch.Generator().manual_seed(0)
    model = cl.ResNet18(4, channels=1, width=2, seed=0).double()
    for _ in range(5):
        model(1 + torch.randn(20, 1, 8, 8, generator=generator, dtype=torch.float64))
    return model


def everything(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


# --- the model ---


def test_weights_as_counted_by_hand():
    """Convolutions without bias, two weights a map for each normalisation."""

    def block(n_in, n_out):
        shortcut = n_in * n_out + 2 * n_out if n_in != n_out else 0
        return 9 * n_in * n_out + 9 * n_out**2 + 4 * n_out + shortcut

    stages = [(20, 20), (20, 40), (40, 80), (80, 160)]
    blocks = sum(block(n_in, n_out) + block(n_out, n_out) for n_in, n_out in stages)
    expected = 27 * 20 + 2 * 20 + blocks + 160 * 100 + 100
    assert sum(p.numel() for p in cl.ResNet18().parameters()) == expected == 1_109_240


def test_at_full_width_it_is_torchvisions():
    """Theirs with a small first convolution and no pooling after it."""
    ours = cl.ResNet18(7, width=64, seed=1)
    with torch.random.fork_rng():
        theirs = resnet18(num_classes=7)
    theirs.conv1 = nn.utils.skip_init(nn.Conv2d, 3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), everything(ours).values(), strict=True)))
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):  # training moves the statistics that evaluation uses
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x))
    torch.testing.assert_close(list(ours.buffers()), list(theirs.buffers()))
    theirs.fc = nn.Identity()
    torch.testing.assert_close(ours.features(x), theirs(x))


def test_initial_weights_are_distributed_as_pytorchs():
    weight = cl.ResNet18().blocks[6].second[0].weight
    bound = (160 * 9) ** -0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


def test_seeds_and_being_untouched():
    a, b, c = (everything(tiny(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(a["first.0.weight"], c["first.0.weight"])
    assert not tiny(0).is_untouched()
    model = tiny()
    model.eval()(torch.ones(2, 1, 8, 8))
    assert model.is_untouched()
    model.train()(torch.ones(2, 1, 8, 8))  # the statistics have moved
    assert not model.is_untouched()
    model.draw_weights(0)
    assert model.is_untouched()


def test_the_weights_are_the_seeds_of_the_run(small):
    tasks = small("task")[:1]
    ends = [
        everything(cl.train(cl.Baseline(), tasks, model, seed=seed, progress=False, **HOW).model)
        for model, seed in ((tiny(), 3), (tiny(3), 3), (tiny(), 4))
    ]
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=0)
    assert not torch.equal(ends[0]["fc.weight"], ends[2]["fc.weight"])


@pytest.mark.parametrize("name", ["n_outputs", "channels", "width"])
def test_bad_arguments(name):
    with pytest.raises(ValueError, match=f"{name} is 0: at least 1"):
        cl.ResNet18(**{name: 0})


# --- Ω ---


def per_sample(model, task, score, size_of):
    """(P,): mean over samples of `size_of` the gradient, one at a time, in eval mode."""
    with evaluating(model):
        return torch.stack(
            [size_of(gradient(score(model(x)[0], y[0]), model)) for x, y in task.train.batches(1)]
        ).mean(0)


@pytest.mark.parametrize("name", ["empirical Fisher", "true Fisher", "MAS", "SCP"])
def test_omega_is_that_of_one_sample_at_a_time_and_leaves_the_statistics_alone(name):
    model, task = used(), random_task(n=12, shape=(1, 8, 8))
    before = everything(model)
    if name == "empirical Fisher":
        method = cl.EWC()
        expected = per_sample(model, task, lambda z, y: z.log_softmax(-1)[y], torch.square)
    elif name == "true Fisher":
        method = cl.EWC(fisher="true")

        def score(k):
            return lambda z, y: z.log_softmax(-1)[k] * z.softmax(-1)[k].detach().sqrt()

        expected = sum(per_sample(model, task, score(k), torch.square) for k in range(4))
    elif name == "MAS":
        method = cl.MAS()
        expected = per_sample(model, task, lambda z, y: z.square().sum(), torch.abs)
    else:
        method = cl.SCP(slices=3, batch_size=4)
        with evaluating(model):
            expected = sum(
                gradient(c @ model(x).mean(0), model).square() / 3
                for x, _ in task.train.batches(4)
                for c in method.directions(4)
            )
    torch.testing.assert_close(method.importance_of(model, task), expected)
    assert model.training
    torch.testing.assert_close(everything(model), before, rtol=0, atol=0)


# --- in training ---


@pytest.mark.parametrize(
    "name", full_but([n for n in cl.METHODS if n not in ("cbp", "ncm")], "ewc", "icarl", "gem")
)
def test_every_method_trains_it(small, name):
    tasks = small("class" if name == "icarl" else "task")
    method = cl.METHODS[name](**({"memory": 12} if name in MEMORIES else {}))
    run = cl.train(method, tasks, tiny(), progress=False, **HOW)
    assert run.complete
    start = everything(tiny(0))
    for part, value in everything(run.model).items():
        assert torch.isfinite(value).all()
        assert not torch.equal(value, start[part]), f"{part} has not moved"


@pytest.mark.parametrize(
    "name", full_but(["ewc", "mas", "si", "rwalk", "scp", "lwf"], "ewc", "lwf")
)
def test_without_lam_it_is_the_baseline_to_the_bit(small, name):
    """So neither Ω nor the teacher moves the running statistics."""
    ends = [
        everything(cl.train(method, small("task"), tiny(), progress=False, **HOW).model)
        for method in (cl.METHODS[name](lam=0.0), cl.Baseline())
    ]
    torch.testing.assert_close(*ends, rtol=0, atol=0)


@pytest.mark.parametrize("name", full_but(["ewc", "er", "dgr"], "er"))
def test_an_interrupted_run_goes_on_to_the_same_bits(small, tmp_path, name):
    """Statistics and all."""
    how = {"checkpoint": tmp_path / "run.checkpoint", **HOW}
    for event in cl.train_steps(cl.METHODS[name](), small("task"), tiny(), **how):
        if event.kind == "task" and event.task == 1:
            break
    again = cl.train(cl.METHODS[name](), small("task"), tiny(), progress=False, **how)
    whole = cl.train(cl.METHODS[name](), small("task"), tiny(), progress=False, **HOW)
    np.testing.assert_array_equal(again.accuracy, whole.accuracy)
    torch.testing.assert_close(everything(again.model), everything(whole.model), rtol=0, atol=0)


def test_a_sweep_trains_each_alone_and_as_train_does(small, tmp_path):
    tasks, model = small("task"), tiny()
    assert not can_be_stacked(cl.EWC(), model, tasks[0].train.x[:2])
    runs = cl.sweep(
        cl.EWC(), tasks, model, lam=[0.0, 5.0], folder=tmp_path, engine=1, progress=False, **HOW
    )
    for run, lam in zip(runs, (0.0, 5.0), strict=True):
        alone = cl.train(cl.EWC(lam=lam), tasks, tiny(), progress=False, **HOW)
        np.testing.assert_array_equal(run.accuracy, alone.accuracy)
        assert run.config["together"] == 1


def test_a_sweep_of_a_model_with_other_statistics_is_another(small, tmp_path):
    model, moved = tiny(1), tiny(1)
    moved.train()(torch.ones(2, 1, 14, 14))
    for each in (model, moved, model):
        cl.sweep(cl.EWC(), small("task"), each, folder=tmp_path, engine=1, progress=False, **HOW)
    assert len(list(tmp_path.glob("*.json"))) == 2


@pytest.mark.parametrize(
    ("seed", "precision"),
    [(0, "fast"), (0, "full")]
    + [
        pytest.param(seed, precision, marks=pytest.mark.full)
        for seed in range(1, 5)
        for precision in ("fast", "full")
    ],
)
def test_it_learns(small, seed, precision):
    """Far below the loss of guessing, log 2 for two digits."""
    tasks = small("task")[:1]
    how = {"epochs": 25, "batch_size": 12, "optimizer": "adam", "lr": 0.01}
    losses = [
        event.loss.item()
        for event in cl.train_steps(
            cl.Baseline(), tasks, tiny(), seed=seed, precision=precision, every=1, **how
        )
        if event.kind == "step" and event.epoch >= 20
    ]
    assert sum(losses) / len(losses) < 0.5 * np.log(2)
