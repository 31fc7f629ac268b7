"""A real JupyterLab, driven through a real browser as a student would use it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import cleandoc
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import psutil
from playwright.sync_api import Browser, Locator, Page

PATIENCE = 300.0  # seconds to wait for what must come, however busy the machine is

ARTEFACTS = Path(__file__).parent / "artefacts"

# No question about news, no check for updates: either would lie over the notebook.
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}

# What every script below calls the notebook, its kernel and its cells.
_PRELUDE = """
    const app = window.jupyterapp;
    const panel = app?.shell.currentWidget;
    const context = panel?.context, session = panel?.sessionContext;
    const kernel = session?.session?.kernel, cells = panel?.content?.widgets ?? [];
"""

_METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def _of_cells(sources: Sequence[str]) -> nbformat.NotebookNode:
    """A notebook of code cells; the same places have the same ids."""
    cells = [nbformat.v4.new_code_cell(cleandoc(s), id=f"cell-{i}") for i, s in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells, metadata=_METADATA)


class Server:
    """`jupyter lab` on a free port of this machine, with empty settings; `end` ends it.

    Args:
        folder: an empty one. `folder / "root"` is what JupyterLab shows.
        threads: of a kernel that trains; None leaves it to torch.
    """

    def __init__(self, folder: Path, threads: int | None = 1):
        self.root = folder / "root"
        self.log = folder / "jupyter.log"
        settings = folder / "config" / "labconfig" / "default_setting_overrides.json"
        for path in (self.root, settings.parent, folder / "runtime"):
            path.mkdir(parents=True)
        settings.write_text(json.dumps(_SETTINGS))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._token = secrets.token_hex(16)
        self._address = f"http://127.0.0.1:{port}"
        # Nobody's settings; but the data, if they were once downloaded.
        own = {
            "HOME": folder,
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"),
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
            "IPYTHONDIR": folder / "ipython",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CL_PRESET": "quick",
        }
        if threads:  # the browser works too
            own["OMP_NUM_THREADS"] = str(threads)
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.root,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": self._token,
            "LabApp.expose_app_in_browser": True,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser"]
                + [f"--{k}={v}" for k, v in options.items()],
                cwd=self.root,
                env=os.environ | {k: str(v) for k, v in own.items()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then calls `end`
            )

    def url(self, path: str) -> str:
        return f"{self._address}/{path}?token={self._token}"

    def wait_until_ready(self, timeout: float = PATIENCE) -> None:
        """Raises RuntimeError, with the log, if it does not answer in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url("api/status"), timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"jupyter lab does not answer:\n{self.log.read_text()}")

    def end(self) -> None:
        """Ends the server and every kernel it has started."""
        alive = []
        if self._process.poll() is None:
            alive = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        try:
            self._process.wait(10)  # it asks its kernels to end
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, alive = psutil.wait_procs(alive, timeout=2)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class Answer(NamedTuple):
    """What the kernel printed, and the seconds from question to reply."""

    text: str
    seconds: float


class Picture(NamedTuple):
    """What an <img> shows, and what it says to those who do not see it ("" if nothing)."""

    png: bytes
    alt: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.png).hexdigest()


