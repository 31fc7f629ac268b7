"""Where a course keeps what: a quiz is a folder, the course's own or one below its quizzes/.

course/                    nbgrader's: gradebook.db, source/, release/, submitted/, …
    bank/                  the questions of the course's one quiz, and beside it what belongs
    released.json …        to that quiz: what was promised, rulings, keys, report/, export/
    quizzes/NAME/          or several quizzes: for each of them the same in a folder of its own
        bank/  released.json …
"""

from __future__ import annotations

from pathlib import Path

import yaml

HERE = Path(__file__).parent
FOLDER = HERE / "bank"  # our questions
HOME = HERE / "course"  # the course that commands work in where none is named
SETTINGS = ("quiz.yaml", "quiz.yml")
SEVERAL = "quizzes"


def course_of(quiz: Path) -> Path:
    """The course that a quiz's folder belongs to: nbgrader's folder."""
    quiz = quiz.absolute()
    return quiz.parents[1] if quiz.parent.name == SEVERAL else quiz


def bank_folder(quiz: Path) -> Path:
    """Where a quiz has its questions: in its bank/, or else they are ours."""
    own = quiz / "bank"
    return own if own.exists() or quiz.parent.name == SEVERAL else FOLDER


def assignment_of(quiz: Path) -> str:
    """What nbgrader calls a quiz, as its quiz.yaml says; "quiz" if it says nothing."""
    for file in (bank_folder(quiz) / name for name in SETTINGS):
        if file.exists():
            try:
                raw = yaml.safe_load(file.read_text("utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError):
                break  # reading the bank says what is wrong with it
            name = raw.get("assignment") if isinstance(raw, dict) else None
            return name if isinstance(name, str) else "quiz"
    return "quiz"


def quizzes_of(course: Path) -> dict[str, Path]:
    """Assignment -> the folder of its quiz, of all quizzes of a course.

    Raises:
        ValueError: two of them have one name.
    """
    folders = [path for path in sorted((course / SEVERAL).glob("*")) if (path / "bank").is_dir()]
    if (course / "bank").exists() or not folders:
        folders.insert(0, course)
    found: dict[str, Path] = {}
    for folder in folders:
        name = assignment_of(folder)
        if name in found:
            raise ValueError(
                f"{found[name]} and {folder} are both the assignment {name!r}: give one another "
                "name in its bank/quiz.yaml"
            )
        found[name] = folder
    return found


def the_quiz(folder: Path) -> Path:
    """The quiz that `folder` is, or the only one of the course that it is.

    Raises:
        ValueError: the course has several, or this is none of its quizzes.
    """
    quizzes = quizzes_of(course_of(folder))
    if folder.absolute() in {quiz.absolute() for quiz in quizzes.values()}:
        return folder
    if folder.parent.name == SEVERAL:
        raise ValueError(f"{folder} has no bank/: put its questions there")
    if len(quizzes) == 1:
        return next(iter(quizzes.values()))
    raise ValueError(
        f"{folder} has several quizzes: --course {' or --course '.join(map(str, quizzes.values()))}"
    )


def handed_in(quiz: Path) -> list[Path]:
    """The folders of all papers that were collected, one a student."""
    return sorted(course_of(quiz).glob(f"submitted/*/{assignment_of(quiz)}"))
