"""The lines that reproduce a run of the Lab."""

from __future__ import annotations

from ..data.datasets import Dataset, data_folder, load
from ..methods import METHODS
from ..training.run import Run


def source(data: Dataset) -> str:
    """What loads `data`, as code."""
    if data.source is None:
        return "...  # your own data set"
    name, folder, n_train, n_test = data.source
    whole = load(name, folder)
    elsewhere = folder not in (None, str(data_folder().absolute()))
    where = f", {folder!r}" if elsewhere else ""
    part = (n_train, n_test) != (len(whole.train_labels), len(whole.test_labels))
    return f"cl.load({name!r}{where})" + (f".first({n_train}, {n_test})" if part else "")


def code(run: Run) -> str:
    """Python that gives `run` again: to the bit, on the same machine."""
    config = run.config
    how = config["lab"]
    kind = METHODS[config["method"]]
    knobs = ", ".join(
        f"{k}={v!r}" for k, v in config["knobs"].items() if k == "lam" or v != kind().knobs[k]
    )
    names = ("epochs", "batch_size", "lr", "optimizer", "seed", "device")
    settings = ", ".join(f"{name}={config[name]!r}" for name in names)
    lines = [
        "import cl_helpers as cl",
        "",
        f"data = {how['data']}",
        f"preset = cl.presets.PRESETS[{how['preset']!r}]",
        f"tasks = preset.tasks(data, stream={how['stream']!r}, scenario={how['scenario']!r})",
        f"method = cl.{kind.__name__}({knobs})",
        *([f"model = cl.MLP({how['model']}, dropout={how['dropout']})"] if how["model"] else []),
        f"settings = dict({settings})",
    ]
    what = "method, tasks, model" if how["model"] else "method, tasks"
    if how["lam_at"]:
        moved = ", ".join(f"{step}: {lam!r}" for step, lam in how["lam_at"])
        lines += [
            f"lam_at = {{{moved}}}  # λ, as it was moved",
            f"for event in cl.train_steps({what}, every=1, **settings):",
            "    method.lam = lam_at.get(event.step, method.lam)",
            "run = event.run",
        ]
    else:
        lines.append(f"run = cl.train({what}, **settings)")
    return "\n".join(lines)