class Notebook:
    """A notebook that is open in JupyterLab; cells are counted from 0, Markdown included.

    Args:
        source: a notebook's path, which is copied unless it is the server's already, or the sources
            of its code cells.
    """

    def __init__(self, browser: Browser, server: Server, source: Path | Sequence[str]):
        stem = source.stem if isinstance(source, Path) else "probe"
        self.path = server.root / f"{stem}-{secrets.token_hex(3)}.ipynb"
        if isinstance(source, Path) and source.is_relative_to(server.root):
            self.path = source
        elif isinstance(source, Path):
            shutil.copy(source, self.path)
        else:
            nbformat.write(_of_cells(source), self.path)
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        self._address = server.url(
            f"lab/workspaces/{secrets.token_hex(3)}/tree/{self.path.relative_to(server.root)}"
        )
        self.open(page)

    def open(self, page: Page) -> None:
        """Open it in `page`, which may be another tab."""
        self.page = page
        self.page.on("dialog", lambda dialog: dialog.accept())  # leave the page? yes
        self.page.goto(self._address)
        self._wait_for_kernel()

    def write(self, source: Sequence[str]) -> None:
        """Other code cells in the place of those that are there; the kernel goes on."""
        self._script("context.model.fromJSON(content)", content=_of_cells(source))

    def close(self) -> None:
        self._script("await session?.shutdown()")
        self.page.context.close()

    # ---- the notebook

    def run_all(self, timeout: float = PATIENCE) -> None:
        """Run All, until it has ended and every code cell has its number or one has failed.

        Raises:
            TimeoutError: that took longer than `timeout` seconds.
        """
        self._script(
            """
            for (const cell of cells)
                if (cell.model.type === "code") cell.model.executionCount = null;
            panel.isRunning = true;
            app.commands.execute("notebook:run-all-cells").finally(() => panel.isRunning = false);
            """
        )
        try:
            self.wait_until(lambda: not self._script("return panel.isRunning"), timeout)
            self.wait_until(lambda: self.errors() or not self._not_run(), 5)
        except TimeoutError:
            raise TimeoutError(f"not run after {timeout} s: cells {self._not_run()}") from None

    def run_cell(self, i: int, *, wait: bool = True, timeout: float = PATIENCE) -> None:
        """Run cell `i`; without `wait`, return while it runs."""
        self._script(
            """
            panel.content.deselectAll();
            panel.content.activeCellIndex = i;
            cells[i].model.executionCount = null;
            const run = app.commands.execute("notebook:run-cell");
            if (wait) await run;
            """,
            timeout,
            i=i,
            wait=wait,
        )

    def errors(self) -> list[str]:
        """Every error output, as "name: value"."""
        found = [o for i in range(self._n_cells()) for o in self.outputs(i)]
        return [f"{o['ename']}: {o['evalue']}" for o in found if o["output_type"] == "error"]

    def cell_that_says(self, words: str) -> int:
        """The code cell in whose source these words are; there must be exactly one."""
        cells = nbformat.read(self.path, as_version=4).cells
        [i] = [i for i, c in enumerate(cells) if c.cell_type == "code" and words in c.source]
        return i

    def outputs(self, i: int) -> list[dict[str, Any]]:
        """Cell `i`'s outputs, as nbformat has them."""
        return self._script("return cells[i].model.outputs?.toJSON() ?? []", i=i)

    def save(self) -> nbformat.NotebookNode:
        """Save it, and what is in the file then."""
        self._script("await context.save()")
        return nbformat.read(self.path, as_version=4)

    def reload(self) -> None:
        """Reload the page, unsaved changes lost."""
        self.page.reload()
        self._wait_for_kernel()

    def screenshot(self, name: str, *, cell: int | None = None) -> Path:
        """A picture of the page, or of one cell, in artefacts/."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        (self.page if cell is None else self.cell(cell)).screenshot(path=path)
        return path

    # ---- its kernel

    def restart_kernel(self) -> None:
        self._script("await session.restartKernel()")
        self._wait_for_kernel()

    def interrupt_kernel(self) -> None:
        self._script("await kernel.interrupt()")

    def shut_down_kernel(self) -> None:
        self._script("await session.shutdown()")

    def ask(self, code: str, timeout: float = PATIENCE) -> Answer:
        """Run `code` in the kernel behind the notebook's back; it waits for a cell that runs.

        A kernel drops what comes right behind an error or an interrupt: then it is asked again.

        Raises:
            RuntimeError: it failed.
        """
        text, seconds, reply = self._script(
            """
            for (;;) {
                const start = performance.now();
                const future = kernel.requestExecute({code, store_history: false});
                let text = "";
                future.onIOPub = m => {
                    if (m.header.msg_type === "stream") text += m.content.text;
                };
                const reply = (await future.done).content;
                if (reply.status !== "aborted")
                    return [text, (performance.now() - start) / 1000, reply];
            }
            """,
            timeout,
            code=code,
        )
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply['ename']}: {reply['evalue']}")
        return Answer(text, seconds)

    # ---- what is seen

    def cell(self, i: int) -> Locator:
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{i}"]')

    def widget(self, role: Any, name: str) -> Locator:
        """The widget that a screen reader would call `name`, a `role` of ARIA."""
        return self.page.get_by_role(role, name=name, exact=True)

    def press(self, name: str) -> None:
        """Click the button that says `name`."""
        self.widget("button", name).click()

    def move_slider_by_keyboard(self, name: str, *keys: str) -> None:
        """Press `keys`, such as "ArrowRight", "PageUp" or "Home", on a slider."""
        for key in keys:
            self.widget("slider", name).press(key)

    def drag_slider(self, name: str, to_fraction: float) -> None:
        """Drag a slider with the mouse from where it is: 0 is its left end, 1 its right one."""
        slider = self.widget("slider", name)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box
        at = slider.evaluate("s => (s.value - s.min) / (s.max - s.min)")
        y, radius = box["y"] + box["height"] / 2, 8

        def x(fraction: float) -> float:
            return box["x"] + radius + fraction * (box["width"] - 2 * radius)

        self.page.mouse.move(x(at), y)
        self.page.mouse.down()
        self.page.mouse.move(x(to_fraction), y, steps=8)
        self.page.mouse.up()

    def pictures(self, i: int) -> list[Picture]:
        """The pictures that cell `i` shows."""
        found = []
        for image in self.cell(i).locator("img:visible").all():
            png, alt = image.evaluate(
                """
                async image => {
                    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
                    return [btoa(Array.from(bytes, b => String.fromCharCode(b)).join("")),
                            image.alt || image.title];
                }
                """
            )
            found.append(Picture(base64.b64decode(png), alt))
        return found

    def wait_until(self, predicate: Callable[[], Any], timeout: float = PATIENCE) -> Any:
        """What `predicate` returns as soon as that is true.

        Raises:
            TimeoutError: it was not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not (value := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s; errors: {self.errors()}")
            self.page.wait_for_timeout(50)
        return value

    # ---- beneath

    def _n_cells(self) -> int:
        return self._script("return cells.length")

    def _not_run(self) -> list[int]:
        """The code cells without a number."""
        return self._script(
            """
            return cells.map((cell, i) => ({model: cell.model, i})).filter(({model}) =>
                model.type === "code" && model.sharedModel.source.trim() && !model.executionCount
            ).map(({i}) => i);
            """
        )

    def _wait_for_kernel(self) -> None:
        # Until a kernel has said what it is, JupyterLab drops what it is asked to run.
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
        self._script(
            "await app.restored; await context.ready; await session.ready;"
            "await session.session.kernel.info;"
        )

    def _script(self, script: str, timeout: float = PATIENCE, **values: Any) -> Any:
        """Run JavaScript in the page, with `values` as its variables; fails after `timeout` s."""
        names = f"const {{{', '.join(values)}}} = values;" if values else ""
        return self.page.evaluate(
            f"""
            ([values, seconds]) => Promise.race([
                (async () => {{ {_PRELUDE} {names} {script} }})(),
                new Promise((_, fail) => setTimeout(
                    () => fail(Error(`no answer within ${{seconds}} s`)), 1000 * seconds)),
            ])
            """,
            [values, timeout],
        )


def status(notebook, i=0):
    return notebook.cell(i).get_by_role("status").last.inner_text()


def words(notebook, i=0):
    """What the view in a cell says is seen."""
    return notebook.cell(i).locator("p.cl-words").inner_text()


def picture(notebook, i=0):
    [shown] = notebook.pictures(i)
    return shown.digest


def opened(notebook, source):
    """A notebook, by path or cells, run from top to bottom."""
    page = notebook(source)
    page.run_all()
    assert page.errors() == []
    return page


def changes(page, act, i=0, until=lambda text: True):
    """Do `act`; return what the text says once picture and text are others, and `until` it is so.

    A slow machine may still be at a picture from before `act`.
    """
    text, before = status(page, i), picture(page, i)
    act()
    page.wait_until(
        lambda: status(page, i) != text and picture(page, i) != before and until(status(page, i))
    )
    return status(page, i)
