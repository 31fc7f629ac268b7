"""The student's side of the quiz: stems and options, never the key.

quiz = cl.widgets.Quiz()             # questions.json is beside the notebook; so is answers.json
quiz                                 # tick; every tick is on disk at once
quiz.answer("ewc-1", "a", "c")       # the same in code
quiz.receipt()
"""

from __future__ import annotations

import getpass
import os
import threading
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import HTML, display

from ..widgets.one_in_a_cell import OneInACell
from .sheet import FILE, AnswerSheet, Question, Questions, receipt

try:
    import pwd
except ImportError:  # Windows
    pwd = None  # type: ignore[assignment]

_HERE = Path(__file__).parent
_COPY = '<p class="cl-copy">The questions are here once this cell has been run: Shift-Enter.</p>'


class QuizPage(anywidget.AnyWidget):
    """What is on the page. Each view sends `question`, `options` and its own count `n` of ticks."""

    _esm = (_HERE / "quiz.js").read_text("utf-8")
    _css = (_HERE / "quiz.css").read_text("utf-8")
    sections: traitlets.List = traitlets.List().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)  # question -> options, as they are on disk
    saved = traitlets.Dict().tag(sync=True)  # view -> question -> n, up to which it is on disk
    line = traitlets.Unicode().tag(sync=True)
    due = traitlets.Unicode().tag(sync=True)
    trouble = traitlets.Unicode().tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)


