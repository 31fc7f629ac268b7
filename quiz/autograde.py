"""What nbgrader runs in place of a student's notebook: nothing of it.

`GradeAnswers` stands where nbgrader has its Execute. It reads `answers.json` as data, and writes
into each grade cell the points, as running it would have, with what the feedback is to show.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade

from cl_helpers.answers.sheet import Questions, Reading, receipt

from .bank import Bank, bank_of
from .feedback import overview, question_card
from .places import quizzes_of
from .privacy import keep_private
from .submissions import INTAKE, read_submission


class OnlyIfPrivate(NbGraderPreprocessor):
    """Feedback has the key in it: no page of it is made in a course that others can open."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        keep_private(Path.cwd())
        return nb, resources


class GradeAnswers(Execute):
    """Grades the quiz from its answers. Other assignments of the course are executed as usual."""

    def __call__(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        # Even with --no-execute: cells without a result would earn full points.
        quiz = quizzes_of(Path.cwd()).get(resources["nbgrader"]["assignment"])
        if quiz:
            keep_private(Path.cwd())
            return self.grade(quiz, nb, resources)
        return super().__call__(nb, resources)

    def grade(self, quiz: Path, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Write the results into the grade cells.

        Raises:
            ValueError: it was not tidied, or the bank is not the one that was given out.
        """
        # nbgrader converts in the course's folder.
        folder, bank = Path(resources["metadata"]["path"]), bank_of(quiz)
        student, name = folder.parent.name, bank.settings.assignment  # …/STUDENT/NAME
        if not (folder / INTAKE).exists():  # nbgrader goes on when its hooks fail
            raise ValueError(f"{folder} was not tidied: is release/{name} there?")
        if replace(Questions.read(folder / "questions.json"), due="", home="") != bank.public():
            raise ValueError(
                f"source/{name} was built from another bank than the one in bank/: put that "
                "one back, or run `python -m quiz build` again"
            )
        questions = bank.paper_of(student)
        reading = read_submission(folder, questions, bank.released.feedback)
        for cell in nb.cells:
            cell_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if is_grade(cell):
                cell.outputs = [graded(bank, cell_id, student, reading)]
            elif cell_id == "receipt":
                code = receipt(questions, reading.choices)
                html = overview(reading, code, len(bank.questions))
                cell.outputs = [v4.new_output("display_data", {"text/html": html})]
        return nb, resources


def graded(bank: Bank, question: str, student: str, reading: Reading) -> NotebookNode:
    """The result of a grade cell: the points as nbgrader reads them, the card as people do.

    A question that the bank does not have earns nothing, whatever the notebook says.
    """
    if question not in bank.questions:
        data = {"text/plain": "0"}
    else:
        chosen = reading.choices.get(question, frozenset())
        points = bank.earned(question, chosen, student) if reading.counts else Decimal(0)
        ruled = bank.rulings.told(question)
        asked = bank.asked(question, student)
        card = question_card(asked, chosen, points, bank.points, ruled)
        data = {"text/plain": str(points), "text/html": card}
    return v4.new_output("execute_result", data, execution_count=None)
