"""docs/questions.md: its examples are a bank, its tables have all fields; mistakes are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from quiz import bank as banks
from quiz.questions import BankError, Option, Question, Section, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "questions.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path):
    """The bank of the page, with the generated question in it."""
    files = re.findall(r"`bank/(\w+\.yaml)`[^`]*:\n\n```yaml\n(.*?)```", PAGE, re.S)
    assert [name for name, _ in files] == ["quiz.yaml", "flight.yaml", "eggs.yaml"]
    for name, text in files:
        (tmp_path / name).write_text(text, "utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "generated.py").write_text(code, "utf-8")
    (numbers,) = re.findall(r"```yaml\n(  - id: numbers-1\n.*?)```", PAGE, re.S)
    (tmp_path / "numbers.yml").write_text(
        f"section: numbers\ntitle: Numbers\nquestions:\n{numbers}"
    )
    about = (tmp_path / "quiz.yaml").read_text("utf-8")
    (tmp_path / "quiz.yaml").write_text(f"{about}  numbers: 1\n", "utf-8")
    return tmp_path


def test_the_examples_are_a_bank_in_order(folder):
    bank = banks.load(folder)
    assert bank.check() == bank.hints() == []
    assert list(bank.questions) == ["flight-1", "flight-2", "eggs-1", "numbers-1"]
    assert [len(v) for v in bank.variants.values()] == [1, 1, 12, 12]
    assert bank.most == 2


@pytest.mark.parametrize(
    ("heading", "model"),
    [("quiz.yaml", Settings), ("A question", Question), ("An option", Option)],
)
def test_the_tables_have_every_field(heading, model):
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+)", part, re.M))
    assert rows.keys() == model.model_fields.keys()
    for name, field in model.model_fields.items():
        needed = field.is_required() or name in ("stem", "options")
        assert (rows[name] == "needed") is needed


def test_a_sections_fields_are_named():
    part = PAGE.partition("## A section's file")[2].partition("\n## ")[0]
    assert all(f"`{name}`" in part for name in Section.model_fields)


# What is changed in a file of the page's bank -> the line that says so.
MISTAKES = [
    (
        "flight.yaml",
        "text: It floats, because",
        "text: Rule #1 says",
        "flight.yaml, line 17: what comes after # is a comment",
    ),
    (
        "flight.yaml",
        "    topic: penguins",
        "     topic: penguins",
        "line 25: begins further in than the line above",
    ),
    (
        "flight.yaml",
        "  - id: flight-2",
        "    id: flight-2",
        "'id' is there twice: take one away, or begin a second item with a hyphen",
    ),
    (
        "flight.yaml",
        'text: "True"               # in quotes: see below',
        "text: True",
        "flight-2, option a, text: True is no text: put it in quotes",
    ),
    (
        "flight.yaml",
        "correct: false",
        "correct: no way",
        "correct: 'no way' is neither true nor false",
    ),
    (
        "flight.yaml",
        "stem: Penguins cannot fly.",
        "stem: Penguins: do they fly?",
        "flight.yaml, line 26: a text with a colon in it must be in quotes",
    ),
    (
        "flight.yaml",
        "topic: penguins",
        "topik: penguins",
        "question flight-2, topik: is no field here: did you mean `topic`?",
    ),
    ("flight.yaml", "- id: b", "- id: c", "its options are a, c, c: name them a, b, c"),
    (
        "flight.yaml",
        "section: flight",
        "section: Flight",
        "section: 'Flight' will not do: small letters",
    ),
    (
        "flight.yaml",
        "    see: chapter 2",
        "\t    see: chapter 2",
        "indented with a tab: use spaces",
    ),
    ("flight.yaml", "id: flight-2", "id: flight-1", "flight-1: the id is used twice"),
    ("flight.yaml", "id: flight-2", "id: wings-2", "wings-2: its id should begin with flight-"),
    (
        "flight.yaml",
        "see: chapter 2",
        "topic: twice",
        "flight.yaml, line 6: 'topic' is there twice: take one away",
    ),
    (
        "flight.yaml",
        "text: It floats",
        "texts: It floats",
        "option b, texts: is no field here: did you mean `text`?",
    ),
    (
        "flight.yaml",
        "It floats, because its bones are hollow.",
        "X",
        "option b, text: has 1 characters and needs at least 2",
    ),
    ("flight.yaml", "title: How birds fly\n", "", "flight.yaml, title: is missing"),
    (
        "quiz.yaml",
        "points: 0.5",
        "points: a lot",
        "quiz.yaml, points: 'a lot' is no number of points: write 0.4 or 1",
    ),
    (
        "quiz.yaml",
        "flight: 2",
        "flight: 3",
        "section flight has 2 questions, not 3: change it, or quiz.yaml",
    ),
    (
        "quiz.yaml",
        "flight: 2",
        "flight: two",
        "quiz.yaml, sections, flight: 'two' is no whole number",
    ),
    ("quiz.yaml", "  eggs: 1\n", "", "section eggs is not among those of quiz.yaml: add `eggs: 1`"),
    (
        "quiz.yaml",
        "assignment: birds",
        "assignment: my birds",
        "assignment: 'my birds' will not do: letters and digits",
    ),
    (
        "quiz.yaml",
        '"Birds: a first quiz"',
        "Birds: a first quiz",
        "quiz.yaml, line 3: a text with a colon in it must be in quotes",
    ),
    (
        "quiz.yaml",
        "points: 0.5",
        "points: 0.5\nrule: partial",
        "quiz.yaml, rule: 'partial' is not among 'all-or-nothing'",
    ),
    (
        "eggs.yaml",
        "show: 3",
        "show: 6",
        "question eggs-1: it shows 6 of 6 options: show fewer, or take `show` away",
    ),
    (
        "eggs.yaml",
        "show: 3",
        "show: {right: 2, wrong: 2}",
        "eggs-1: draw 1 has 3 correct options, not 2: change `show`",
    ),
    ("eggs.yaml", "show: 3", "show: three", "question eggs-1, show: "),
    (
        "eggs.yaml",
        "questions:\n",
        "questions: none\nother:\n",
        "eggs.yaml, questions: should be a list: begin each of its items with a hyphen",
    ),
    (
        "eggs.yaml",
        "section: eggs\n",
        "section: flight\n",
        "section flight is in 2 files: put its questions into one",
    ),
    (
        "numbers.yml",
        "generate: product",
        "generate: sum of two",
        "generate: 'sum of two' will not do: the name of a function",
    ),
]


@pytest.mark.parametrize(("file", "right", "wrong", "says"), MISTAKES)
def test_a_mistake_is_a_line_that_says_what_to_do(folder, file, right, wrong, says):
    text = (folder / file).read_text("utf-8")
    assert right in text
    (folder / file).write_text(text.replace(right, wrong, 1), "utf-8")
    try:
        lines = banks.load(folder).check()
    except BankError as error:
        lines = str(error).splitlines()
    assert any(says in line for line in lines), lines
    assert not any("pydantic" in line or "Input should" in line for line in lines)


def test_ten_mistakes_at_once_are_ten_lines(folder):
    text = (folder / "flight.yaml").read_text("utf-8")
    raw = yaml.safe_load(text)
    first, second = raw["questions"]
    first["options"][0]["correct"] = "yes"
    first["options"][1].pop("why")
    first["options"][2]["text"] = 12
    first["topik"] = first.pop("topic")
    second["options"] = second["options"][:1]
    second["see"] = "44_penguins"
    second["stem"] = "Half a `code"
    raw["titel"] = raw.pop("title")
    (folder / "flight.yaml").write_text(yaml.safe_dump(raw), "utf-8")
    with pytest.raises(BankError) as raised:
        banks.load(folder)
    lines = str(raised.value).splitlines()
    assert len(lines) == 9
    assert all(line.startswith("flight.yaml, ") for line in lines), "\n".join(lines)
