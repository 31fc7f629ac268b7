"""A JupyterHub as docs/jupyterhub.md makes one: its scripts word for word, its accounts real.

Only root can. What the page leaves to systemd and to a proxy with TLS is done here: the command of
the unit is started, and the browser comes by http to names under localhost.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import nbgrader
import psutil

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "jupyterhub.md"
COURSE = ("pyproject.toml", "README.md", "LICENSE", "cl_helpers", "quiz", "notebooks")
PATIENCE = 120.0  # seconds

# Installed by the page's script, not by us.
_OWN = re.compile(r"cl_helpers|__editable__")


def scripts() -> dict[str, str]:
    """The page's scripts, by the names in their first lines."""
    return dict(re.findall(r"^```sh\n# (\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S))


class Hub:
    """A server with a hub and accounts, in a folder of its own; `end` removes all of it.

    Args:
        students: the names of accounts that are made, as is `instructor`.
    """

    def __init__(self, students: Sequence[str], instructor: str):
        self.students, self.instructor = list(students), instructor
        for name in self._accounts():
            with suppress(KeyError):
                raise FileExistsError(f"there is an account {pwd.getpwnam(name).pw_name}")
        self.server = Path(tempfile.mkdtemp(prefix="hub-", dir="/var/tmp"))
        self.server.chmod(0o755)
        self.folder, self.log = self.server / "hub", self.server / "hub.log"
        self.course = Path("/home", instructor, "cl2026")
        self._process: subprocess.Popen | None = None
        port, self._ports = _free_port(), (_free_port(), _free_port())
        self.url = f"http://hub.localhost:{port}"
        roster = self.server / "students.csv"
        names = [f"{name},{name.title()},Any" for name in students]
        roster.write_text("\n".join(["student_id,last_name,first_name", *names, ""]))
        self.setup = {
            "HUB": str(self.folder),
            "URL": self.url,
            "PORT": str(port),
            "INSTRUCTOR": instructor,
            "ROSTER": str(roster),
        }

    def _accounts(self) -> list[str]:
        return [self.instructor, *self.students]

    def _install(self) -> None:
        """What takes pip minutes: the packages of this Python, where all accounts can read them."""
        base, prefix = Path(sys.base_prefix), Path(sys.prefix)
        venv, site = self.folder / "venv", Path(nbgrader.__file__).parents[1]
        if not _everybody_enters(base):
            base = self.server / "python"
            _show(Path(sys.base_prefix).iterdir(), base)
        self.python_env = {"PATH": f"{base / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        if base != Path(sys.base_prefix):
            self.python_env["LD_LIBRARY_PATH"] = str(base / "lib")
        packages = [each for each in site.iterdir() if not _OWN.match(each.name)]
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        _show(packages, venv / "lib" / version / "site-packages")
        for name in ("etc", "share"):
            shutil.copytree(prefix / name, venv / name, symlinks=True)
        (venv / "bin").mkdir()
        ours, theirs = f"#!{prefix}/bin/python".encode(), f"#!{venv}/bin/python".encode()
        for script in (prefix / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                if text.startswith(ours):
                    (venv / "bin" / script.name).write_bytes(text.replace(ours, theirs, 1))
                    (venv / "bin" / script.name).chmod(0o755)
        for name in COURSE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (self.server / "repository").mkdir(exist_ok=True)
            copy(ROOT / name, self.server / "repository" / name)

    def set_up(self) -> str:
        """Run the page's setup.sh as root, in a copy of the repository; what it says."""
        self._install()
        # What pip and npm need to know of this machine's network, and nothing of this Python.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
        return _said(
            ["sh", "-c", scripts()["setup.sh"]],
            cwd=self.server / "repository",
            env=env | self.python_env | self.setup,
        )

    def run_as(self, account: str, *command: str, **env: str) -> str:
        """Run a command as an account, in its home and with the usual umask; what it says."""
        user = pwd.getpwnam(account)
        own = {"HOME": user.pw_dir, "USER": account, "HUB": str(self.folder), "COLUMNS": "200"}
        return _said(
            command,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            umask=0o022,
            cwd=user.pw_dir,
            env=self.python_env | own | env,
        )

    def run_script_as(self, account: str, script: str, **env: str) -> str:
        """Run a script of the page as an account; what it says."""
        return self.run_as(account, "sh", "-c", scripts()[script], **env)

    @property
    def python(self) -> str:
        return str(self.folder / "venv" / "bin" / "python")

    @property
    def passwords(self) -> dict[str, str]:
        lines = (self.folder / "state" / "passwords.txt").read_text().splitlines()
        return dict(line.split(":", 1) for line in lines)

    def address(self, account: str, path: str) -> str:
        """Where a page of an account's server is."""
        return f"{self.url.replace('//', f'//{account}.')}/user/{account}/{path}"

    def start(self) -> None:
        """Start the command of the page's unit, and wait until it answers.

        Raises:
            RuntimeError: it does not; its log is in the message.
        """
        unit = (self.folder / "jupyterhub.service").read_text()
        said = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
        path = said["Environment"].removeprefix("PATH=")
        ports = [
            f"--JupyterHub.hub_port={self._ports[0]}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{self._ports[1]}",
        ]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*shlex.split(said["ExecStart"]), *ports],
                cwd=said["WorkingDirectory"],
                env=self.python_env | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        port = self.setup["PORT"]  # Python does not know names under localhost, browsers do
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/hub/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"the hub does not answer:\n{self.log.read_text()}")

    def end(self) -> None:
        """End the hub and all that runs as its accounts; remove them, and all files."""
        left: list[psutil.Process] = []
        if self._process:
            if self._process.poll() is None:
                left = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()  # asked to end, it would wait for everybody's kernels
            self._process.wait()
        made = []
        for name in self._accounts():
            with suppress(KeyError):
                made.append(pwd.getpwnam(name))
        uids = {user.pw_uid for user in made}
        left += [p for p in psutil.process_iter(["uids"]) if p.info["uids"].real in uids]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=10)
        for user in made:
            subprocess.run(["userdel", user.pw_name], check=True)
            shutil.rmtree(user.pw_dir)
        shutil.rmtree(self.server)


def _said(command: Sequence[str], **how) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _everybody_enters(folder: Path) -> bool:
    return all(f.stat().st_mode & 0o001 for f in (folder, *folder.parents))


def _show(files: Iterable[Path], folder: Path) -> None:
    """Make files and folders of ours appear in a folder, where every account can read them."""
    files = list(files)
    folder.mkdir(parents=True)
    if _everybody_enters(files[0].parent):
        for file in files:
            (folder / file.name).symlink_to(file)
    else:
        how = "-al" if files[0].stat().st_dev == folder.stat().st_dev else "-a"
        subprocess.run(["cp", how, *files, folder], check=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
