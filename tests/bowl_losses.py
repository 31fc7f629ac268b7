"""The losses and penalties of `cl.bowls`, each from what it is said to be."""

import numpy as np

from cl_helpers.lessons.bowls import Bowl

A = Bowl((-1.1, -0.6), curvature=12, degrees=25)
B = Bowl((1.3, 0.4), curvature=7, degrees=120)


def loss(bowl, theta):
    """Turned into the bowl's own axes, and there by hand."""
    turn, root = np.radians(bowl.degrees), bowl.curvature**0.5
    x, y = np.subtract(theta, bowl.optimum)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return (along**2 / root + across**2 * root) / 2


def penalty_of(a, penalty, theta):
    """The same, from what each penalty is said to remember."""
    x, y = np.subtract(theta, a.optimum)
    if penalty == "diagonal":
        ex, ey = (second_derivatives(a)[i, i] for i in (0, 1))
        return (ex * x**2 + ey * y**2) / 2
    return {"none": 0.0, "L2": (x**2 + y**2) / 2, "exact": loss(a, theta)}[penalty]


def total(a, penalty, lam, b=B):
    return lambda theta: loss(b, theta) + lam * penalty_of(a, penalty, theta)


def second_derivatives(bowl, h=1e-3):
    """By differences of the loss, anywhere: it is quadratic."""
    at, steps = np.array([0.3, -0.2]), h * np.eye(2)
    return np.array(
        [
            [
                sum(i * j * loss(bowl, at + i * u + j * v) for i in (1, -1) for j in (1, -1))
                / (4 * h**2)
                for u in steps
            ]
            for v in steps
        ]
    )
