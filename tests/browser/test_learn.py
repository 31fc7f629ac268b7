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
([sizes, theta, tasks, name, lam, lr]) => {
    const net = new learn.Network(sizes, Float64Array.from(theta));
    const method = new learn.METHODS[name](lam), g = new Float64Array(theta.length);
    for (const { x, y, batches } of tasks) {
        const examples = x.map((row, i) => [Float64Array.from(row), y[i]]);
        const adam = new learn.Adam(theta.length, lr);
        method.beginTask(net);
        for (const batch of batches) {
            net.loss(batch.map((i) => examples[i]), g);
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


def method_of(name, lam):
    kinds = {"none": Baseline, "l2": L2, "ewc": cl.EWC, "mas": cl.MAS, "si": cl.SI}
    method = kinds[name]()
    if name != "none":
        method.lam = lam
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
    names = ("network", "adam", "methods")
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
        batches = [generator.permutation(N)[:10].tolist() for _ in range(STEPS)]
        tasks.append({"x": x.tolist(), "y": y.tolist(), "batches": batches})
    model = cl.MLP(SIZES, seed=4).double()
    return tasks, flatten(model).theta.clone()


def in_python(name, lam, tasks, theta):
    model = cl.MLP(SIZES, seed=4).double()
    flat = flatten(model)
    flat.theta.copy_(theta)
    method = method_of(name, lam)
    method.rng = torch.Generator().manual_seed(0)
    settings = Settings.of({"lr": LR, "batch_size": 10, "optimizer": "adam"})
    for t, given in enumerate(tasks):
        x, y = torch.tensor(given["x"], dtype=torch.double), torch.tensor(given["y"])
        data = replace(cl.Dataset.from_tensors(x, y, x, y), train_images=x)  # float64 again
        task = cl.Task.from_dataset(data, f"task {t}")
        method.begin_task(model, task)
        step = Step(method, model, task, settings, t, {})
        for batch in given["batches"]:
            method.begin_step(model)
            step(torch.tensor(batch))
        method.end_task(model, task)
    return flat.theta.numpy().copy(), getattr(method, "omega", None)


@pytest.mark.parametrize(
    ("name", "lam"), [("none", 0), ("l2", 0.1), ("ewc", 20), ("mas", 0.5), ("si", 1)]
)
def test_after_two_tasks_weights_and_importance_are_those_of_the_package(page, given, name, lam):
    tasks, theta = given
    expected, omega = in_python(name, lam, tasks, theta)
    got, mine = page.evaluate(RUN, [SIZES, theta.tolist(), tasks, name, lam, LR])
    scale = np.abs(expected).max()
    assert np.abs(np.array(got) - expected).max() < 1e-4 * scale
    if omega is not None:
        assert np.abs(np.array(mine) - omega.numpy()).max() < 1e-4 * float(omega.abs().max())


def test_lam_zero_is_none_to_the_bit(page, given):
    tasks, theta = given
    none, _ = page.evaluate(RUN, [SIZES, theta.tolist(), tasks, "none", 0, LR])
    for name in ("l2", "ewc", "mas", "si"):
        assert page.evaluate(RUN, [SIZES, theta.tolist(), tasks, name, 0, LR])[0] == none


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
