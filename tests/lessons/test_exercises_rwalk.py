"""The exercises of notebook 07: answers as students write them, and what `check` says to each."""

import torch

import cl_helpers as cl
from cl_helpers.lessons.exercises import check
from cl_helpers.methods import SI

FALL = (0.020, -0.030, 0.006, 0.0004)  # the stretches that the notebook asks about
FISHER = (0.50, 0.10, 0.02, 0.01)
MOVED = (0.20, 0.10, 0.10, 0.02)
EPSILON = 0.001


def best(score):
    """The number of the best stretch, from 1, if a stretch scores `score(ΔL, F, Δθ)`."""
    scores = [score(*stretch) for stretch in zip(FALL, FISHER, MOVED, strict=True)]
    return 1 + scores.index(max(scores))


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


def kept_credit(relu):
    class Both(SI):
        def importance_of(self, model, task):
            f, s = cl.EWC().importance_of(model, task), self.path
            s = s.clamp(min=0) if relu else s
            return f / f.max() + s / s.max()

    return Both


RIGHT = [
    ("rwalk-read", best(lambda fall, f, moved: max(fall / (f * moved**2 / 2 + EPSILON), 0))),
    ("rwalk-transfer", method(lambda f, s: f / f.max() + s / s.max())),
    ("rwalk-transfer", method(lambda f, s: sum(part.div(part.amax()) for part in (s, f)))),
    ("rwalk-transfer", WithAnEWCInside),
]

WRONG = [
    ("rwalk-read", best(lambda fall, f, moved: fall), "largest fall"),
    (
        "rwalk-read",
        best(lambda fall, f, moved: abs(fall) / (f * moved**2 / 2 + EPSILON)),
        "the loss rose",
    ),
    (
        "rwalk-read",
        best(lambda fall, f, moved: fall / (f * moved**2 / 2)),
        "ε = 0.001 is far larger",
    ),
    ("rwalk-read", best(lambda fall, f, moved: fall / moved**2), "ε = 0.001 is far larger"),
    ("rwalk-transfer", method(lambda f, s: f + s), "Not scaled"),
    ("rwalk-transfer", method(lambda f, s: (f + s) / (f + s).max()), "scaled the sum"),
    ("rwalk-transfer", method(lambda f, s: f / f.max() + s), "One of the two"),
    ("rwalk-transfer", method(lambda f, s: f + s / s.max()), "One of the two"),
    ("rwalk-transfer", method(lambda f, s: (f + s) / max(f.max(), s.max())), "the same number"),
    ("rwalk-transfer", method(lambda f, s: f / f.mean() + s / s.mean()), "sum or the mean"),
    ("rwalk-transfer", method(lambda f, s: f / f.sum() + s / s.sum()), "sum or the mean"),
    ("rwalk-transfer", method(lambda f, s: f / f.max()), "SI's part is missing"),
    ("rwalk-transfer", method(lambda f, s: s / s.max()), "EWC's part is missing"),
    ("rwalk-transfer", method(lambda f, s: 2 * f / f.max()), "counted one of the parts twice"),
    ("rwalk-transfer", method(lambda f, s: (f / f.max() + s / s.max()) / 2), "the mean of the two"),
    ("rwalk-transfer", method(lambda f, s: f / f.max() * s / s.max()), "multiplied"),
    (
        "rwalk-transfer",
        method(lambda f, s: torch.max(f / f.max(), s / s.max())),
        "larger of the two",
    ),
    ("rwalk-transfer", kept_credit(relu=False), "credit ω"),
    ("rwalk-transfer", kept_credit(relu=True), "credit ω"),
    (
        "rwalk-transfer",
        method(lambda f, s: f / f.max() + s / s.max(), fisher="true"),
        "true Fisher",
    ),
    ("rwalk-transfer", method(lambda f, s: f[:3]), "one number for each"),
    ("rwalk-transfer", method(lambda f, s: f / f.max() + s / s.max())(), "class itself"),
]


def test_what_is_not_written_yet():
    class Both(cl.SI):
        def importance_of(self, model, task):
            return ...

    assert check("rwalk-transfer", Both).status == "not yet"
    assert check("rwalk-read", ...).status == "not yet"