class Quiz(OneInACell):
    """A quiz to answer in a notebook.

    Args:
        questions: what is asked, the file that came with the assignment.
        answers: where the answers are kept; `answers.json` beside it when None.
        student: whose paper it is: decides the order of options and, where students have different
            questions, which. None, the default: whoever began the file of answers, or is logged in.

    Raises:
        ValueError: the questions are not there, or damaged.
    """

    def __init__(
        self,
        questions: str | os.PathLike = "questions.json",
        answers: str | os.PathLike | None = None,
        student: str | None = None,
    ):
        path = Path(questions)
        me = student or account()
        self.answers = AnswerSheet(
            answers or path.with_name(FILE), Questions.read(path), me, insist=student is not None
        )
        self.questions = self.answers.questions
        self.page = QuizPage(
            sections=self._sections(),
            sheet=self.answers.reading.sheet,
            language=self.questions.language,
        )
        self.page.on_msg(self._take)
        self._changing = threading.RLock()  # each tab's messages may come in a thread of their own
        self._show_state()

    def answer(self, question: str, *options: str) -> Progress:
        """Answer a question in code: `quiz.answer("ewc-1", "a", "c")`; no option takes it back.

        Raises:
            ValueError: there is no such question or option.
        """
        with self._changing:
            self.answers.choose(question, options)
            self._show_state()
        chosen = ", ".join(self._chosen(question)) or "–"
        return Progress(f"{question}: {chosen} · {self.page.line}")

    def show(self, question: str) -> Progress:
        """A question to read as text, its options in your order, yours marked with an x.

        Raises:
            ValueError: there is no such question.
        """
        self.questions.options_of(question)
        asked = next(q for q in self.questions.questions if q.id == question)
        chosen = self._chosen(question)
        lines = [
            f"  [{'x' if o['id'] in chosen else ' '}] {o['id']}  {o['text']}"
            for o in self._options(asked)
        ]
        return Progress("\n".join([f"{asked.id}. {asked.stem}", *lines]))

    def receipt(self) -> Progress:
        """What is saved, and a short code of it: note it down. It says nothing about the key."""
        with self._changing:
            self.answers.refresh()
            self._show_state()
        open_ = [q for q in self.questions.options if q not in self.answers.choices]
        lines = [
            f"{self.page.line}. Receipt {receipt(self.questions, self.answers.choices)}",
            f"Not answered: {', '.join(open_)}." if open_ else "Nothing is left to answer.",
            self._due_line()
            + "Hand in as often as you like: the latest before the deadline counts.",
        ]
        return Progress("\n".join(lines))

    def check(self, question: str) -> NotAnswered | None:
        """None if the question is answered. The notebook's locked cells ask no more than this.

        Raises:
            ValueError: there is no such question.
            RuntimeError: nbgrader is grading with settings that are not this quiz's.
        """
        self.questions.options_of(question)
        if os.environ.get("NBGRADER_EXECUTION") == "autograde":
            raise RuntimeError("this quiz is graded by its own nbgrader_config.py: use that")
        return None if question in self.answers.choices else NotAnswered(question)

    def _options(self, question: Question) -> list[dict[str, str]]:
        """In this student's order, which hangs on ids alone."""
        student = self.answers.reading.student

        def place(option: str) -> bytes:
            return sha256(f"{student}\n{question.id}\n{option}".encode()).digest()

        return [vars(o) for o in sorted(question.options, key=lambda o: place(o.id))]

    def _sections(self) -> list[dict[str, Any]]:
        numbered = [
            {
                "id": q.id,
                "section": q.section,
                "stem": q.stem,
                "number": i,
                "options": self._options(q),
            }
            for i, q in enumerate(self.questions.questions, 1)
        ]
        return [
            {"title": title, "questions": [q for q in numbered if q["section"] == section]}
            for section, title in self.questions.sections.items()
        ]

    def _chosen(self, question: str) -> list[str]:
        return sorted(self.answers.choices.get(question, ()))

    def _take(self, _: object, message: dict[str, Any], __: object) -> None:
        """Save a tick on disk first, and then confirm it to the page."""
        view, question, n, trouble = message["view"], message["question"], message["n"], ""
        with self._changing:
            mine = self.page.saved.get(view, {})
            if n <= mine.get(question, 0):  # overtaken by a later tick, in another thread
                return
            try:
                if message["again"]:
                    self.answers.refresh()
                # What was ticked without a kernel, perhaps long ago, gives way to what came after.
                if not message["again"] or self._chosen(question) == sorted(message["was"]):
                    self.answers.choose(question, message["options"])
            except (OSError, ValueError) as error:
                trouble = f"NOT SAVED: {question}. {error}"
            with self.page.hold_sync():
                self._show_state(trouble)
                if not trouble:
                    self.page.saved = self.page.saved | {view: mine | {question: n}}

    def _show_state(self, trouble: str = "") -> None:
        choices, saved = self.answers.choices, self.answers.saved
        when = f" · saved {saved:%H:%M:%S}" if saved else ""
        with self.page.hold_sync():
            self.page.chosen = {q: sorted(options) for q, options in choices.items()}
            self.page.line = f"{len(choices)} of {len(self.questions.options)} answered{when}"
            self.page.due = self._due_line()
            self.page.trouble = trouble or self.answers.notice

    def _due_line(self) -> str:
        """The deadline; that of the last release, if it was moved since this one was fetched.

        And whose paper it is, where that matters.
        """
        then, now = self.questions.due, self.questions.due_now
        moved = f" (moved; it was {then})" if then and now != then else ""
        due = f"Due {now}{moved}. " if now else ""
        note = f"{self.questions.note} " if self.questions.note else ""
        name = self.questions.student
        own = f"This is {name}'s paper: it counts for nobody else. " if name else ""
        return due + note + own

    def _ipython_display_(self) -> None:
        self._replace_the_one_before()
        display(self.page)
        display(HTML(_COPY))

    def close(self) -> None:
        if self.page.comm is not None:
            self.page.layout.close()
        self.page.close()


def account() -> str:
    """Who is logged in, as nbgrader names whoever hands in."""
    hub = os.environ.get("JUPYTERHUB_USER")
    try:
        # Not $USER, which anybody may set. A container of Jupyter's calls everybody jovyan.
        name = pwd.getpwuid(os.getuid()).pw_name if pwd else getpass.getuser()
    except (KeyError, OSError):
        return hub or str(os.getuid())
    return hub or name if name == "jovyan" else name


class Progress(str):
    """Text that a cell shows as it is."""

    def __repr__(self) -> str:
        return str(self)


class NotAnswered:
    """nbgrader's Validate sees a 0 and names the cell; a person reads why."""

    def __init__(self, question: str):
        self.question = question

    def _repr_html_(self) -> str:
        return f"{escape(self.question)}: not answered yet"

    def __repr__(self) -> str:
        return "0"
