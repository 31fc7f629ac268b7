"""Per-sample statistics against one backward pass a sample."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import convnet, mlp, one_by_one, random_, random_task

from cl_helpers.methods.gradients import mean_abs_grad, mean_square_grad
from cl_helpers.models.forward import evaluating


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.utils.skip_init(nn.Linear, 6, 6)
        self.out = nn.utils.skip_init(nn.Linear, 6, 4)
        random_(self)

    def forward(self, x):
        return self.out(torch.tanh(self.shared(torch.tanh(self.shared(x)))))


class WithNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.out = nn.utils.skip_init(nn.Linear, 6, 4)
        random_(self)

    def forward(self, x):
        return self.out(self.norm(x))


class InPlace(nn.Module):
    """Overwrites what a layer gave before the gradient comes by."""

    def __init__(self):
        super().__init__()
        self.a = nn.utils.skip_init(nn.Linear, 6, 5)
        self.b = nn.utils.skip_init(nn.Linear, 5, 4)
        random_(self)

    def forward(self, x):
        return self.b(torch.relu_(self.a(x)))


class RowsAreNotSamples(nn.Module):
    """Three rows a sample for the first layer."""

    def __init__(self):
        super().__init__()
        self.a = nn.utils.skip_init(nn.Linear, 2, 3)
        self.b = nn.utils.skip_init(nn.Linear, 9, 4)
        random_(self)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x.reshape(-1, 2))).reshape(-1, 9))


class Tripled(nn.Linear):
    """A layer that is called linear, and is not x ↦ Wx + b."""

    def forward(self, x):
        return 3 * super().forward(x)


def derived():
    return random_(nn.Sequential(*mlp((6, 5)), nn.Tanh(), nn.utils.skip_init(Tripled, 5, 4)))


def normed():
    """Its weight is made of two other parameters."""
    model = mlp()
    nn.utils.parametrizations.weight_norm(model[0])
    return random_(model)


def frozen():
    model = mlp()
    model[0].requires_grad_(False)
    return model


class Other(nn.Module):
    """Two linear layers, and whatever `way` makes of them."""

    def __init__(self, way):
        super().__init__()
        self.a, self.b = (nn.utils.skip_init(nn.Linear, 6, 6) for _ in range(2))
        self.way = way
        random_(self)

    def forward(self, x):
        return self.way(self, x)


def other(way):
    return lambda: Other(way)


def hooked(register, hook):
    def make():
        model = mlp()
        getattr(model[0], register)(hook)
        return model

    return make


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.gru = nn.GRU(2, 5, batch_first=True)
        self.out = nn.utils.skip_init(nn.Linear, 5, 4)
        random_(self)

    def forward(self, x):
        return self.out(self.gru(x.view(-1, 3, 2))[0][:, -1])


def own_statistics():
    """Batch normalisation that has none of earlier batches: in eval mode those of the sample."""
    conv, linear = nn.utils.skip_init(nn.Conv2d, 1, 3, 3), nn.utils.skip_init(nn.Linear, 48, 4)
    norm = nn.BatchNorm2d(3, track_running_stats=False)
    return random_(nn.Sequential(conv, norm, nn.Flatten(), linear))


def less(h, share):
    """h less a share of the mean of the batch."""
    return h - share * h.mean(0)


# What the closed form, or `vmap`, does not see; some were silently wrong once, or crashed.
TRAPS = {
    "a tied decoder": other(lambda m, x: F.linear(torch.tanh(m.b(m.a(x))), m.a.weight.t())),
    "a weight in the output": other(lambda m, x: m.b(torch.tanh(m.a(x))) * m.a.weight.sum()),
    "a small layer used again": other(
        lambda m, x: m.b(torch.tanh(m.a(0.01 * x))) + 2 * F.linear(0.01 * x, m.a.weight)
    ),
    "a bias used again": other(lambda m, x: m.b(torch.tanh(m.a(x))) + m.a.bias),
    "samples that mix": other(lambda m, x: m.b(less(m.a(x), 1.0))),
    "samples that mix a little": other(lambda m, x: m.b(less(torch.tanh(m.a(x)), 0.1))),
    "a gate": other(lambda m, x: m.b(m.a(x)) if x.mean() > 0 else m.b(torch.tanh(m.a(x)))),
    "a gate for one in fifty": other(lambda m, x: m.a(x) if x.max() < 1.8 else m.b(m.a(x))),
    "a layer not used": other(lambda m, x: m.a(x)),
    "an output not used": other(lambda m, x: m.a(x) + 0 * m.b(x).detach()),
    "a hook on the output": hooked("register_forward_hook", lambda m, i, out: 3 * out),
    "a hook that adds the input": hooked(
        "register_forward_hook", lambda m, args, out: out + args[0][:, :5]
    ),
    "a hook on the input": hooked("register_forward_pre_hook", lambda m, args: (2 * args[0],)),
    "a hook on the weight": other(lambda m, x: m.b(F.linear(x, m.a.weight.clamp(-0.3, 0.3)))),
}
MODELS = {name: (make, (6,)) for name, make in TRAPS.items()} | {
    "a recurrent network": (Recurrent, (6,)),
    "statistics of its own": (own_statistics, (1, 6, 6)),
    "linear layers": (mlp, (6,)),
    "convolution": (convnet, (1, 6, 6)),
    "a layer used twice": (Twice, (6,)),
    "a layer norm": (WithNorm, (6,)),
    "a frozen layer": (frozen, (6,)),
    "a layer derived from nn.Linear": (derived, (6,)),
    "a weight made of others": (normed, (6,)),
    "an operation in place": (InPlace, (6,)),
    "rows that are not samples": (RowsAreNotSamples, (6,)),
}


@pytest.mark.filterwarnings("ignore:.*is differentiated one example at a time")
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_equal_one_sample_at_a_time_whatever_the_batch_size(kind, batch_size):
    make, shape = MODELS[kind]
    model, task = make(), random_task(n=20, shape=shape)
    trainable = nn.ParameterList(p for p in model.parameters() if p.requires_grad)

    def of_batch(logits, y):
        return logits.square().sum(-1)

    def of_sample(logits, y):
        return logits.square().sum()

    for ours, size_of in ((mean_square_grad, torch.square), (mean_abs_grad, torch.abs)):
        expected = one_by_one_on(model, trainable, task, of_sample, size_of)
        torch.testing.assert_close(ours(model, task.train, of_batch, batch_size), expected)


def one_by_one_on(model, trainable, task, score, size_of):
    rows = []
    for x, y in task.train.batches(1):
        grads = torch.autograd.grad(
            score(model(x)[0], y[0]), list(trainable), materialize_grads=True
        )
        rows.append(size_of(torch.cat([g.reshape(-1) for g in grads])))
    return torch.stack(rows).mean(0)


@pytest.mark.parametrize("kind", ["linear layers", "convolution"])
def test_several_scores_a_sample_are_summed_after_squaring(kind):
    make, shape = MODELS[kind]
    model, task = make(), random_task(n=12, shape=shape)
    ours = mean_square_grad(model, task.train, lambda logits, y: logits, 5)
    expected = sum(
        one_by_one(model, task, lambda logits, y, k=k: logits[k], torch.square) for k in range(4)
    )
    torch.testing.assert_close(ours, expected)


def test_the_square_of_a_batch_gradient_is_something_else():
    """The usual mistake; were it the same, the tests above could not tell."""
    model, task = mlp(), random_task()
    exact = mean_square_grad(model, task.train, lambda z, y: F.log_softmax(z, -1)[:, 0], 50)
    mean = F.log_softmax(model(task.train.x), -1)[:, 0].mean()
    grads = torch.autograd.grad(mean, list(model.parameters()))
    wrong = torch.cat([g.reshape(-1) for g in grads]).square()
    assert not torch.allclose(exact, wrong, rtol=0.1)


def test_eval_mode_while_measuring_and_every_mode_restored():
    model = nn.Sequential(nn.Tanh(), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    model.train()
    model[2].eval()
    with evaluating(model):
        assert not any(m.training for m in model.modules())
    assert model.training
    assert model[1].training
    assert not model[2].training
    assert not model[2][0].training


def test_dropout_does_not_disturb_the_statistics():
    model = nn.Sequential(*mlp(), nn.Dropout(0.5)).train()
    task = random_task()
    a, b = (mean_abs_grad(model, task.train, lambda z, y: z.sum(-1)) for _ in range(2))
    assert torch.equal(a, b)
    assert model.training


@pytest.mark.parametrize("kind", ["a recurrent network", "a gate"])
def test_what_is_slow_names_its_price(kind):
    make, shape = MODELS[kind]
    task = random_task(n=20, shape=shape)
    with pytest.warns(UserWarning, match=r"one example at a time, 20 times: about \d+ s"):
        mean_abs_grad(make(), task.train, lambda z, y: z.sum(-1))


@pytest.mark.parametrize("kind", ["linear layers", "convolution"])
def test_what_is_fast_warns_of_nothing(kind, recwarn):
    make, shape = MODELS[kind]
    mean_abs_grad(make(), random_task(n=20, shape=shape).train, lambda z, y: z.sum(-1))
    assert not recwarn.list


class SecondUse(nn.Module):
    """Uses a weight a second time, for some samples only, and for none that are tried."""

    def __init__(self, by_hook):
        super().__init__()
        self.a, self.b = (nn.utils.skip_init(nn.Linear, 6, n) for n in (6, 4))
        if by_hook:
            self.a.register_forward_hook(lambda module, args, out: out * (1 + self.gate(args[0])))
        self.by_hook = by_hook

    def gate(self, x):
        return (x[:, :1] > 5).to(x.dtype)

    def forward(self, x):
        h = self.a(x)
        if not self.by_hook:
            h = h + self.gate(x) * F.linear(x, self.a.weight)
        return self.b(torch.tanh(h))


@pytest.mark.parametrize("by_hook", [False, True])
def test_a_use_that_the_tried_samples_do_not_show_counts(by_hook):
    task, model = random_task(n=50), random_(SecondUse(by_hook))
    task.train.x[[5, 20, 30], 0] = 6.0  # tried are the samples 0, 16, 32 and 49
    found = mean_square_grad(model, task.train, task.log_likelihood)
    expected = one_by_one(model, task, lambda z, y: z.log_softmax(-1)[y], torch.square)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)
