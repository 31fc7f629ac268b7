"""The two files of the quiz: what is read of anything at all, and what is never lost."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quizzes import toy_bank

from cl_helpers.answers import sheet as a

QUESTIONS = toy_bank().public()
GOOD = {"basics-1": ["b", "a"], "ewc-2": ["c"]}


def written(**changes):
    """A sheet of answers as it is on disk, with changes."""
    raw = {
        "schema": 1,
        "quiz": QUESTIONS.name,
        "version": QUESTIONS.version,
        "student": "alice",
        "sheet": "0a1b2c3d",
        "saved": "2026-01-01T12:00:00+00:00",
        "answers": GOOD,
    }
    return raw | changes


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.json"


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return a.read_answers(path, QUESTIONS)


def test_questions_come_back_from_their_file(tmp_path):
    file = tmp_path / "questions.json"
    file.write_text(QUESTIONS.to_json(), "utf-8")
    assert a.Questions.read(file) == QUESTIONS
    assert a.Questions.read(file).version == QUESTIONS.version


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": 2, "questions": []}', "{"])
def test_damaged_questions_are_one_clear_line(tmp_path, content):
    file = tmp_path / "questions.json"
    with pytest.raises(ValueError, match=r"questions\.json is not there: fetch"):
        a.Questions.read(file)
    file.write_text(content)
    with pytest.raises(ValueError, match=r"questions\.json is damaged: fetch"):
        a.Questions.read(file)


def test_the_version_hangs_on_ids_alone():
    raw = json.loads(QUESTIONS.to_json())

    def version(change):
        changed = json.loads(json.dumps(raw))
        change(changed)
        return _questions(changed).version

    same = [
        lambda r: r["questions"][3].update(stem="A corrected word?"),
        lambda r: r["questions"][3]["options"][0].update(text="Another"),
        lambda r: r["questions"][3]["options"].reverse(),
        lambda r: r.update(due="tomorrow", title="Another"),
    ]
    other = [
        lambda r: r["questions"][3]["options"].pop(),
        lambda r: r["questions"].pop(),
        lambda r: r["questions"][3].update(id="basics-9"),
        lambda r: r.update(name="another-quiz"),
    ]
    assert {version(change) for change in same} == {QUESTIONS.version}
    assert len({version(change) for change in other} | {QUESTIONS.version}) == 5


def _questions(raw):
    questions = tuple(
        a.Question(**q | {"options": tuple(a.Option(**o) for o in q["options"])})
        for q in raw["questions"]
    )
    rest = {k: v for k, v in raw.items() if k not in ("schema", "questions")}
    return a.Questions(questions=questions, **rest)


# ---- reading what anybody may have written


def test_a_good_file_is_read(path):
    reading = read(path, written())
    assert reading.choices == {"basics-1": {"a", "b"}, "ewc-2": {"c"}}
    assert (reading.student, reading.sheet, reading.problems) == ("alice", "0a1b2c3d", ())


WHOLE = {  # content -> why nothing of it is used
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "truncated": (json.dumps(written()).encode()[:-20], "not JSON"),
    "not JSON": (b"all correct, please", "not JSON"),
    "a list": ([1, 2], "no JSON object"),
    "deep": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "larger than 64 KB"),
    "nested": (b"[" * 20_000 + b"]" * 20_000, "nested too deeply"),
    "NaN": (json.dumps(written(schema=float("nan"))).encode(), "NaN"),
    "infinite": (json.dumps(written(x=float("-inf"))).encode(), "-Infinity"),
    "a huge number": (b'{"schema": ' + b"9" * 5000 + b"}", "not JSON"),
    "UTF-16": (json.dumps(written()).encode("utf-16"), "not UTF-8"),
    "Latin-1": (json.dumps(written(student="Zoë"), ensure_ascii=False).encode("latin-1"), "UTF-8"),
    "a key twice": (b'{"schema": 1, "schema": 1}', "'schema' twice"),
    "an answer twice": (
        json.dumps(written()).replace('"ewc-2"', '"basics-1"').encode(),
        "'basics-1' twice",
    ),
    "no schema": ({k: v for k, v in written().items() if k != "schema"}, "schema is None"),
    "another schema": (written(schema=2), "schema is 2"),
    "another quiz": (written(quiz="statistics"), "answers the quiz 'statistics'"),
    "another version": (written(version="000000000000"), "version '000000000000'"),
    "no answers": (written(answers=None), "no answers"),
    "a list of answers": (written(answers=[["basics-1", "a"]]), "no answers"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_no_sheet_says_why(path, kind):
    content, why = WHOLE[kind]
    with pytest.raises(a.AnswersError, match=why) as error:
        read(path, content)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


PARTS = {  # one answer -> what is said of it
    "an unknown option": (["a", "z"], "basics-2: there is no option 'z'"),
    "a look-alike": (["а"], r"basics-2: there is no option '\\u0430'"),
    "text": ("a", "basics-2: 'a' is no list"),
    "a number": (1, "basics-2: 1 is no list"),
    "numbers": ([1, 2], r"basics-2: \[1, 2\] is no list"),
    "null": (None, "basics-2: None is no list"),
    "an object": ({"a": True}, "basics-2: .* is no list"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_broken_answer_costs_itself_alone(path, kind):
    answer, why = PARTS[kind]
    reading = read(path, written(answers=GOOD | {"basics-2": answer}))
    assert reading.choices == {"basics-1": {"a", "b"}, "ewc-2": {"c"}}
    [problem] = reading.problems
    assert re.search(why, problem)


def test_unknown_questions_are_named_and_nothing_else(path):
    reading = read(path, written(answers=GOOD | {"basics-99": ["a"], "<b>": ["a"]}))
    assert reading.choices.keys() == GOOD.keys()
    assert reading.problems == ("there is no question 'basics-99'", "there is no question '<b>'")


def test_many_problems_are_counted_and_not_told(path):
    many = {f"x{i}": ["a"] for i in range(3000)}
    problems = read(path, written(answers=GOOD | many)).problems
    assert len(problems) == a.MANY + 1
    assert problems[-1] == f"and {3000 - a.MANY} more of this kind"


def test_a_byte_order_mark_and_more_are_forgiven(path):
    content = json.dumps(written(more={"score": 10}, answers=GOOD | {"mas-1": []})).encode()
    reading = read(path, b"\xef\xbb\xbf" + content)
    assert reading.choices.keys() == GOOD.keys()
    assert reading.problems == ()


def test_a_name_that_no_file_can_have_is_no_crash(tmp_path):
    with pytest.raises(a.AnswersError, match="it cannot be read"):
        a.plain_bytes(tmp_path / ("a" * 300))


def test_what_is_no_plain_file_is_not_read(path, tmp_path):
    def why():
        with pytest.raises(a.AnswersError) as error:
            a.read_answers(path, QUESTIONS)
        return str(error.value)

    (tmp_path / "other.json").write_text(json.dumps(written()))
    path.symlink_to(tmp_path / "other.json")
    assert "link" in why()
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "link" in why()
    path.unlink()
    path.mkdir()
    assert "folder" in why()
    path.rmdir()
    os.mkfifo(path)
    began = time.monotonic()
    assert "no plain file" in why()
    assert time.monotonic() - began < 5  # nobody writes into the pipe, nobody waits
    path.unlink()
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    assert "larger than 64 KB" in why()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        a.read_answers(path, QUESTIONS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*QUESTIONS.options, "basics-0", ""]), json_values))
def test_whatever_the_answers_are_reading_ends_in_choices_and_problems(tmp_path_factory, answers):
    path = tmp_path_factory.mktemp("any") / "answers.json"
    reading = read(path, written(answers=answers))
    for question, chosen in reading.choices.items():
        assert chosen
        assert chosen == set(answers[question])
        assert chosen <= set(QUESTIONS.options[question])
    taken_back = {q for q in QUESTIONS.options if answers.get(q) == []}
    left = answers.keys() - taken_back - reading.choices.keys()
    assert len(reading.problems) == min(len(left), a.MANY + 1)


@given(
    st.dictionaries(
        st.sampled_from(list(QUESTIONS.options)), st.lists(st.sampled_from("abcd"), min_size=1)
    ),
    st.randoms(),
)
def test_neither_order_nor_repetition_says_anything(tmp_path_factory, answers, random):
    path = tmp_path_factory.mktemp("order") / "answers.json"
    readings = []
    for _ in range(2):
        readings.append(read(path, written(answers=answers)))
        questions = random.sample(list(answers), len(answers))
        answers = {q: [*answers[q], random.choice(answers[q])] for q in questions}
        for options in answers.values():
            random.shuffle(options)
    assert readings[0].choices == readings[1].choices
    assert len({a.receipt(QUESTIONS, r.choices) for r in readings}) == 1
    assert not readings[0].problems + readings[1].problems


@given(st.binary(max_size=400))
def test_whatever_the_bytes_are_reading_ends(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "answers.json"
    with pytest.raises(a.AnswersError):
        read(path, content)


def test_a_receipt_is_the_same_for_the_same_answers_and_no_other():
    codes = {}
    options = QUESTIONS.options["basics-1"]
    for k in range(1, len(options) + 1):
        for chosen in itertools.combinations(options, k):
            codes[a.receipt(QUESTIONS, {"basics-1": frozenset(chosen)})] = chosen
    assert len(codes) == 2 ** len(options) - 1
    one = {"ewc-1": frozenset("ab"), "mas-1": frozenset("c")}
    other = {"mas-1": frozenset("c"), "ewc-1": frozenset("ba")}
    assert a.receipt(QUESTIONS, one) == a.receipt(QUESTIONS, other)


# ---- a student's sheet


def test_every_change_is_on_disk_at_once(path):
    sheet = a.AnswerSheet(path, QUESTIONS, "alice")
    sheet.choose("basics-1", ["c", "a", "c"])
    raw = json.loads(path.read_text())
    assert raw["answers"] == {"basics-1": ["a", "c"]}
    assert raw["student"] == "alice"
    sheet.choose("ewc-1", "b")
    sheet.choose("basics-1", [])
    assert json.loads(path.read_text())["answers"] == {"ewc-1": ["b"]}
    assert a.AnswerSheet(path, QUESTIONS, "bob").choices == {"ewc-1": {"b"}}
    assert json.loads(path.read_text())["student"] == "alice"


def test_two_sheets_on_one_file_do_not_undo_each_other(path):
    one, two = (a.AnswerSheet(path, QUESTIONS, "alice") for _ in range(2))
    one.choose("basics-1", "a")
    two.choose("basics-2", "b")
    one.choose("basics-3", "c")
    assert one.choices.keys() == {"basics-1", "basics-2", "basics-3"}
    assert two.choices.keys() == {"basics-1", "basics-2"}
    two.refresh()
    assert two.choices == one.choices


def test_what_does_not_exist_is_refused_and_changes_nothing(path):
    sheet = a.AnswerSheet(path, QUESTIONS, "alice")
    sheet.choose("basics-1", "a")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no question 'basics-7': choose basics-1"):
        sheet.choose("basics-7", "a")
    with pytest.raises(ValueError, match="basics-1 has no option 'z': choose among a, b"):
        sheet.choose("basics-1", ["a", "z"])
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["empty", "truncated", "another quiz", "UTF-16"])
def test_a_file_that_cannot_be_read_is_kept_under_another_name(path, kind):
    content = WHOLE[kind][0]
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(content)
    sheet = a.AnswerSheet(path, QUESTIONS, "alice")
    [aside] = path.parent.glob("answers.aside-*.json")
    assert aside.read_bytes() == content
    assert aside.name in sheet.notice
    assert "begun anew" in sheet.notice
    sheet.choose("basics-1", "a")
    assert a.read_answers(path, QUESTIONS).choices == {"basics-1": {"a"}}


def test_answers_to_another_version_go_on_as_far_as_they_fit(path):
    path.write_text(json.dumps(written(version="0" * 12, answers=GOOD | {"basics-88": ["a"]})))
    sheet = a.AnswerSheet(path, QUESTIONS, "alice")
    assert sheet.choices.keys() == GOOD.keys()
    assert "2 answers were taken from it" in sheet.notice
    assert a.read_answers(path, QUESTIONS).choices.keys() == GOOD.keys()
    [aside] = path.parent.glob("answers.aside-*.json")
    assert "basics-88" in aside.read_text()


def test_a_folder_of_that_name_is_set_aside_too(path):
    path.mkdir()
    (path / "work.txt").write_text("mine")
    a.AnswerSheet(path, QUESTIONS, "alice").choose("basics-1", "a")
    [aside] = path.parent.glob("answers.aside-*.json")
    assert (aside / "work.txt").read_text() == "mine"


def test_nothing_is_written_where_nothing_can_be(path, monkeypatch):
    sheet = a.AnswerSheet(path, QUESTIONS, "alice")
    sheet.choose("basics-1", "a")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        sheet.choose("basics-1", "b")
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == [".answers.json.lock", "answers.json"]


def _click(path, seed, told):
    """Change answers as fast as it goes; say each one before it is made and after."""
    sheet, draw = a.AnswerSheet(path, QUESTIONS, "alice"), random.Random(seed)
    mine = [q for i, q in enumerate(QUESTIONS.options) if i % 2 == seed % 2]
    for n in itertools.count():
        question = draw.choice(mine)
        options = draw.sample(QUESTIONS.options[question], 2)
        told.send((n, question, sorted(options)))
        sheet.choose(question, options)


@pytest.mark.full
def test_killed_at_any_moment_at_most_the_last_change_is_lost(path):
    """Two writers at once, one of them killed again and again; the file is read all the while."""
    spawn = multiprocessing.get_context("fork")
    draw, last = random.Random(0), {}
    for round_ in range(12):
        ends = [spawn.Pipe(duplex=False) for _ in range(2)]
        writers = [
            spawn.Process(target=_click, args=(path, 2 * round_ + i, ends[i][1])) for i in range(2)
        ]
        for writer in writers:
            writer.start()
        until, heard = time.monotonic() + draw.uniform(0.05, 0.4), [[], []]
        while time.monotonic() < until or not all(len(h) > 2 for h in heard):
            if path.exists():
                assert a.read_answers(path, QUESTIONS).problems == ()
            for i, (receive, _) in enumerate(ends):
                while receive.poll():
                    heard[i].append(receive.recv())
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        saved = a.read_answers(path, QUESTIONS).choices
        for i, (receive, _) in enumerate(ends):
            while receive.poll():
                heard[i].append(receive.recv())
            # All that was begun before the last one had ended before it was begun.
            *done, begun = heard[i]
            last |= {question: options for _, question, options in done}
            _, question, options = begun
            now = sorted(saved.get(question, []))
            assert now in (options, last.get(question, []))
            last[question] = now
    assert {q: sorted(o) for q, o in saved.items()} == {q: o for q, o in last.items() if o}
    a.AnswerSheet(path, QUESTIONS, "alice")
    assert not list(path.parent.glob(".answers.json.*.part"))
