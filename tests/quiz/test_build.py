"""The assignment that students are given, and that the key is not in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
from quizzes import SETTINGS, ToyCourse, in_process, toy_bank
from setuptools import find_packages

from cl_helpers.answers.sheet import Questions
from quiz import build
from quiz.bank import Bank

ROOT = Path(__file__).parents[2]


def with_another_key(bank: Bank) -> Bank:
    """The same questions and options, each with what was correct now wrong, and other reasons."""
    sections = []
    for section in bank.sections:
        questions = []
        for q in section.questions:
            turned = [not o.correct for o in q.options]
            turned[0] |= not any(turned)
            options = tuple(
                o.model_copy(update={"correct": correct, "why": f"Another reason, {o.why[::-1]}"})
                for o, correct in zip(q.options, turned, strict=True)
            )
            questions.append(q.model_copy(update={"options": options, "fact": "another"}))
        sections.append(section.model_copy(update={"questions": tuple(questions)}))
    other = Bank(SETTINGS, [type(s).model_validate(s.model_dump()) for s in sections])
    assert all(other.key[q] != key for q, key in bank.key.items())
    return other


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    with in_process():
        yield ToyCourse(tmp_path_factory.mktemp("built"))


def test_what_is_released_hangs_in_no_bit_on_the_key(course):
    """Whoever reads the release, however cleverly, cannot tell one key from another."""
    release, outbound = course.folder / "release", course.exchange / "cl" / "outbound"
    before, before_out = files(release), files(outbound)
    assert list(before) == ["quiz/questions.json", "quiz/quiz.ipynb"] == list(before_out)
    other = with_another_key(course.bank)
    build.build(other, course.folder)
    course.run("generate_assignment", "quiz", "--force")
    course.run("release_assignment", "quiz", "--force")
    assert files(release) == before
    assert files(outbound) == before_out


def test_no_explanation_is_released(course):
    text = b"".join(files(course.folder / "release").values()).decode()
    for question in course.bank.questions.values():
        assert question.stem in text
        for option in question.options:
            assert json.dumps(option.text, ensure_ascii=False)[1:-1] in text
            assert option.why[:20] not in text
    assert (
        "correct"
        not in json.loads((course.folder / "release/quiz/questions.json").read_text()).get(
            "questions", [{}]
        )[0]
    )
    assert '"correct"' not in text


def test_students_cells_are_locked_and_worth_ten_points(course):
    notebook = nbformat.read(course.released, as_version=4)
    graded = [c for c in notebook.cells if c.metadata.nbgrader.grade]
    assert [c.metadata.nbgrader.grade_id for c in graded] == list(course.bank.questions)
    assert {c.metadata.nbgrader.points for c in graded} == {0.4}
    assert all(c.metadata.nbgrader.locked for c in notebook.cells)
    assert not any(c.get("outputs") for c in notebook.cells)
    questions = Questions.read(course.released.with_name("questions.json"))
    assert questions == course.bank.public()


def test_a_file_beside_the_source_would_be_given_out_and_is_refused(tmp_path):
    (tmp_path / "source" / "quiz").mkdir(parents=True)
    (tmp_path / "source" / "quiz" / "key.yaml").write_text("basics-1: a")
    with pytest.raises(ValueError, match=r"key\.yaml would be given to the students"):
        build.build(toy_bank(), tmp_path)


def test_what_was_given_out_stays_gradable(tmp_path):
    build.build(toy_bank(), tmp_path)
    sections = toy_bank().sections
    fewer = Bank(SETTINGS, [s.model_copy(update={"questions": s.questions[:-1]}) for s in sections])
    source = build.build(fewer, tmp_path)  # nobody has it yet
    released = shutil.copytree(source, tmp_path / "release" / "quiz")
    build.build(with_another_key(fewer), tmp_path)

    def moved(q):
        """The question with its options' words one letter further."""
        texts = [o.text for o in q.options]
        pairs = zip(q.options, texts[1:] + texts[:1], strict=True)
        return q.model_copy(
            update={"options": tuple(o.model_copy(update={"text": t}) for o, t in pairs)}
        )

    first = fewer.sections[0]
    first = first.model_copy(update={"questions": tuple(map(moved, first.questions))})
    for other in (toy_bank(), Bank(SETTINGS, [first, *fewer.sections[1:]])):
        with pytest.raises(ValueError, match=r"students may be answering .*/release/quiz/quest"):
            build.build(other, tmp_path)
    assert Questions.read(source / "questions.json") == fewer.public()  # which they have
    shutil.rmtree(released)
    build.build(toy_bank(), tmp_path)


def test_building_twice_gives_the_same_bytes(tmp_path):
    folders = [build.build(toy_bank(), tmp_path / name, "soon") for name in "ab"]
    assert files(folders[0]) == files(folders[1])
    assert b"Due soon" in files(folders[0])["quiz.ipynb"]


def test_the_wheel_that_students_get_has_no_quiz_in_it():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = find_packages(str(ROOT), include=found["packages"]["find"]["include"])
    assert "cl_helpers.widgets" in packages
    assert not [p for p in packages if p.startswith("quiz")]


def test_what_an_instructor_makes_is_kept_out_of_the_repository():
    for name in ("gradebook.db", "submitted/alice/quiz/answers.json", "regrades.jsonl", "x.log"):
        ignored = subprocess.run(
            ["git", "check-ignore", f"quiz/course/{name}"], cwd=ROOT, check=False
        )
        assert ignored.returncode == 0
