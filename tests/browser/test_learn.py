"""What trains in the page, in Chromium, against the package: weights, batches and float64 alike."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import cl_helpers as cl
from cl_helpers.methods import Baseline
from cl_helpers.methods.quadratic import Quadratic
from cl_helpers.models.flat import flatten
from cl_helpers.training.settings import Settings
from cl_helpers.training.step import Step

FRONT = Path(__file__).parents[2] / "front"
SIZES, N, STEPS, LR = (9, 8, 7, 4), 40, 100, 1e-2
RUN = """
([sizes, theta, tasks, name, how, lr, draws]) => {
    const net = new learn.Network(sizes, Float64Array.from(theta)), random = () => draws.shift();
    const method = new learn.METHODS[name]({ random, ...how }), g = new Float64Array(theta.length);
    for (const { x, y, batches, active } of tasks) {
        net.active = active;
        const examples = x.map((row, i) => [Float64Array.from(row), y[i]]);
        const adam = new learn.Adam(theta.length, lr);
        method.beginTask(net);
        for (const batch of batches) {
            method.loss(net, batch.map((i) => examples[i]), g);
            method.afterBackward(net, g);
            adam.step(net.theta, g);
            method.afterStep(net);
        }
        method.endTask(net, examples);
    }
    return [[...net.theta], method.omega && [...method.omega]];
}
"""


class L2(Quadratic):
    """Every weight alike, for each task."""

    label = "L2"
    lam = 1.0

    def importance_of(self, model, task):
        return torch.ones_like(flatten(model).theta)


def method_of(name, how):
    kinds = {"none": Baseline, "l2": L2, "ewc": cl.EWC, "mas": cl.MAS, "si": cl.SI, "er": cl.ER}
    method = kinds[name]()
    for knob, value in how.items():
        setattr(method, knob, value)
    if name in ("ewc", "mas"):
        method.n_samples = None
    return method


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    esbuild = FRONT / "node_modules" / ".bin" / "esbuild"
    if not (esbuild.exists() and shutil.which("node")):
        pytest.skip("needs esbuild: make front")
    out = tmp_path_factory.mktemp("learn") / "learn.js"
    entry = out.with_name("entry.js")
    names = ("network", "adam", "random", "methods/index")
    entry.write_text("".join(f'export * from "{FRONT}/core/learn/{n}.js";\n' for n in names))
    how = ["--bundle", "--format=iife", "--global-name=learn", f"--outfile={out}"]
    subprocess.run([esbuild, entry, *how], check=True, capture_output=True)
    page = browser.new_page()
    page.add_script_tag(path=out)
    yield page
    page.close()


@pytest.fixture(scope="module")
def given():
    """Two tasks, their batches, and initial weights."""
    generator = np.random.default_rng(3)
    tasks = []
    for _ in range(2):
        x = generator.normal(size=(N, SIZES[0]))
        y = generator.integers(SIZES[-1], size=N)
        y[: SIZES[-1]] = range(SIZES[-1])
        batches = [generator.permutation(N)[:10].tolist() for _ in range(STEPS)]
        given = {"x": x.tolist(), "y": y.tolist(), "batches": batches, "active": SIZES[-1]}
        tasks.append(given)
    model = cl.MLP(SIZES, seed=4).double()
    return tasks, flatten(model).theta.clone()


@pytest.fixture(scope="module")
def split(given):
    """The same inputs; each task has two labels, which compete with those before."""
    tasks, theta = given
    two = [
        given | {"y": (np.array(given["y"]) % 2 + 2 * t).tolist(), "active": 2 * t + 2}
        for t, given in enumerate(tasks)
    ]
    return two, theta


def draws(n, seed=0):
    """Of the package's generator."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, generator=generator, dtype=torch.double).tolist()


def in_python(name, how, tasks, theta):
    model = cl.MLP(SIZES, seed=4).double()
    flat = flatten(model)
    flat.theta.copy_(theta)
    method = method_of(name, how)
    method.rng = torch.Generator().manual_seed(0)
    settings = Settings.of({"lr": LR, "batch_size": 10, "optimizer": "adam"})
    for t, given in enumerate(tasks):
        x, y = torch.tensor(given["x"], dtype=torch.double), torch.tensor(given["y"])
        data = replace(cl.Dataset.from_tensors(x, y, x, y), train_images=x)  # float64 again
        task = cl.Task.from_dataset(data, f"task {t}")
        if given["active"] < SIZES[-1]:
            active = tuple(range(given["active"]))
            task = replace(task, scenario="class", active=active, classes=active[-2:])
        method.begin_task(model, task)
        step = Step(method, model, task, settings, t, {})
        for batch in given["batches"]:
            method.begin_step(model)
            step(torch.tensor(batch))
        method.end_task(model, task)
    return flat.theta.numpy().copy(), getattr(method, "omega", None)


