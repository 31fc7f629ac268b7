"""The workflows that a code host runs are valid by its schema."""

import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parent.parent / ".github" / "workflows").glob("*.yml"))
pytest.importorskip("check_jsonschema", reason="needs pip install -e '.[dev]'")


def checked(*paths: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.github-workflows", *map(str, paths)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_workflows_are_valid(tmp_path):
    assert [path.stem for path in WORKFLOWS] == ["pages", "tests"]
    assert checked(*WORKFLOWS).returncode == 0, checked(*WORKFLOWS).stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on", "run-on"))
    assert checked(wrong).returncode != 0
