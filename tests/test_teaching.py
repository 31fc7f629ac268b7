"""docs/teaching.md names lessons' checks and questions of the quiz that exist."""

import re
from pathlib import Path

import yaml

from cl_helpers.lessons.exercises import EXERCISES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "teaching.md").read_text("utf-8")
# The table of misconceptions: the questions and their options, as in "quiz ewc-1, scp-2 b".
FOUND_BY = [line.split("|")[3] for line in TEXT.splitlines() if re.match(r"\| (\d\w*)? ?\| ", line)]
QUESTION = re.compile(r"\b([a-z]+-\d)\b(?: ([a-z])\b)?")


def questions() -> dict[str, dict[str, bool] | None]:
    """Question -> option -> whether it is correct; None if it is generated."""
    found = {}
    for path in (ROOT / "quiz" / "bank").glob("*.yaml"):
        for question in yaml.safe_load(path.read_text("utf-8")).get("questions", ()):
            options = question.get("options")
            found[question["id"]] = options and {o["id"]: o["correct"] for o in options}
    return found


def test_every_lesson_has_its_misconceptions():
    lessons = re.findall(r"^\| (\d\w*) \| [^|]+ \| [^|]+ \|$", TEXT.split("## Misc")[1], re.M)
    assert lessons == sorted(lessons)
    names = (path.stem for path in (ROOT / "notebooks").glob("[01]*.ipynb"))
    assert {name.split("_")[0] for name in names} - {"11b"} == {*lessons}  # 11b is an appendix


def test_every_check_exists():
    named = re.findall(r"`([a-z-]+)`", " ".join(FOUND_BY))
    assert named
    assert not [name for name in named if name not in EXERCISES]


def test_every_question_exists_and_its_option_is_decided():
    named = [m for cell in FOUND_BY for m in QUESTION.findall(cell)]
    bank = questions()
    assert named
    for question, option in named:
        assert question in bank
        assert not option or option in bank[question]
