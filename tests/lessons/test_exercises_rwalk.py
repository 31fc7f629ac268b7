"""The exercises of notebook 07: answers as students write them, and what `check` says to each."""

import re

import pytest
import torch

import cl_helpers as cl
from cl_helpers.lessons.exercises import EXERCISES
from cl_helpers.methods import SI

FALL = (0.020, -0.030, 0.006, 0.0004)  # the stretches that the notebook asks about
FISHER = (0.50, 0.10, 0.02, 0.01)
MOVED = (0.20, 0.10, 0.10, 0.02)
EPSILON = 0.001


def status_and_message(exercise, answer):
    verdict = cl.check(exercise, answer)
    return verdict.status, verdict.message


def best(score):
    """The number of the best stretch, from 1, if a stretch scores `score(ΔL, F, Δθ)`."""
    scores = [score(*stretch) for stretch in zip(FALL, FISHER, MOVED, strict=True)]
    return 1 + scores.index(max(scores))


def test_the_stretch_that_adds_most_is_the_right_answer():
    answer = best(lambda fall, f, moved: max(fall / (f * moved**2 / 2 + EPSILON), 0))
    assert cl.check("rwalk-read", answer).status == "right"


MISREAD = [
    (lambda fall, f, moved: fall, "largest fall"),
    (lambda fall, f, moved: abs(fall) / (f * moved**2 / 2 + EPSILON), "the loss rose"),
    (lambda fall, f, moved: fall / (f * moved**2 / 2), "ε = 0.001 is far larger"),
    (lambda fall, f, moved: fall / moved**2, "ε = 0.001 is far larger"),
]


@pytest.mark.parametrize(("score", "said"), MISREAD)
def test_a_misread_stretch_is_named(score, said):
    status, message = status_and_message("rwalk-read", best(score))
    assert status == "wrong"
    assert re.search(said, message), message


# --- transfer: EWC's importance and SI's in one class ---


def method(join, **fisher):
    """A student's class; `join` gets EWC's importance and SI's."""

    class Both(cl.SI):
        def importance_of(self, model, task):
            f = cl.EWC(**fisher).importance_of(model, task)
            return join(f, super().importance_of(model, task))

    return Both


class WithAnEWCInside(cl.methods.PathIntegral):
    """SI is inside instead of above; the path is kept by hand."""

    lam = 1.0
    label = "joined"

    def begin_task(self, model, task):
        super().begin_task(model, task)
        self.total = 0

    def accumulate(self, g, step):
        self.total = self.total - g * step

    def importance_of(self, model, task):
        f = cl.EWC(n_samples=None).importance_of(model, task)
        s = self.total / ((self.theta_before - self.theta_start) ** 2 + 0.001)
        s[s < 0] = 0
        return f / max(f) + s / max(s)


JOINED = [
    method(lambda f, s: f / f.max() + s / s.max()),
    method(lambda f, s: sum(part.div(part.amax()) for part in (s, f))),
    WithAnEWCInside,
]


@pytest.mark.parametrize("answer", JOINED)
def test_the_two_joined(answer):
    assert cl.check("rwalk-transfer", answer).status == "right"


def kept_credit(relu):
    class Both(SI):
        def importance_of(self, model, task):
            f, s = cl.EWC().importance_of(model, task), self.path
            s = s.clamp(min=0) if relu else s
            return f / f.max() + s / s.max()

    return Both


JOINED_WRONG = [
    (method(lambda f, s: f + s), "Not scaled"),
    (method(lambda f, s: (f + s) / (f + s).max()), "scaled the sum"),
    (method(lambda f, s: f / f.max() + s), "One of the two"),
    (method(lambda f, s: f + s / s.max()), "One of the two"),
    (method(lambda f, s: (f + s) / max(f.max(), s.max())), "the same number"),
    (method(lambda f, s: f / f.mean() + s / s.mean()), "sum or the mean"),
    (method(lambda f, s: f / f.sum() + s / s.sum()), "sum or the mean"),
    (method(lambda f, s: f / f.max()), "SI's part is missing"),
    (method(lambda f, s: s / s.max()), "EWC's part is missing"),
    (method(lambda f, s: 2 * f / f.max()), "counted one of the parts twice"),
    (method(lambda f, s: (f / f.max() + s / s.max()) / 2), "the mean of the two"),
    (method(lambda f, s: f / f.max() * s / s.max()), "multiplied"),
    (method(lambda f, s: torch.max(f / f.max(), s / s.max())), "larger of the two"),
    (kept_credit(relu=False), "credit ω"),
    (kept_credit(relu=True), "credit ω"),
    (method(lambda f, s: f / f.max() + s / s.max(), fisher="true"), "true Fisher"),
    (method(lambda f, s: f[:3]), "one number for each"),
    (method(lambda f, s: f / f.max() + s / s.max())(), "class itself"),
]


@pytest.mark.parametrize(("answer", "said"), JOINED_WRONG)
@pytest.mark.filterwarnings("ignore:importance_of of Both")
def test_a_mistake_in_the_join_is_named(answer, said):
    status, message = status_and_message("rwalk-transfer", answer)
    assert status == "wrong"
    assert re.search(said, message), message


def test_what_is_not_written_yet():
    class Both(cl.SI):
        def importance_of(self, model, task):
            return ...

    assert status_and_message("rwalk-transfer", Both)[0] == "not yet"
    assert status_and_message("rwalk-read", ...)[0] == "not yet"


# What test_exercise_kinds.py reads.
RIGHT = [
    ("rwalk-read", EXERCISES["rwalk-read"].right),
    *(("rwalk-transfer", answer) for answer in JOINED),
]
WRONG = [
    *(("rwalk-read", best(score), said) for score, said in MISREAD),
    *(("rwalk-transfer", answer, said) for answer, said in JOINED_WRONG),
]
