"""The page of feedback that a student gets: the result first, then the questions, one by one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from markupsafe import Markup
from nbconvert.exporters import Exporter, HTMLExporter
from nbformat import NotebookNode
from nbgrader.utils import is_grade

from .bank import Bank, bank_of
from .grading import exact
from .pages import template
from .places import quizzes_of


class FeedbackPage(HTMLExporter):
    """Writes the quiz's feedback; that of other assignments is nbgrader's."""

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kw: Any) -> Any:
        quiz = quizzes_of(Path.cwd()).get(resources["nbgrader"]["assignment"])
        if not quiz:
            return super().from_notebook_node(nb, resources, **kw)
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kw)
        return page(nb, resources["nbgrader"], bank_of(quiz)), resources


def page(nb: NotebookNode, result: Any, bank: Bank) -> str:
    """Make the page from a graded notebook.

    Args:
        nb: with the points and the card of each question in its grade cells.
        result: score, max_score and late_penalty, which nbgrader has from the gradebook.
        bank: with the rulings by which questions may not count.
    """
    rulings = bank.rulings
    void = [c for c in nb.cells if is_grade(c) and c.metadata.nbgrader.grade_id in rulings.void]
    off = sum(exact(cell.metadata.nbgrader.score or 0) for cell in void)
    late = exact(result["late_penalty"])
    score = exact(result["score"]) + late - off  # before the late policy
    got, most = rulings.counts(score, exact(result["max_score"]), bank.points)
    lost = got if late else Decimal(0)  # a late paper is worth nothing
    questions = []
    for cell in nb.cells:
        if is_grade(cell):
            points = cell.metadata.nbgrader.points
            mark = exact(cell.metadata.nbgrader.score)
            card = Markup("".join(o.data.get("text/html", "") for o in cell.outputs if "data" in o))
            name = cell.metadata.nbgrader.grade_id
            earned = Decimal((cell.outputs or [{}])[0].get("data", {}).get("text/plain", "0"))
            questions.append((name, mark, exact(points), card, mark != earned))
    [receipt] = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "receipt"]
    return template("feedback.html.j2").render(
        title=bank.settings.title,
        language=bank.settings.language,
        score=exact(got - lost),
        most=exact(most),
        late=exact(lost),
        questions=questions,
        read=Markup("".join(o.data.get("text/html", "") for o in receipt.outputs)),
    )
