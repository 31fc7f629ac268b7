"""The rise of a loss, against F written out as a matrix and losses by hand."""

import numpy as np
import torch
from bowl_losses import loss
from toys import mlp, random_, random_task

import cl_helpers as cl
from cl_helpers.lessons import bowls
from cl_helpers.lessons.bowls import Bowl


def fisher_matrix(model, x):
    """F (P, P): mean over inputs, expectation over labels, of g gᵀ with the gradient g of log p."""
    total = 0
    for x_n in x:
        log_p = model(x_n[None])[0].log_softmax(0)
        for one in log_p:
            g = torch.autograd.grad(one, list(model.parameters()), retain_graph=True)
            g = torch.cat([part.flatten() for part in g])
            total = total + one.exp().detach() * torch.outer(g, g)
    return total / len(x)


def test_all_of_f_its_diagonal_and_the_loss_itself():
    task = random_task(12)
    before, after = random_(mlp(), seed=1), random_(mlp(), seed=2, scale=0.7)
    theta, moved = (torch.cat([p.flatten() for p in m.parameters()]) for m in (before, after))
    delta = (moved - theta).detach()
    f = fisher_matrix(before, task.train.x)
    losses = [
        -m(task.train.x).log_softmax(1)[range(12), task.train.y].mean() for m in (before, after)
    ]
    row = cl.laplace.rises(before, after, task).loc["rise of L_A"]
    expected = [losses[1] - losses[0], delta @ f @ delta / 2, (f.diag() * delta**2).sum() / 2]
    torch.testing.assert_close(torch.tensor([*row]).double(), torch.stack(expected).detach())
    assert [*row.index] == ["measured", "all of F", "diagonal of F"]


def test_of_all_of_f_there_is_a_gradient():
    model, x = random_(mlp()), random_task(5).train.x
    delta = {n: p.detach().cos().requires_grad_() for n, p in model.named_parameters()}
    flat = torch.cat([d.flatten() for d in delta.values()]).detach()
    grads = torch.autograd.grad(cl.laplace.whole(model, x, delta), [*delta.values()])
    by_hand = 2 * fisher_matrix(model, x) @ flat
    torch.testing.assert_close(torch.cat([g.flatten() for g in grads]), by_hand)


def test_the_best_lambdas_that_lesson_04_states():
    """By brute force over λ: the diagonal can see too much as well as too little."""
    b = Bowl((1.1, 0.6), curvature=12, degrees=120)
    lams = np.linspace(0, 2, 2001)
    for degrees, stated in {15: 0.11, 30: 0, 45: 0.29, 60: 0.39, 120: 1.8}.items():
        a = Bowl((-1.1, -0.6), curvature=12, degrees=degrees)
        for penalty, best in {"diagonal": stated, "exact": 1}.items():
            ends = [bowls.end(a, b, penalty, lam) for lam in lams]
            losses = [loss(a, end) + loss(b, end) for end in ends]
            assert abs(lams[np.argmin(losses)] - best) < 0.02
