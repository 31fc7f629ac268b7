"""The bank becomes an assignment: a notebook and `questions.json`, with no key in either.

nbgrader copies every file of source/ into release/, so these two are all there is in it.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cl_helpers.answers.sheet import Questions
from cl_helpers.files import replacing

from .bank import Bank
from .places import course_of

_INTRODUCTION = """\
# {title}

{n} questions, {points} points each. **A question earns its points when *all* the correct options
and no other are ticked.** One to all of the options may be correct.{due}{own}

Every tick is saved at once, in `answers.json` beside this notebook. Close it, restart it, come back
tomorrow, or take the folder to another machine: run the cell below again and go on. Nothing here
knows the correct answers, so nothing can tell you before the deadline whether yours are.

No mouse, no page? `quiz.show("{first}")` prints a question, `quiz.answer("{first}", {options})`
answers it.{introduction}
"""

_QUIZ = """\
import cl_helpers as cl

quiz = cl.widgets.Quiz()
quiz"""

_OWN = """

**Your paper is your own**: several questions have other numbers or other options than your
neighbour's. Which, follows from your account: handed in by another it counts for nothing."""

_HAND_IN = """\
## Hand in

Run the next cell, note the receipt, save, and submit the folder: *Nbgrader → Assignment List →
Submit*, or `nbgrader submit {assignment}`. You may submit as often as you like. The latest
submission before the deadline counts, and a later one counts for nothing.
"""

_GRADER = """\
## For the grader

The cells below ask whether a question is answered, not whether it is answered correctly. There is
nothing to do here.
"""


def source_notebook(bank: Bank, due: str = "") -> NotebookNode:
    """What nbgrader generates the assignment from."""
    everybodys = [v[0] for v in bank.variants.values() if len(v) == 1]
    first = [*everybodys, *(v[0] for v in bank.variants.values())][0]
    note = f" {bank.settings.due_note}" if bank.settings.due_note else ""
    text = _INTRODUCTION.format(
        title=bank.settings.title,
        n=len(bank.questions),
        points=bank.points,
        due=(f" **Due {due}.**" if due else "") + note,
        introduction=f"\n\n{bank.settings.introduction}" if bank.settings.introduction else "",
        own=_OWN if bank.public().varies else "",
        first=first.id,
        options=", ".join(f'"{option.id}"' for option in first.options[:3:2]),
    )
    cells = [
        _locked("markdown", "introduction", text),
        _locked("code", "quiz", _QUIZ),
        _locked("markdown", "hand-in", _HAND_IN.format(assignment=bank.settings.assignment)),
        _locked("code", "receipt", "quiz.receipt()"),
        _locked("markdown", "grader", _GRADER),
        *(
            _locked("code", question, f'quiz.check("{question}")', points=float(bank.points))
            for question in bank.questions
        ),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def build(bank: Bank, quiz: Path, due: str = "", home: str = "") -> Path:
    """Write a quiz's folder in source/ of its course. `due` and `home` are as in `Questions`.

    Raises:
        ValueError: a file is in the way, or other questions have been given out.
    """
    course, name = course_of(quiz), bank.settings.assignment
    folder, public = course / "source" / name, bank.public(due, home)
    folder.mkdir(parents=True, exist_ok=True)
    out = course / "release" / name / "questions.json"
    if out.exists() and not _same_ids(Questions.read(out), public):
        raise ValueError(
            f"students may be answering {out}: words, reasons and the key may still change, but no "
            "question or option may come, go or get another id, or their answers would be worth "
            f"nothing; if nobody has it yet, delete {out.parent} first"
        )
    files = {
        f"{name}.ipynb": nbformat.writes(source_notebook(bank, due)) + "\n",
        "questions.json": public.to_json(),
    }
    for name, text in files.items():
        with replacing(folder / name) as file:
            file.write(text.encode())
    for other in folder.iterdir():
        if other.name not in files:
            raise ValueError(f"{other} would be given to the students: take it away")
    return folder


def _same_ids(before: Questions, now: Questions) -> bool:
    """Whether every id still means what it did. Words may be corrected, but not change places."""
    if before.version != now.version:
        return False
    was, is_ = _texts(before), _texts(now)
    stays = all(was.get(place, option) == option for place, option in is_.items())
    # A question of which no option is as it was is another one, of another bank.
    return stays and {place[:2] for place in is_} == {
        place[:2] for place in is_.keys() & was.keys()
    }


def _texts(questions: Questions) -> dict[tuple[str, int, str], str]:
    """Question, its variant, an option's text -> the option's id."""
    return {
        (q.id, i, option.text): option.id
        for q in questions.questions
        for i, options in enumerate([v.options for v in q.variants] or [q.options])
        for option in options
    }


def _locked(kind: str, name: str, source: str, points: float | None = None) -> NotebookNode:
    """A cell that students can neither change nor delete; with points, one that is graded."""
    ours: dict = {"schema_version": 3, "locked": True, "solution": False, "task": False}
    ours |= {"grade_id": name, "cell_type": kind, "grade": points is not None}
    metadata: dict = {"nbgrader": ours}
    if points is not None:
        metadata["nbgrader"]["points"] = points
        metadata["jupyter"] = {"source_hidden": True}
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source.strip(), id=name, metadata=metadata)
