"""What students give to the exercises of EWC and MAS, and what `check` says."""

import torch
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.lessons.exercises import EXERCISES, on_ewc, on_mas


def first_ten(view):
    return view.batch(torch.arange(10))


# --- EWC with a memory ---


class InLoss(cl.EWC):
    """A list of batches, and `loss` in place of `task_loss`."""

    def begin_task(self, model, task):
        super().begin_task(model, task)
        self.old = getattr(self, "old", [])

    def loss(self, model, x, y):
        loss = super().loss(model, x, y)
        if not self.old:
            return loss
        x, y = (torch.cat(v) for v in zip(*self.old, strict=True))
        return loss + F.cross_entropy(model(x), y)

    def end_task(self, model, task):
        super().end_task(model, task)
        self.old = [*self.old, first_ten(task.train)]


class Keeps(cl.EWC):
    """The right memory, for mistakes elsewhere."""

    def end_task(self, model, task):
        new = first_ten(task.train)
        old = (self.x, self.y) if self.tasks_held else (new[0][:0], new[1][:0])
        self.x, self.y = (torch.cat(pair) for pair in zip(old, new, strict=True))
        super().end_task(model, task)

    def task_loss(self, model, x, y):
        loss = super().task_loss(model, x, y)
        return loss + super().task_loss(model, self.x, self.y) if self.tasks_held else loss


class InNoGrad(Keeps):
    def task_loss(self, model, x, y):
        loss = cl.EWC.task_loss(self, model, x, y)
        return loss + super().task_loss(model, x, y).item() if self.tasks_held else loss


class Overwrites(Keeps):
    def end_task(self, model, task):
        super().end_task(model, task)
        self.x, self.y = first_ten(task.train)


class Leaks(cl.EWC):
    x, y = torch.empty(0, 6), torch.empty(0).long()

    def end_task(self, model, task):
        super().end_task(model, task)
        x, y = first_ten(task.test)
        self.x, self.y = torch.cat([self.x, x]), torch.cat([self.y, y])

    def task_loss(self, model, x, y):
        loss = super().task_loss(model, x, y)
        return loss + super().task_loss(model, self.x, self.y) if len(self.x) else loss


class TooEarly(cl.EWC):
    def begin_task(self, model, task):
        super().begin_task(model, task)
        self.x, self.y = first_ten(task.train)

    def task_loss(self, model, x, y):
        loss = super().task_loss(model, x, y)
        return loss + super().task_loss(model, self.x, self.y) if self.tasks_held else loss


class Together(Keeps):
    def task_loss(self, model, x, y):
        if self.tasks_held:
            x, y = torch.cat([x, self.x]), torch.cat([y, self.y])
        return F.cross_entropy(model(x), y)


class MeanByMean(Keeps):
    def task_loss(self, model, x, y):
        loss = F.cross_entropy(model(x), y)
        for old in range(self.tasks_held):
            ten = slice(10 * old, 10 * old + 10)
            loss = loss + F.cross_entropy(model(self.x[ten]), self.y[ten])
        return loss


class Half(Keeps):
    def task_loss(self, model, x, y):
        loss = F.cross_entropy(model(x), y)
        return (loss + F.cross_entropy(model(self.x), self.y)) / 2 if self.tasks_held else loss


class OldOnly(Keeps):
    def task_loss(self, model, x, y):
        if self.tasks_held:
            return F.cross_entropy(model(self.x), self.y)
        return F.cross_entropy(model(x), y)


class LosesPenalty(Keeps):
    task_loss = cl.EWC.task_loss

    def loss(self, model, x, y):
        loss = F.cross_entropy(model(x), y)
        return loss + F.cross_entropy(model(self.x), self.y) if self.tasks_held else loss


class TwoPenalties(Keeps):
    task_loss = cl.EWC.task_loss

    def loss(self, model, x, y):
        loss = super().loss(model, x, y)
        return loss + super().loss(model, self.x, self.y) if self.tasks_held else loss


class AfterSuper(Keeps):
    def end_task(self, model, task):
        cl.EWC.end_task(self, model, task)
        x, y = first_ten(task.train)
        if self.tasks_held:
            x, y = torch.cat([self.x, x]), torch.cat([self.y, y])
        self.x, self.y = x, y


class DrawsAtRandom(Keeps):
    seeds = iter(range(1000))

    def end_task(self, model, task):
        super().end_task(model, task)
        rng = torch.Generator().manual_seed(next(self.seeds))
        x, y = task.train.batch(torch.randperm(len(task.train), generator=rng)[:10])
        self.x, self.y = torch.cat([self.x[:-10], x]), torch.cat([self.y[:-10], y])


