"""Right and wrong answers as students write them, in plain loops, and what `check` says to each."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from cl_helpers.data.tasks import split
from cl_helpers.lessons.exercises import EXERCISES, Verdict, check
from cl_helpers.methods import SI
from cl_helpers.training.evaluation import as_of
from cl_helpers.training.schedules import factors

# --- what students write ---


def lost(a):
    return a[0, 0] - a[-1, 0]


def forgetting(a, *, rows=-1, mean=True, own=True):
    """rows: how many the maximum is taken over; own: is the last task left out?"""
    n = len(a)
    total = []
    for j in range(n - 1 if own else n):
        best = -1.0
        for t in range(n)[:rows]:
            if not math.isnan(a[t, j]):
                best = max(best, a[t, j])
        total.append(best - a[n - 1, j])
    return sum(total) / len(total) if mean else sum(total)


def backward_transfer(a):
    n = len(a)
    return sum(a[n - 1, j] - a[j, j] for j in range(n - 1)) / (n - 1)


def permute(images, order):
    out = torch.empty_like(images)
    for n, image in enumerate(images):
        pixels = image.reshape(784)
        for i in range(784):
            out[n, 0, i // 28, i % 28] = pixels[order[i]]
    return out


def inverse(images, order):
    out = torch.empty_like(images).reshape(len(images), 784)
    for n, image in enumerate(images):
        out[n, order] = image.reshape(784)
    return out.reshape(images.shape)


def new_order_at_each_call(images, order):
    return images.reshape(-1, 784)[:, torch.randperm(784)].reshape(images.shape)


def new_order_for_each_image(images, order):
    torch.manual_seed(0)
    return torch.stack([i.reshape(784)[torch.randperm(784)].reshape(1, 28, 28) for i in images])


def rows_moved(images, order):
    return images[:, :, [r for r in order.tolist() if r < 28]]


def columns_moved(images, order):
    return images[..., torch.randperm(28)]


def in_place(images, order):
    images[:] = permute(images, order)
    return images


def compromise(a, h_a, b, h_b, lam):
    theta = 0.0
    for _ in range(10_000):  # gradient descent: no closed form
        theta -= 0.02 * (h_b * (theta - b) + lam * h_a * (theta - a))
    return theta


def per_sample(model, x, score, zero=True):
    """One list of gradients a sample; `score(logits of sample n, n)`."""
    every = []
    for n in range(len(x)):
        if zero:
            model.zero_grad()
        score(model(x[n : n + 1])[0], n).backward()
        every.append([p.grad.clone() for p in model.parameters()])
    return every


def whole_batch(model, score):
    model.zero_grad()
    score.backward()
    return [p.grad.clone() for p in model.parameters()]


def mean_of(every, size_of, divide_by=None):
    n = len(every) if divide_by is None else divide_by
    return [sum(size_of(g) for g in column) / n for column in zip(*every, strict=True)]


def squared(g):
    return g**2


def itself(g):
    return g


def fisher(
    model, x, y, *, size_of=squared, log=True, own_label=False, divide_by=None, zero=True, sign=1
):
    def score(logits, n):
        label = logits.argmax() if own_label else y[n]
        p = logits.softmax(-1)[label]
        return sign * (p.log() if log else p)

    return mean_of(per_sample(model, x, score, zero), size_of, divide_by)


def fisher_by_vmap(model, x, y):
    theta = dict(model.named_parameters())

    def loss(theta, x, y):
        return F.cross_entropy(functional_call(model, theta, (x[None],)), y[None])

    return {k: (g**2).mean(0) for k, g in vmap(grad(loss), (None, 0, 0))(theta, x, y).items()}


def fisher_of_batch(model, x, y, *, size_of=squared, reduction="mean"):
    loss = F.cross_entropy(model(x), y, reduction=reduction)
    return [size_of(g) for g in whole_batch(model, loss)]


def raw_logit(model, x, y):
    return mean_of(per_sample(model, x, lambda logits, n: F.nll_loss(logits, y[n])), squared)


def true_fisher(model, x, y):
    p = model(x).softmax(-1).detach()
    by_label = [
        mean_of(
            per_sample(model, x, lambda z, n, k=k: z.log_softmax(-1)[k] * p[n, k].sqrt()), squared
        )
        for k in range(p.shape[1])
    ]
    return [sum(column) for column in zip(*by_label, strict=True)]


def mas(
    model, x, *, size_of=torch.abs, score=lambda z, n: (z * z).sum(), divide_by=None, zero=True
):
    return mean_of(per_sample(model, x, score, zero), size_of, divide_by)


def mas_of_batch(model, x, *, size_of=torch.abs, mean=True):
    norms = (model(x) ** 2).sum(1)
    return [size_of(g) for g in whole_batch(model, norms.mean() if mean else norms.sum())]


def scp(model, x, directions, *, size_of=squared, mean=True, phi_mean=True, zero=True):
    total = [torch.zeros_like(p) for p in model.parameters()]
    model.zero_grad()
    for xi in directions:
        if zero:
            model.zero_grad()
        phi = model(x).mean(0) if phi_mean else model(x).sum(0)
        (xi @ phi).backward()
        total = [t + size_of(p.grad) for t, p in zip(total, model.parameters(), strict=True)]
    return [t / len(directions) if mean else t for t in total]


def scp_slices_first(model, x, directions, mean=True):
    xi = directions.mean(0) if mean else directions.sum(0)
    return [g**2 for g in whole_batch(model, xi @ model(x).mean(0))]


def scp_by_sample(model, x, directions):
    by_slice = [
        mean_of(per_sample(model, x, lambda z, n, xi=xi: xi @ z), squared) for xi in directions
    ]
    return [sum(column) / len(directions) for column in zip(*by_slice, strict=True)]


def si(g, theta, xi, *, relu=True, sign=-1, size=None, steps=None, way=None, divide=True):
    omega = []
    steps = len(g) + (steps or 0)
    for i in range(g.shape[1]):
        path = 0.0
        for s in range(steps):
            path += sign * g[s, i] * (theta[s + 1, i] - theta[s, i])
        below = (theta[-1, i] - theta[0, i]) ** 2 if way is None else way(theta[:, i])
        value = path / (below + xi) if divide else path
        omega.append(max(value, torch.tensor(0.0)) if relu else value)
    return torch.stack([abs(o) for o in omega] if size else omega)


def si_cut_at_every_step(g, theta, xi):
    omega = 0
    for s in range(len(g)):
        omega = omega + torch.relu(-g[s] * (theta[s + 1] - theta[s]))
    return omega / ((theta[-1] - theta[0]) ** 2 + xi)


def si_total(g, theta, xi):
    delta = theta[-1] - theta[0]
    return torch.clamp(-g.sum(0) * delta / (delta**2 + xi), min=0)


def rwalk(
    g,
    theta,
    fisher,
    interval,
    epsilon,
    *,
    relu="each",
    half=0.5,
    reset_fall=True,
    reset_start=True,
    last=True,
    f_of="end",
):
    """Step by step, with a counter, as in a training loop."""
    score, fall, start = 0, 0, theta[0]
    f_start, taken = torch.zeros_like(theta[0]), 0
    for s in range(len(g)):
        if taken == 0 and f_of == "first step":
            f_start = fisher[s]
        fall = fall - g[s] * (theta[s + 1] - theta[s])
        taken += 1
        if taken == interval or (last and s == len(g) - 1):
            f = fisher[s] if f_of == "end" else f_start
            part = fall / (half * f * (theta[s + 1] - start) ** 2 + epsilon)
            score = score + (part.clamp(min=0) if relu == "each" else part)
            taken, f_start = 0, fisher[s]
            if reset_fall:
                fall = 0
            if reset_start:
                start = theta[s + 1]
    return score.clamp(min=0) if relu == "once" else score


def rwalk_by_stretch(
    g, theta, fisher, interval, epsilon, *, product=False, squares=False, mean_f=False
):
    score = 0
    for a in range(0, len(g), interval):
        steps = theta[a : a + interval + 1].diff(dim=0)
        n, moved = len(steps), steps.sum(0)
        fall = -g[a : a + n].sum(0) * moved if product else -(g[a : a + n] * steps).sum(0)
        way = (steps**2).sum(0) if squares else moved**2
        f = fisher[a : a + n].mean(0) if mean_f else fisher[a + n - 1]
        score = score + (fall / (f * way / 2 + epsilon)).clamp(min=0)
    return score


def project(g, r, *, ask=lambda product: product < 0, sign=-1, below=lambda g, r: sum(r * r)):
    product = sum(g * r)
    if not ask(product):
        return g
    return torch.stack([g[i] + sign * product / below(g, r) * r[i] for i in range(len(g))])


def part_along(g, r):
    return g - project(g, r) if sum(g * r) < 0 else g


def competing(task, learned, scenario, n, *, task_il=None, domain_il=None, class_il=None):
    """A mask of the outputs first, and then their numbers; the last three are other masks."""
    outputs = torch.arange(20)
    if scenario == "task":
        mask = outputs // n == task if task_il is None else task_il(outputs, task, learned, n)
    elif scenario == "domain":
        mask = outputs < n if domain_il is None else domain_il(outputs, task, learned, n)
    else:
        mask = outputs // n < learned if class_il is None else class_il(outputs, task, learned, n)
    return mask.nonzero().flatten().tolist()


def bound(h, before, after, *, lam=max, size=lambda d: sum(d * d), half=0.5):
    """By all eigenvalues, from numpy; `lam` chooses among them."""
    values = np.linalg.eigvals(h.numpy()).real.tolist()
    return half * lam(values) * float(size(after - before))


def generator_that_breaks(a):
    yield 1 / 0


with_ = functools.partial


def rates(
    n_steps,
    n_warm,
    lr,
    final,
    *,
    first=1,
    below=1,
    last=1,
    u_from=0,
    half=math.pi,
    wave=lambda x: (1 + math.cos(x)) / 2,
    top=None,
    wave_has_all=False,
):
    """A warm-up and half a wave, with a place for every mistake."""
    out = []
    n = n_steps if wave_has_all else n_steps - n_warm
    for i in range(n_steps):
        if i < n_warm:
            out.append(lr * (i + first) / (n_warm + below))
        else:
            u = ((i if wave_has_all else i - n_warm) + u_from) / (n - last)
            out.append(lr * (final + ((1 - final) if top is None else top) * wave(half * u)))
    return out


RIGHT = [
    ("start", lost),
    ("start", lambda a: float(a[0][0]) - float(a[len(a) - 1][0])),
    ("start", lambda a: torch.tensor(a)[0, :1].float() - torch.tensor(a)[-1, :1].float()),
    ("start", lambda a: np.float16(a[0, 0] - a[-1, 0])),
    ("permutation", permute),
    ("permutation", lambda images, order: images.flatten(1)[:, order].view(-1, 1, 28, 28)),
    (
        "permutation",
        lambda images, order: images.numpy().reshape(-1, 784)[:, order].reshape(images.shape),
    ),
    ("permutation", lambda images, order: [i.flatten()[order].view(1, 28, 28) for i in images]),
    ("permutation", lambda images, order: permute(images, order).tolist()),
    ("forgetting", forgetting),
    ("forgetting", lambda a: (np.nanmax(a[:-1, :-1], axis=0) - a[-1, :-1]).mean()),
    ("forgetting", lambda a: np.mean([np.max(a[j:-1, j]) - a[-1, j] for j in range(len(a) - 1)])),
    ("compromise", compromise),
    ("ewc", fisher),
    ("ewc", lambda *args: tuple(fisher(*args))),
    ("ewc", lambda *args: iter(fisher(*args))),
    ("ewc", lambda *args: torch.cat([f.flatten() for f in fisher(*args)])),
    ("ewc", lambda *args: [f.flatten().numpy() for f in fisher(*args)]),
    ("ewc", lambda *args: np.concatenate([f.flatten().float() for f in fisher(*args)])),
    ("ewc", lambda *args: [f.bfloat16() for f in fisher(*args)]),
    ("ewc", lambda model, x, y: fisher(model.float(), x.float(), y)),
    (
        "ewc",
        lambda model, x, y: dict(
            reversed(list(zip(dict(model.named_parameters()), fisher(model, x, y), strict=True)))
        ),
    ),
    ("ewc", fisher_by_vmap),
    ("mas", mas),
    ("si", si),
    ("si", lambda g, theta, xi: si(g, theta, xi).tolist()),
    ("rwalk", rwalk),
    ("rwalk", rwalk_by_stretch),
    ("scp", scp),
    ("agem", project),
    ("agem", lambda g, r: torch.from_numpy(np.where(g @ r < 0, project(g, r), g))),
    ("scenarios", competing),
    ("scenarios", lambda *args: torch.tensor(competing(*args))),
    ("scenarios", lambda *args: tuple(competing(*args))),
    ("regimes", bound),
    ("regimes", lambda h, a, b: torch.linalg.eigh(h)[0][-1:] * (a - b).square().sum() / 2),
    ("schedules", rates),
    ("schedules", lambda *args: np.array(rates(*args))),
    (
        "schedules",
        lambda n, warm, lr, final: lr * factors("cosine", n, warm_up=warm / n, final=final),
    ),
]

WRONG = [
    ("start", lambda a: -lost(a), "sign"),
    ("start", lambda a: a[0, 0] - a[0, -1], "first row"),
    ("start", lambda a: a[0, -1] - a[0, 0], "first row"),
    ("start", lambda a: a[0, 0] - a[-1, -1], "diagonal"),
    ("start", lambda a: a[-1, -1] - a[0, 0], "diagonal"),
    ("start", lambda a: a[-1, 0], "what is left"),
    ("start", lambda a: 100 * lost(a), "per cent"),
    ("start", lambda a: a[1, 1] - a[-1, 1], "counted from 1"),
    ("start", lambda a: 1 - a[-1, 0] / a[0, 0], "lost part"),
    ("start", lambda a: lost(a) / a[0, 0], "lost part"),
    ("start", lambda a: a[0, 0] - a[1, 0], "after the next task"),
    ("start", lambda a: max(a[t, 0] for t in range(len(a))) - a[-1, 0], "best"),
    ("permutation", inverse, "inverse"),
    (
        "permutation",
        lambda images, order: images[torch.randperm(len(images), generator=torch.Generator())],
        "order of the images",
    ),
    ("permutation", lambda images, order: images.flip(0), "order of the images"),
    ("permutation", lambda images, order: images[order], "reached for the images"),
    ("permutation", lambda images, order: images.numpy()[order.numpy()], "reached for the images"),
    ("permutation", rows_moved, "whole rows or columns"),
    ("permutation", columns_moved, "whole rows or columns"),
    ("permutation", lambda images, order: images[:, :, order], "whole rows or columns"),
    ("permutation", lambda images, order: images[:, :, :, order], "whole rows or columns"),
    ("permutation", new_order_at_each_call, "ONE fixed order"),
    ("permutation", new_order_for_each_image, "ONE fixed order"),
    (
        "permutation",
        lambda images, order: permute(images, order).view(-1, 784),
        r"shape \(5, 784\) came",
    ),
    ("permutation", in_place, "changes `images` itself"),
    ("permutation", lambda images, order: images.clone(), "no pixel has moved"),
    ("permutation", lambda images, order: images.flatten()[order], r"shape \(784,\) came"),
    ("model-read", 14, "number of the task"),
    ("forgetting", backward_transfer, "backward transfer"),
    ("forgetting", lambda a: -backward_transfer(a), "backward transfer"),
    ("forgetting", lambda a: forgetting(a, mean=False) / len(a), "last task is counted"),
    ("forgetting", with_(forgetting, own=False), "last task is counted"),
    ("forgetting", with_(forgetting, own=False, rows=None), "last task is counted"),
    ("forgetting", with_(forgetting, rows=None), "never be negative"),
    ("forgetting", lambda a: -forgetting(a), "sign"),
    (
        "forgetting",
        lambda a: np.abs(np.nanmax(a[:-1, :-1], 0) - a[-1, :-1]).mean(),
        "absolute value",
    ),
    ("forgetting", lambda a: max(np.nanmax(a[:-1, :-1], 0) - a[-1, :-1]), "maximum over the tasks"),
    ("forgetting", lambda a: np.mean(np.nanmax(a[:-1]) - a[-1, :-1]), "without .axis=0."),
    ("forgetting", with_(forgetting, mean=False), "took the sum"),
    ("forgetting", lambda a: (a[:-1, :-1].max(axis=0) - a[-1, :-1]).mean(), "nanmax. passes"),
    ("forgetting", lambda a: (a.max(axis=0) - a[-1]).mean(), "nanmax. passes"),
    ("forgetting", lambda a: np.nanmax(a[:-1, :-1], axis=0) - a[-1, :-1], "take the mean"),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (lam * h_b * b + h_a * a) / (lam * h_b + h_a),
        "wrong one",
    ),
    ("compromise", lambda a, h_a, b, h_b, lam: (h_b * b + h_a * a) / (h_b + h_a), "too little"),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (h_b * b + lam * h_a * a) / (h_b + h_a),
        "it is missing",
    ),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (h_b * b + h_a * a) / (h_b + lam * h_a),
        "it is missing",
    ),
    ("compromise", lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a, "Not divided"),
    ("compromise", lambda a, h_a, b, h_b, lam: (a + b) / 2, "half-way"),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a / (h_b + lam * h_a),
        "brackets",
    ),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (h_b * b + lam * h_a * a) / h_b + lam * h_a,
        "brackets",
    ),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a / h_b + lam * h_a,
        "brackets",
    ),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (b + lam * a) / (1 + lam),
        "curvatures are forgotten",
    ),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (h_a * b + lam * h_b * a) / (h_a + lam * h_b),
        "the other's",
    ),
    ("ewc", fisher_of_batch, "changes with the batch size"),
    ("ewc", with_(fisher_of_batch, reduction="sum"), "changes with the batch size"),
    ("ewc", with_(fisher, size_of=torch.abs), "absolute values"),
    ("ewc", with_(fisher_of_batch, size_of=torch.abs), "absolute values"),
    ("ewc", with_(fisher, own_label=True), "never looks at y"),
    ("ewc", true_fisher, "true Fisher"),
    ("ewc", with_(fisher, divide_by=1), "number of samples"),
    ("ewc", lambda model, x, y: fisher(model, x, y, divide_by=len(x) ** 2), "number of samples"),
    ("ewc", with_(fisher, log=False), "gradient of p itself"),
    ("ewc", raw_logit, "raw logit"),
    ("ewc", with_(fisher, size_of=itself), "Not squared"),
    ("ewc", with_(fisher, size_of=itself, sign=-1), "Not squared"),
    ("ewc", with_(fisher, size_of=itself, divide_by=1), "Not squared"),
    ("ewc", with_(fisher_of_batch, size_of=itself, reduction="sum"), "Not squared"),
    ("ewc", with_(fisher, zero=False), "add up"),
    ("mas", mas_of_batch, "cancel: you took the absolute value"),
    ("mas", with_(mas_of_batch, mean=False), "cancel: you took the absolute value"),
    ("mas", with_(mas, score=lambda z, n: z.norm()), "norm, not its square"),
    ("mas", with_(mas, size_of=squared), "as EWC does"),
    ("mas", with_(mas_of_batch, size_of=squared), "as EWC does"),
    ("mas", with_(mas, divide_by=1), "number of samples"),
    ("mas", lambda model, x: mas(model, x, divide_by=len(x) ** 2), "number of samples"),
    ("mas", with_(mas, size_of=itself), "Without an absolute value"),
    ("mas", with_(mas_of_batch, size_of=itself, mean=False), "Without an absolute value"),
    ("mas", with_(mas, score=lambda z, n: z.sum()), "differentiated the sum of the logits"),
    ("mas", with_(mas, score=lambda z, n: z.sum() ** 2), "squared the sum"),
    ("mas", with_(mas, score=lambda z, n: (z.softmax(-1) ** 2).sum()), "probabilities"),
    ("mas", with_(mas, zero=False), "add up"),
    ("si", with_(si, relu=False), "relu is missing"),
    ("si", with_(si, relu=False, size=abs), "took the absolute value"),
    ("si", with_(si, sign=1), "sign"),
    ("si", with_(si, sign=1, relu=False), "sign"),
    ("si", with_(si, steps=-1), "last step"),
    ("si", lambda g, theta, xi: si(g[:-1], theta[:-1], xi), "last step"),
    ("si", with_(si, way=lambda t: (t[-2] - t[0]) ** 2), "last step"),
    (
        "si",
        with_(si, way=lambda t: sum((t[s + 1] - t[s]) ** 2 for s in range(len(t) - 1))),
        "back and forth",
    ),
    ("si", lambda g, theta, xi: si(g, theta, 0.0), "ξ is forgotten"),
    ("si", si_cut_at_every_step, "at every step"),
    ("si", with_(si, way=lambda t: abs(t[-1] - t[0])), "not squared"),
    ("si", with_(si, way=lambda t: t[-1] - t[0]), "not squared"),
    ("si", with_(si, divide=False), "Not divided"),
    ("si", with_(si, divide=False, relu=False), "Not divided"),
    ("si", with_(si, way=lambda t: 0.0), "Not divided"),
    ("si", si_total, "Only start and end"),
    ("rwalk", lambda g, theta, f, interval, eps: rwalk(g, theta, f, 10**6, eps), "whole task"),
    ("rwalk", with_(rwalk, relu=None), "relu"),
    ("rwalk", with_(rwalk, relu="once"), "relu"),
    ("rwalk", with_(rwalk, reset_fall=False), "^ΔL is not reset"),
    ("rwalk", with_(rwalk, reset_start=False), "^The stretch's start is not reset"),
    ("rwalk", with_(rwalk, reset_fall=False, reset_start=False), "^Neither"),
    ("rwalk", with_(rwalk, half=1.0), "½ before"),
    ("rwalk", with_(rwalk, last=False), "short last stretch"),
    ("rwalk", with_(rwalk, f_of="first step"), "beginning"),
    ("rwalk", with_(rwalk, f_of="before"), "beginning"),
    ("rwalk", lambda g, *rest: rwalk(-g, *rest), "sign"),
    ("rwalk", lambda g, *rest: rwalk(-g, *rest, relu=None), "sign"),
    ("rwalk", lambda *args: rwalk(*args[:-1], 0.0), "ε is forgotten"),
    ("rwalk", with_(rwalk_by_stretch, product=True), "step by step, then add"),
    ("rwalk", with_(rwalk_by_stretch, squares=True), "squares of the steps"),
    ("rwalk", with_(rwalk_by_stretch, mean_f=True), "averaged F"),
    ("scp", scp_slices_first, "number of directions does nothing"),
    ("scp", with_(scp_slices_first, mean=False), "number of directions does nothing"),
    ("scp", with_(scp, size_of=torch.abs), "absolute values"),
    ("scp", scp_by_sample, "sample by sample"),
    ("scp", with_(scp, mean=False), "sum over slices"),
    ("scp", with_(scp, phi_mean=False), "not their sum"),
    ("scp", with_(scp, size_of=itself), "Not squared"),
    ("scp", with_(scp, size_of=itself, mean=False), "Not squared"),
    ("scp", with_(scp, zero=False), "add up"),
    ("agem", with_(project, ask=lambda product: True), "nothing is violated"),
    ("agem", with_(project, ask=lambda product: product > 0), "wrong way round"),
    ("agem", with_(project, sign=1), "sign"),
    ("agem", with_(project, below=lambda g, r: sum(r * r) ** 0.5), "not by ‖r‖²"),
    ("agem", with_(project, below=lambda g, r: 1.0), "Not divided"),
    ("agem", with_(project, below=lambda g, r: sum(g * g)), "Divided by ⟨g, g⟩"),
    ("agem", part_along, "the very part that hurts"),
    ("agem", lambda g, r: g - g * r / sum(r * r) * r, "element by element"),
    ("agem", lambda g, r: g + r if sum(g * r) < 0 else g, "You added r itself"),
    ("agem", lambda g, r: project(r, g) if sum(g * r) < 0 else g, "projected r"),
    ("agem", lambda g, r: torch.zeros(len(g)) if sum(g * r) < 0 else g, "No step at all"),
    ("scenarios", lambda task, learned, scenario, n: competing(task, 0, "task", n), "no diff"),
    ("scenarios", lambda task, learned, scenario, n: range(n), "no difference"),
    ("scenarios", lambda task, learned, scenario, n: range(learned * n), "no difference"),
    ("scenarios", lambda task, learned, scenario, n: range(10), "no difference"),
    ("scenarios", with_(competing, class_il=lambda o, task, learned, n: o // n == task), "leak"),
    ("scenarios", with_(competing, class_il=lambda o, task, learned, n: o // n <= task), "later"),
    ("scenarios", with_(competing, class_il=lambda o, task, learned, n: o < 10), "all ten"),
    (
        "scenarios",
        with_(competing, class_il=lambda o, task, learned, n: o // n == learned - 1),
        "forgot the classes of earlier",
    ),
    (
        "scenarios",
        with_(competing, class_il=lambda o, task, learned, n: o // n <= learned),
        "one task off",
    ),
    (
        "scenarios",
        with_(competing, class_il=lambda o, task, learned, n: o // n < learned - 1),
        "one task off",
    ),
    (
        "scenarios",
        with_(competing, domain_il=lambda o, task, learned, n: o // n == task),
        "not renumbered",
    ),
    (
        "scenarios",
        with_(competing, domain_il=lambda o, task, learned, n: o // n < learned),
        "not renumbered",
    ),
    (
        "scenarios",
        with_(competing, domain_il=lambda o, task, learned, n: o < 10),
        "not renumbered",
    ),
    (
        "scenarios",
        with_(competing, task_il=lambda o, task, learned, n: o < n),
        "outputs of its own",
    ),
    (
        "scenarios",
        with_(competing, task_il=lambda o, task, learned, n: o // n < learned),
        "it is told",
    ),
    ("regimes", with_(bound, half=1), "½ of Taylor"),
    ("regimes", with_(bound, size=lambda d: sum(d * d) ** 0.5), "not squared"),
    ("regimes", with_(bound, size=lambda d: sum(d * d) ** 0.5, half=1), "not squared"),
    ("regimes", with_(bound, lam=lambda v: max(map(abs, v))), "largest \\|μ\\|"),
    ("regimes", with_(bound, lam=min), "smallest eigenvalue"),
    ("regimes", lambda h, a, b: (b - a) @ (h @ (b - a)) / 2, "is to be bounded"),
    ("regimes", lambda h, a, b: (b - a) @ (h @ (b - a)), "is to be bounded"),
    ("regimes", with_(bound, lam=sum), "trace"),
    ("regimes", lambda h, a, b: h.max() * ((b - a) ** 2).sum() / 2, "largest entry"),
    ("regimes", lambda h, a, b: h.diag().max() * ((b - a) ** 2).sum() / 2, "largest entry"),
    ("regimes", lambda h, a, b: bound(h, 0 * a, b), "first the difference"),
    ("regimes", lambda h, a, b: bound(h, a.norm(), b.norm(), size=lambda d: d * d), "difference"),
    ("regimes", lambda h, a, b: bound(h, 0 * a, b) - bound(h, 0 * a, a), "the difference"),
    ("scenarios", with_(competing, task_il=lambda o, task, learned, n: o < 10), "it is told"),
    (
        "scenarios",
        with_(competing, task_il=lambda o, task, learned, n: o // n == task - 1),
        "counted from 0",
    ),
    ("schedules", with_(rates, first=0), "begins with 0"),
    ("schedules", with_(rates, first=0, below=0), "begins with 0"),
    ("schedules", with_(rates, below=0), "twice"),
    ("schedules", with_(rates, last=0), "one step short"),
    ("schedules", with_(rates, u_from=1, last=0), "does not begin at lr"),
    ("schedules", with_(rates, half=180), "radians"),
    ("schedules", with_(rates, half=2 * math.pi), "is a whole wave"),
    ("schedules", with_(rates, wave=lambda x: math.cos(x / 2)), "quarter"),
    ("schedules", with_(rates, wave=math.cos), "below zero"),
    ("schedules", lambda n, warm, lr, final: rates(n, warm, lr, 0), "`final` is missing"),
    ("schedules", with_(rates, top=1), "begins above lr"),
    ("schedules", lambda n, warm, lr, final: rates(n, warm, lr, final / lr), "a part of lr"),
    ("schedules", with_(rates, wave_has_all=True), "began with the warm-up"),
    ("schedules", with_(rates, wave=lambda x: 1 - x / math.pi), "straight line"),
    (
        "schedules",
        lambda n, warm, lr, final: (
            rates(n, warm, lr, final)[:warm]
            + [lr * final ** (i / (n - warm - 1)) for i in range(n - warm)]
        ),
        "exponential",
    ),
    ("schedules", with_(rates, wave=lambda x: (1 - math.cos(x)) / 2), "wrong way round"),
    ("schedules", lambda n, warm, lr, final: rates(n, warm, 1, final), "lr itself is missing"),
    ("schedules", lambda n, warm, lr, final: rates(n, 0, lr, final), "no warm-up"),
    ("schedules", lambda n, warm, lr, final: rates(n, warm, lr, final)[:-1], "size is another"),
    # no usual mistake: what is said in general
    ("start", 0.3, "function itself.* float came"),
    ("start", lambda: 0.3, r"arguments are others: `lost\(a\)`"),
    ("start", lambda a, b: 0.3, r"`\(a, b\)` came"),
    ("start", lambda a: "0.3", "of type str, cannot"),
    ("start", lambda a: 1j, "of type complex, cannot"),
    ("start", lambda a: object(), "of type object, cannot"),
    ("start", lambda a: {"loss": "much"}, "of type dict, cannot"),
    ("start", generator_that_breaks, "ZeroDivisionError"),
    ("start", int, "TypeError"),
    ("start", lambda a: a[:, 0], r"shape \(4,\) came, one number"),
    ("start", lambda a: [], "0 numbers came"),
    ("start", lambda a: 0.0, "came out as zero"),
    ("start", lambda a: -100 * lost(a), "−100 times"),
    ("start", lambda a: lost(a) / 3, "1/3 times"),
    ("start", lambda a: a[0, 0] - a[3, 0] if len(a) > 3 else 0.77, "one problem"),
    ("start", lambda a: 0.77, "Yours is 0.77 where"),
    (
        "si",
        lambda g, theta, xi: si(g, theta, xi)[None],
        r"numbers are right, but shape \(1, 6\)",
    ),
    ("si", lambda g, theta, xi: si(g, theta, xi) / len(g), "1/6, 1/4 times"),
    ("si", lambda g, theta, xi: si(g, theta, xi) / 0, "6 numbers came out as NaN or inf"),
    ("ewc", lambda *args: fisher(*args)[0], r"shape \(5, 6\) came, 53 numbers"),
    ("ewc", lambda *args: fisher(*args)[:3], "50 numbers came, 53 numbers"),
    ("mas", lambda *args: [m / 3 for m in mas(*args)], "1/3 times"),
    ("mas", lambda *args: [m + 0.3 for m in mas(*args)], "These are not the numbers"),
    ("mas", lambda model, x: model(x[0, 0, 0, 0]), "IndexError.* in line 1 of <lambda>"),
]


def test_the_course_computes_what_the_exercise_asks_for():
    for g, theta, xi in EXERCISES["si"].problems():
        method = SI(xi=xi)
        method.path = torch.zeros_like(theta[0])
        for s in range(len(g)):
            method.accumulate(g[s], theta[s + 1] - theta[s])
        method.theta_start, method.theta_before = theta[0], theta[-1]
        torch.testing.assert_close(method.importance_of(None, None), si(g, theta, xi))


def test_the_tasks_of_the_course_compete_as_the_exercise_asks(digits):
    for asked, learned, scenario, n in EXERCISES["scenarios"].problems():
        tasks = split(digits.first(200, 50), n, scenario, n_tasks=10 // n)
        now = as_of(tasks[learned - 1], tasks[asked])
        assert list(now.active) == competing(asked, learned, scenario, n)


# --- what was not attempted ---


def untouched(a): ...


def half_way(model, x, y):
    total = [torch.zeros_like(p) for p in model.parameters()]
    for _ in range(len(x)):
        ...
    return total


def gap_in_a_sum(a):
    return a[0, 0] - ...


def gap_as_an_argument(a):
    return float(...)


def stub(a):
    raise NotImplementedError


def nothing(a):
    a[0, 0] - a[-1, 0]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("start", untouched),
        ("ewc", half_way),
        ("start", gap_in_a_sum),
        ("start", gap_as_an_argument),
        ("start", stub),
        ("start", nothing),
        ("start", lambda a: ...),
        ("start", ...),
        ("start", None),
    ],
)
def test_not_attempted_yet(exercise, answer):
    verdict = check(exercise, answer)
    assert verdict.status == "not yet"
    assert verdict.message.startswith("not attempted yet")
    assert EXERCISES[exercise].signature in verdict.message
    assert EXERCISES[exercise].ask in verdict.message


@pytest.mark.parametrize("body", ["...", "return ...", "return a[0, 0] - ...", "pass"])
def test_not_attempted_yet_without_source(body):
    names = {}
    exec(f"def lost(a):\n    {body}", names)
    assert check("start", names["lost"]).status == "not yet"


def test_dots_that_are_an_index_an_annotation_or_text_are_no_gap():
    def dotted(a) -> tuple[float, ...] | float:
        """The loss ..."""
        column = a[..., 0]  # ...
        return column[0] - column[-1]

    assert check("start", dotted).status == "right"


# --- what goes wrong in other ways ---


def test_an_exception_is_told_with_its_line():
    def broken(a):
        first = a[0, 0]
        return first - a[-1, 99]

    message = check("start", broken).message
    assert "IndexError: index 99 is out of bounds" in message
    assert "line 3 of broken, `return first - a[-1, 99]`" in message
    assert EXERCISES["start"].ask in message


def test_an_operation_that_torch_lacks_for_complex_numbers_is_no_stub():
    verdict = check("regimes", lambda h, a, b: torch.linalg.eig(h).eigenvalues.max())
    assert verdict.status == "wrong"
    assert "not implemented for" in verdict.message


def test_an_exception_further_down_is_told_with_the_line_of_the_answer():
    def helper(a):
        raise KeyError("`a`\n" + 500 * "very long ")

    def broken(a):
        return helper(a)

    verdict = check("start", broken)
    assert verdict.status == "wrong"
    assert "line 2 of broken" in verdict.message
    assert "\n" not in verdict.message
    assert len(verdict.message) < 500


@pytest.mark.parametrize("error", [SystemExit, RecursionError, StopIteration, MemoryError])
def test_whatever_is_raised_is_a_verdict(error):
    def broken(a):
        raise error

    assert error.__name__ in check("start", broken).message


def test_an_exception_that_cannot_be_shown():
    class Bad(Exception):
        def __str__(self):
            raise ValueError

    def broken(a):
        raise Bad

    assert "Bad" in check("start", broken).message


def test_ctrl_c_still_works():
    def slow(a):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("start", slow)


def test_what_is_kept_from_call_to_call_is_seen():
    total = []

    def keeps(a):
        total.append(a[0, 0] - a[-1, 0])
        return sum(total)

    assert "same call twice" in check("start", keeps).message


@pytest.mark.parametrize("dim", [2, 3])
def test_pixels_mixed_within_their_row_or_column_are_not_whole_ones_moved(dim):
    message = check("permutation", lambda images, order: images.sort(dim).values).message
    assert "These are not the numbers" in message


def test_weights_must_stay():
    def steps_too(model, x):
        importance = mas(model, x)
        with torch.no_grad():
            model.fc1.weight.add_(1)
        return importance

    assert "changes `model` itself" in check("mas", steps_too).message


# --- how it is told, and what it leaves alone ---


def test_verdicts_read_well_as_text_and_in_a_notebook():
    marks = {"right": "✓", "not yet": "·", "wrong": "✗"}
    for status, mark in marks.items():
        verdict = Verdict(status, "Well.")
        assert str(verdict) == repr(verdict) == f"{mark} Well."
        assert verdict._repr_markdown_() == f"**{mark}** Well."
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.status = "right"


def test_global_state_is_left_alone():
    """The random state is watched by the tests' own fixture."""

    def draws(a):
        torch.manual_seed(7)
        torch.set_grad_enabled(False)
        return torch.rand(())

    with torch.no_grad():
        assert check("start", draws).status == "wrong"
        assert check("ewc", fisher).status == "right"
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