@pytest.mark.parametrize("stream", ["given", "split"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("none", {}),
        ("l2", {"lam": 0.1}),
        ("ewc", {"lam": 20}),
        ("mas", {"lam": 0.5}),
        ("si", {"lam": 1}),
        ("er", {"memory": 10}),  # of which a batch of 10 takes all: no draw but the reservoir's
    ],
)
def test_after_two_tasks_weights_and_importance_are_those_of_the_package(
    page, request, stream, name, how
):
    tasks, theta = request.getfixturevalue(stream)
    expected, omega = in_python(name, how, tasks, theta)
    n_draws = 2 * STEPS * 10
    got, mine = page.evaluate(RUN, [SIZES, theta.tolist(), tasks, name, how, LR, draws(n_draws)])
    scale = np.abs(expected).max()
    assert np.abs(np.array(got) - expected).max() < 1e-4 * scale
    if omega is not None:
        assert np.abs(np.array(mine) - omega.numpy()).max() < 1e-4 * float(omega.abs().max())


def test_lam_zero_is_none_to_the_bit(page, given):
    tasks, theta = given
    none, _ = page.evaluate(RUN, [SIZES, theta.tolist(), tasks, "none", {}, LR, []])
    for name in ("l2", "ewc", "mas", "si"):
        how = [SIZES, theta.tolist(), tasks, name, {"lam": 0}, LR, []]
        assert page.evaluate(RUN, how)[0] == none


def test_a_sample_takes_each_at_most_once_and_all_alike(page):
    """The share of each item in many samples of 3 of 10: 0.3, within four standard deviations."""
    counts, twice = page.evaluate(
        """(n) => {
            const random = learn.uniform(5), counts = Array(10).fill(0);
            let twice = 0;
            for (let k = 0; k < n; k++) {
                const taken = learn.sample([...counts.keys()], 3, random);
                if (new Set(taken).size < 3) twice++;
                for (const item of taken) counts[item]++;
            }
            return [counts, twice];
        }""",
        4000,
    )
    assert twice == 0
    assert sum(counts) == 12_000
    np.testing.assert_allclose(counts, 1200, atol=4 * np.sqrt(4000 * 0.3 * 0.7))


def test_the_memory_stays_a_uniform_sample_and_in_its_bounds(page):
    """800 examples come by; each of the first and of the last half is kept as often."""
    early, late, most = page.evaluate(
        """(n) => {
            const random = learn.uniform(7);
            let early = 0, late = 0, most = 0;
            for (let k = 0; k < n; k++) {
                const method = new learn.METHODS.er({ memory: 20, random });
                for (let i = 0; i < 800; i += 8) {
                    method.batch = Array.from({ length: 8 }, (_, j) => i + j);
                    method.afterStep();
                }
                early += method.stored.filter((i) => i < 400).length;
                late += method.stored.filter((i) => i >= 400).length;
                most = Math.max(most, method.stored.length);
            }
            return [early, late, most];
        }""",
        200,
    )
    assert most == 20
    assert early + late == 4000
    assert abs(early - late) < 4 * np.sqrt(4000)


def test_gradients_are_finite_differences(page, given):
    tasks, theta = given
    got, differences = page.evaluate(
        """([sizes, theta, x, y]) => {
            const batch = x.map((row, i) => [Float64Array.from(row), y[i]]);
            const net = new learn.Network(sizes, Float64Array.from(theta)), h = 1e-6;
            const g = new Float64Array(theta.length), other = new Float64Array(theta.length);
            net.loss(batch, g);
            return [[...g], theta.map((v, i) => {
                const at = (d) => { net.theta[i] = v + d; return net.loss(batch, other); };
                const slope = (at(h) - at(-h)) / (2 * h);
                net.theta[i] = v;
                return slope;
            })];
        }""",
        [SIZES, theta.tolist(), tasks[0]["x"], tasks[0]["y"]],
    )
    np.testing.assert_allclose(got, differences, atol=1e-8)