def test_the_oracle_is_sgd_on_two_losses_and_the_penalty():
    """The weights after two tasks, by a loop of its own over the same batches."""
    seen = []

    class Watched(on_ewc.Replayed):
        def begin_task(self, model, task):
            super().begin_task(model, task)
            seen.append((task, [p.detach().clone() for p in model.parameters()], []))

        def task_loss(self, model, x, y):
            if len(x) == 8 and model.training:
                seen[-1][2].append((x, y))
            return super().task_loss(model, x, y)

    method, tasks = Watched(lam=20.0), on_ewc._tasks(2, seed=1)
    model = cl.MLP((6, 5, 3), seed=1)
    how = {"epochs": 2, "batch_size": 8, "lr": 0.1, "optimizer": "sgd", "device": "cpu"}
    cl.train(method, tasks, model, progress=False, **how)

    _, start, batches = seen[1]
    x_old, y_old = first_ten(seen[0][0].train)
    ours = cl.MLP((6, 5, 3))
    with torch.no_grad():
        for p, value in zip(ours.parameters(), start, strict=True):
            p.copy_(value)
    fisher = [torch.zeros_like(p) for p in start]
    for x, y in zip(*seen[0][0].train.batch(torch.arange(24)), strict=True):
        grads = torch.autograd.grad(-F.cross_entropy(ours(x[None]), y[None]), [*ours.parameters()])
        fisher = [f + g**2 / 24 for f, g in zip(fisher, grads, strict=True)]
    for x, y in batches[-6:]:
        loss = F.cross_entropy(ours(x), y) + F.cross_entropy(ours(x_old), y_old)
        grads = torch.autograd.grad(loss, [*ours.parameters()])
        with torch.no_grad():
            for p, g, f, s in zip(ours.parameters(), grads, fisher, start, strict=True):
                p.sub_(0.1 * (g + 20 * f * (p - s)))
    for p, q in zip(model.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


# --- what EWC lets go and MAS holds ---


def last(model):
    return model.fc2.weight, model.fc2.bias


def much_surer(model):
    for p in last(model):
        p.data = p.data * 30


def new_model(model):
    twin = cl.MLP((6, 5, 3)).double()
    twin.load_state_dict(model.state_dict())
    much_surer(twin)
    return twin


def by(factor, *, weight=True, bias=True):
    def change(model):
        w, b = last(model)
        w.data *= factor if weight else 1
        b.data *= factor if bias else 1

    return change


def shifted(model):
    model.fc2.bias.data += 7


def local_only(model):
    weight, _ = last(model)
    weight = weight * 20


def without_no_grad(model):
    weight, _ = last(model)
    weight *= 20


def reversed_classes(model):
    for p in last(model):
        p.data = -20 * p.data


def test_how_much_of_ewc_may_be_left():
    assert on_mas.ENOUGH == 0.01


# --- what is read off ---


def test_the_numbers_that_are_read_give_these_answers():
    """The gradients in the text of lesson 05."""
    g = torch.tensor([[3, -3, 3, -3], [2, 2, 2, 2], [0, 0, 8, 0], [0, 0, 0, 0.0]])
    assert g.abs().mean(1).argmax() + 1 == EXERCISES["mas-read"].right == 1
    assert g.mean(1).abs()[1] > g.mean(1).abs()[0]
    assert g.square().mean(1).argmax() + 1 == 3


RIGHT = [
    ("ewc-read", 2),
    ("ewc-transfer", InLoss),
    ("ewc-transfer", Keeps),
    ("mas-read", 1),
    ("mas-transfer", much_surer),
    ("mas-transfer", new_model),
    ("mas-transfer", by(1000)),
]

WRONG = [
    ("ewc-read", 1, "forgets most"),
    ("ewc-read", 3, "best average accuracy"),
    ("ewc-transfer", cl.EWC, "EWC alone"),
    ("ewc-transfer", InNoGrad, "EWC alone"),
    ("ewc-transfer", Overwrites, "the last task alone"),
    ("ewc-transfer", Leaks, "test set"),
    ("ewc-transfer", TooEarly, "examples of the new task"),
    ("ewc-transfer", Together, "one mean over batch"),
    ("ewc-transfer", MeanByMean, "one mean for each old task"),
    ("ewc-transfer", Half, "count half"),
    ("ewc-transfer", OldOnly, "batch is missing"),
    ("ewc-transfer", LosesPenalty, "penalty is lost"),
    ("ewc-transfer", TwoPenalties, "counted twice"),
    ("ewc-transfer", AfterSuper, "not stored yet"),
    ("ewc-transfer", DrawsAtRandom, "FIRST 10"),
    ("ewc-transfer", cl.ER, "Derive your class from EWC"),
    ("ewc-transfer", cl.EWC(), "class itself"),
    ("mas-read", 2, "largest mean gradient"),
    ("mas-read", 3, "largest mean square"),
    ("mas-read", 4, "does not move"),
    ("mas-transfer", local_only, "The logits are what they were"),
    ("mas-transfer", lambda model: None, "The logits are what they were"),
    ("mas-transfer", without_no_grad, "no_grad"),
    ("mas-transfer", shifted, "same number to all logits"),
    ("mas-transfer", by(0.05), "less sure"),
    ("mas-transfer", by(1.5), "Go further"),
    ("mas-transfer", by(50, bias=False), "last bias is as it was"),
    ("mas-transfer", by(0, bias=False), "last bias is as it was"),
    ("mas-transfer", reversed_classes, "predictions have changed"),
    ("mas-transfer", by(1e308), "infinite or NaN"),
    ("mas-transfer", lambda model: model * 20, "TypeError"),
]
