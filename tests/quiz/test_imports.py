"""Banks out of Moodle's and Canvas's files: what comes back, what is said, and what is refused."""

import io
import re
import time
import zipfile
from contextlib import suppress
from html import escape
from string import ascii_lowercase

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quiz import bank as bank_module
from quiz import imports, lms
from quiz.bank import Bank
from quiz.imports import files, read_bank
from quiz.imports.question import (
    EMBEDDED,
    HINTS,
    NAMES,
    NO_REASON,
    ORDER,
    SHARES,
    SHORT,
    SINGLE,
    WHOLE,
)
from quiz.imports.text import FORMAT, IMAGES, LATEX, LINES, plain
from quiz.questions import Section, Settings

ID = re.compile(r"[a-z][a-z0-9-]{0,30}")


def in_order(files):
    """That it is what a bank is said to be, and survives YAML; the questions by their ids."""
    assert yaml.safe_load(yaml.safe_dump(files, allow_unicode=True, sort_keys=False)) == files
    quiz, *sections = files.values()
    assert list(files) == ["quiz.yaml", *(f"{section}.yaml" for section in quiz["sections"])]
    assert quiz.keys() == {"name", "assignment", "title", "points", "language", "sections"}
    assert ID.fullmatch(quiz["name"])
    assert float(quiz["points"]) > 0
    assert quiz["sections"] == {s["section"]: len(s["questions"]) for s in sections}
    questions = {}
    for section in sections:
        assert section.keys() == {"section", "title", "questions"}
        assert ID.fullmatch(section["section"])
        for question in section["questions"]:
            assert ID.fullmatch(question["id"])
            assert question["id"].startswith(f"{section['section']}-")
            assert question["id"] not in questions
            questions[question["id"]] = question
            assert 3 <= len(question["topic"]) <= 60
            options = question["options"]
            assert 2 <= len(options) <= 26
            assert "".join(o["id"] for o in options) == ascii_lowercase[: len(options)]
            assert any(o["correct"] for o in options)
            assert len({o["text"] for o in options}) == len(options)
            texts = [question["stem"], *(o[field] for o in options for field in ("text", "why"))]
            for text in texts:
                assert 2 <= len(text) <= 600
                assert text.count("`") % 2 == 0
    return questions


def as_read(bank: Bank):
    """What a bank's own files would say, by section."""
    return [
        {
            "section": section.section,
            "title": section.title,
            "questions": [
                {"id": q.id, "topic": q.topic, "see": q.see, "stem": q.stem}
                | {"options": [o.model_dump() for o in q.options]}
                for q in section.questions
            ],
        }
        for section in bank.sections
    ]


SETTINGS = Settings(name="toy", title="A toy quiz", points="0.4", sections={"ewc": 4})
WRITERS = [lambda bank: lms.moodle_xml(bank).encode(), lms.qti]
both_formats = pytest.mark.parametrize("write", WRITERS, ids=["moodle", "qti"])


def fixed(bank):
    """Without what differs from student to student, of which an export has every variant."""
    sections = [
        section.model_copy(
            update={
                "questions": tuple(q for q in section.questions if len(bank.variants[q.id]) == 1)
            }
        )
        for section in bank.sections
    ]
    return Bank(bank.settings, [section for section in sections if section.questions])


@both_formats
def test_our_own_bank_comes_back_as_it_was(write):
    bank = fixed(bank_module.load())
    found, lines = read_bank(write(bank), "whatever.bin")
    assert lines == []
    assert list(found.values())[1:] == as_read(bank)
    assert found["quiz.yaml"]["title"] == bank_module.load().settings.title
    assert found["quiz.yaml"]["points"] == str(bank_module.load().points)
    in_order(found)


PROSE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z"), exclude_characters="`\\$￾￿"),
    min_size=20,
    max_size=40,
)
TEXTS = st.builds(lambda a, code, b: f"{a} `{code}` {b}", PROSE, PROSE, PROSE)


@st.composite
def banks(draw):
    sections = []
    for name in ["ewc", "on-line-2"]:
        texts = draw(st.lists(TEXTS, min_size=4, max_size=6, unique=True))
        key = draw(st.sets(st.sampled_from("abcd"), min_size=1))
        options = [
            {"id": letter, "text": text, "correct": letter in key, "why": texts[0]}
            for letter, text in zip("abcdef", texts, strict=False)
        ]
        questions = [
            {"id": f"{name}-{n}", "stem": text, "topic": text[:20], "see": "04_ewc"}
            | {"options": options}
            for n, text in enumerate(texts)
        ]
        title = f"{name} {draw(PROSE)}".strip("/")
        sections.append({"section": name, "title": title, "questions": questions})
    return Bank(SETTINGS, [Section.model_validate(section) for section in sections])


@both_formats
@settings(max_examples=25, deadline=None)
@given(bank=banks())
def test_any_bank_comes_back_as_it_was(write, bank):
    found, lines = read_bank(write(bank), "bank")
    assert (list(found.values())[1:], lines) == (as_read(bank), [])


# --- Moodle -------------------------------------------------------------------------------------


def moodle(*questions: str) -> bytes:
    body = "\n".join(questions)
    return f'\n<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{body}\n</quiz>\n'.encode()


def category(path: str) -> str:
    return (
        f'<!-- question: 0 --><question type="category"><category><text>{escape(path)}</text>'
        '</category><info format="html"><text></text></info><idnumber></idnumber></question>'
    )


def choice(answers, *, kind="multichoice", name="Tides", stem="Which hold?", extra="", **tags):
    """A question as Moodle 4 writes it; answers: (fraction, HTML, HTML of the feedback)."""
    tags = {"defaultgrade": "1.0000000", "hidden": "0", "idnumber": ""} | tags
    if kind == "multichoice":
        tags = {"single": "true"} | tags
    if kind != "truefalse":
        tags = {"shuffleanswers": "true"} | tags
    inside = "".join(f"<{tag}>{text}</{tag}>" for tag, text in tags.items())
    inside += "".join(
        f'<answer fraction="{fraction}" format="html"><text><![CDATA[{text}]]></text>'
        f'<feedback format="html"><text><![CDATA[{why}]]></text></feedback></answer>'
        for fraction, text, why in answers
    )
    return (
        f'<question type="{kind}"><name><text>{name}</text></name><questiontext format="html">'
        f"<text><![CDATA[{stem}]]></text></questiontext>{inside}{extra}</question>"
    )


FOUR = [(100, "north", ""), (0, "south", ""), (0, "east", ""), (0, "west", "")]


def read_one(question: str):
    """The question, and the lines that come of no other question."""
    found, lines = read_bank(moodle(question), "one.xml")
    (only,) = in_order(found).values()
    ours = [line.removeprefix("question 1: ") for line in lines]
    return only, [line for line in ours if line != NAMES and NO_REASON not in line]


def refused(question: str) -> str:
    """The line on a question that is left out, beside one that is not."""
    found, lines = read_bank(moodle(question, choice(FOUR, name="other")), "two.xml")
    assert len(in_order(found)) == 1
    assert not any(line.startswith("question 1:") for line in lines)
    (line,) = (line for line in lines if "was left out" in line)
    return line


def test_a_course_of_moodle():
    found, lines = read_bank(
        moodle(
            category("$course$/top"),
            category("$course$/top/Sea and sky/Tides \\ 1//2"),
            choice(FOUR, name="Where the moon is"),
            choice(
                [(50, "<p>the moon</p>", "It is near."), (50, "the sun", ""), (-50, "mars", "")],
                single="false",
                name="Where the moon is",
                stem="<p>Which <b>raise</b> tides?</p><p>Think of <code>m/r**3</code>.</p>",
                extra='<generalfeedback format="html"><text>Both do.</text></generalfeedback>',
            ),
            category("$course$/top/Sea and sky/Été"),
            choice([(0, "true", ""), (100, "false", "No, &amp; never.")], kind="truefalse"),
            choice(FOUR, kind="multichoiceset", defaultgrade="2.0000000"),
            choice([], kind="essay", name="Write a poem"),
        ),
        "export.xml",
    )
    questions = in_order(found)
    assert found["quiz.yaml"] == {
        "name": "sea-and-sky",
        "assignment": "quiz",
        "title": "Sea and sky",
        "points": "1",
        "language": "en",
        "sections": {"tides-1-2": 2, "ete": 2},
    }
    assert [found[f"{s}.yaml"]["title"] for s in ("tides-1-2", "ete")] == ["Tides \\ 1/2", "Été"]
    assert list(questions) == ["tides-1-2-1", "tides-1-2-2", "ete-1", "ete-2"]
    assert questions["tides-1-2-2"] == {
        "id": "tides-1-2-2",
        "topic": "Where the moon is",
        "stem": "Which raise tides? Think of `m/r**3`.",
        "options": [
            {"id": "a", "text": "the moon", "correct": True, "why": "It is near."},
            {"id": "b", "text": "the sun", "correct": True, "why": "Both do."},
            {"id": "c", "text": "mars", "correct": False, "why": NO_REASON},
        ],
    }
    assert [(o["text"], o["correct"]) for o in questions["ete-1"]["options"]] == [
        ("True", False),
        ("False", True),
    ]
    assert questions["ete-1"]["options"][1]["why"] == "No, & never."
    assert sorted(lines) == sorted(
        [
            "question 5 (Write a poem) was left out: the type 'essay' is no choice among options",
            f"10 of 13 options had no reason; it is now {NO_REASON!r}",
            f"questions 1, 3: {SINGLE}",
            f"question 2: {FORMAT}",
            f"question 2: {SHARES}",
            f"questions 1, 2, 3, 4: {NAMES}",
            "question 4: was not worth 1, as all are now",
        ]
    )


@pytest.mark.parametrize(
    ("html", "text", "said"),
    [
        ("a &lt; b &amp;&nbsp;c &eacute; &#x3b8;", "a < b & c é θ", set()),
        ("<p>one</p>\n<p>two<br>three<br/>four</p>", "one two three four", set()),
        ("x<sub>i</sub><sup>2</sup> + y<sub>ij</sub>", "x_i^2 + y_(ij)", {FORMAT}),
        ("x<sup>a<sub>i</sub></sup>", "x^(a_i)", {FORMAT}),
        ("<ul><li>a</li><li>b</li></ul>", "a b", {FORMAT}),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2", {FORMAT}),
        ("not <em>one</em>; <a href='x'>see</a>", "not one; see", {FORMAT}),
        ("<pre><code>a = 1\nb = 2</code></pre>then", "`a = 1 b = 2` then", {LINES}),
        ("<code>a`b</code><code></code> c", "`a'b` c", set()),
        ("<code>a</code><tt>b</tt>", "`a``b`", set()),
        ("x`s 5<p>", "x's 5", set()),
        ("say `x` <code>y</code>", "say `x` `y`", set()),
        (r"<p>\( \alpha_i < 2 \)</p>", r"\( \alpha_i < 2 \)", {LATEX}),
        (r"$$x^2$$", r"$$x^2$$", {LATEX}),
        (
            r'<img class="equation_image" alt="LaTeX: \xi" data-equation-content="\xi">',
            r"\(\xi\)",
            {LATEX},
        ),
        ('<img src="@@PLUGINFILE@@/a%20b.png" alt="">', "[image: a b.png]", {IMAGES}),
        ('<img src="x.png" alt="a curve">', "[image: a curve]", {IMAGES}),
        (f'<img src="data:image/png;base64,{"A" * 10**5}==">', "[image]", {IMAGES}),
        ("<video src='v.mp4'><source src='w'></video>", "[video: v.mp4]", {IMAGES}),
        ("a<script>alert(1)</script><style>p {}</style><!-- b -->", "a", set()),
        ("<svg><text>no</text></svg>", "[image]", {IMAGES}),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3", set()),
        ("https://example.org/a.html", "https://example.org/a.html", set()),
        ("<b>never closed", "never closed", {FORMAT}),
        ("", "", set()),
    ],
)
def test_html_becomes_a_line(html, text, said):
    assert plain(html) == (text, said)


def test_html_that_is_long_or_deep_takes_no_longer():
    started = time.process_time()
    for bad in ["<", "<!--", "<a ", "<![", "<p>", "<code><sub>"]:
        with suppress(ValueError):  # some are damaged beyond reading
            plain((bad * 20_000)[:20_000])
    assert time.process_time() - started < 20
    with pytest.raises(ValueError, match="20001 characters"):
        plain("x" * 20_001)


def test_formats_of_texts_in_moodle():
    markdown = choice(FOUR).replace('format="html"', 'format="markdown"')
    only, _ = read_one(markdown.replace("Which hold?", "Which *one* is `a < b`?\n\nSay so."))
    assert only["stem"] == "Which one is `a < b`? Say so."
    as_it_is = choice(FOUR, stem="Is a<b or b>a, as <b>they</b> say?")
    only, said = read_one(as_it_is.replace('format="html"', 'format="plain_text"'))
    assert only["stem"] == "Is a<b or b>a, as <b>they</b> say?"
    assert said == [SINGLE]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (choice(FOUR, kind="multichoiceset"), []),
        (choice(FOUR), [SINGLE]),
        (choice(FOUR, single="false"), []),
        (choice([*FOUR[1:], (100, "up", "")], single="1"), [SINGLE]),
        (choice([*FOUR, (33.33333, "up", "")]), [SHARES, SINGLE]),
        (choice([*FOUR, (100, "up", "")]), [SHARES, SINGLE]),
        (choice([*FOUR, (-25, "up", "")]), [SHARES, SINGLE]),
        (choice([*FOUR, (50, "up", "")], kind="multichoiceset"), []),
        (choice(FOUR, single="false", shuffleanswers="0"), [ORDER]),
        (choice([*FOUR, (0, "7", "")], kind="multichoiceset"), [SHORT]),
        (choice(FOUR, single="false", extra="<hint><text>Look.</text></hint>"), [HINTS]),
        (
            choice(
                FOUR,
                single="false",
                extra="<correctfeedback><text>Well done.</text></correctfeedback>",
            ),
            [WHOLE],
        ),
        (
            choice(
                FOUR,
                single="false",
                extra='<file name="a.png" path="/" encoding="base64">aGVsbG8=</file>',
            ),
            [EMBEDDED],
        ),
    ],
)
def test_what_is_changed_is_said(question, said):
    assert sorted(read_one(question)[1]) == sorted(said)


def test_general_feedback_is_a_reason_only_where_there_is_none():
    general = "<generalfeedback><text>The moon does it.</text></generalfeedback>"
    only, said = read_one(choice(FOUR, single="false", extra=general))
    assert [o["why"] for o in only["options"]] == ["The moon does it.", *[NO_REASON] * 3]
    assert said == []
    answers = [(100, "north", "Look at a map."), *FOUR[1:]]
    only, said = read_one(choice(answers, single="false", extra=general))
    assert [o["why"] for o in only["options"]] == ["Look at a map.", *[NO_REASON] * 3]
    assert said == [WHOLE]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        *(
            (choice(FOUR, kind=kind), f"the type '{kind}' is no choice among options")
            for kind in ("essay", "numerical", "matching", "cloze", "shortanswer", "ddwtos")
        ),
        (choice(FOUR, hidden="1"), "it is hidden, as Moodle does with deleted questions"),
        (choice(FOUR[:1]), "it has 1 options; 2 to 26 are possible"),
        (choice([(100, f"no {i}", "") for i in range(27)]), "it has 27 options"),
        (choice(FOUR[1:]), "no option is correct"),
        (choice(FOUR, stem="<p> </p>"), "the stem has no text"),
        (choice(FOUR, stem="x" * 601), "the stem has 601 characters; at most 600 are possible"),
        (choice([*FOUR, (0, "", "")]), "option e has no text"),
        (choice([*FOUR, (0, "up", "x" * 601)]), "the reason of option e has 601 characters"),
        (choice([*FOUR, (0, "<i>east</i>", "")]), "two of its options are the same plain text"),
        (choice([*FOUR, ("half", "up", "")]), "'half' is no number of points"),
        (choice([*FOUR, ("NaN", "up", "")]), "'NaN' is no number of points"),
        (choice(FOUR, defaultgrade="1e999999999"), "'1e999999999' is no number of points"),
        (choice(FOUR, stem="<p>" * 10_000), "one of its texts has 30000 characters"),
    ],
)
def test_a_question_that_a_bank_cannot_hold_is_named(question, why):
    assert f"question 1 (Tides) was left out: {why}" in refused(question)


def test_names_and_ids_are_made_to_fit():
    long, odd = "A name that says very much " * 4, "日本語"
    found, _ = read_bank(
        moodle(
            choice(FOUR, name=long),
            choice(FOUR, name="Q"),
            category("$module$/quiz"),
            choice(FOUR),
            category("top/Quiz"),
            choice(FOUR),
            category(f"top/{odd}"),
            choice(FOUR),
            category("top/deep/Quiz"),
            choice(FOUR, idnumber="quiz-3-1"),
            category(f"2024 {long}"),
            choice(FOUR, idnumber="late-7"),
        ),
        "my `first` bank.xml",
    )
    questions = in_order(found)
    assert found["quiz.yaml"]["title"] == "my 'first' bank"
    assert list(found["quiz.yaml"]["sections"]) == [
        *("questions", "quiz-2", "top-quiz", "section", "quiz-3", "late")
    ]
    assert [len(questions[q]["topic"]) for q in ("questions-1", "questions-2")] == [60, 10]
    assert questions["questions-2"]["topic"] == "Question 2"
    assert found["section.yaml"]["title"] == odd
    assert "late-7" in questions


# --- QTI 1.2 ------------------------------------------------------------------------------------


def html(text: str) -> str:
    kind = 'texttype="text/html"'
    return f"<material><mattext {kind}>{escape(text)}</mattext></material>"


def item(kind, rules, labels, *, title="Question", stem="<div><p>Which?</p></div>", extra=""):
    """An item as Canvas writes it; rules and feedback come as XML."""
    options = "".join(
        f'<response_label ident="{ident}"><material><mattext texttype="text/plain">{escape(text)}'
        "</mattext></material></response_label>"
        for ident, text in labels.items()
    )
    many = "Multiple" if kind == "multiple_answers_question" else "Single"
    fields = {"question_type": kind, "points_possible": "2.0", "original_answer_ids": "1,2"}
    metadata = "".join(
        f"<qtimetadatafield><fieldlabel>{label}</fieldlabel><fieldentry>{entry}</fieldentry>"
        "</qtimetadatafield>"
        for label, entry in fields.items()
    )
    return f"""<item ident="g0{abs(hash(title))}" title="{title}"><itemmetadata><qtimetadata>
        {metadata}</qtimetadata></itemmetadata><presentation>{html(stem)}
        <response_lid ident="response1" rcardinality="{many}"><render_choice>{options}
        </render_choice></response_lid></presentation><resprocessing><outcomes>
        <decvar maxvalue="100" minvalue="0" varname="SCORE" vartype="Decimal"/></outcomes>
        {rules}</resprocessing>{extra}</item>"""


def rule(condition: str, points: str = "", shown: str = "", goes_on: str = "No") -> str:
    change = f'<setvar action="Set" varname="SCORE">{points}</setvar>' if points else ""
    feedback = f'<displayfeedback feedbacktype="Response" linkrefid="{shown}"/>' if shown else ""
    return f"""<respcondition continue="{goes_on}"><conditionvar>{condition}</conditionvar>
        {change}{feedback}</respcondition>"""


def has(ident: str) -> str:
    return f'<varequal respident="response1">{ident}</varequal>'


def exactly(right: str, wrong: str) -> str:
    inside = "".join(map(has, right)) + "".join(f"<not>{has(w)}</not>" for w in wrong)
    return f"<and>{inside}</and>"


def said_on(ident: str, text: str) -> str:
    return f'<itemfeedback ident="{ident}"><flow_mat>{html(text)}</flow_mat></itemfeedback>'


def assessment(*items: str, title="Tides", ident="g1", before="") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
        <questestinterop xmlns="http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
          xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <assessment ident="{ident}" title="{title}"><section ident="root_section">{before}
        {"".join(items)}</section></assessment></questestinterop>""".encode()


LABELS = {"4317": "the moon", "88": "the sun", "5": "Mars & co."}
ONE = rule(has("4317"), "100")


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members.items():
            package.writestr(name, content)
    return buffer.getvalue()


def test_a_quiz_of_canvas():
    one = item(
        "multiple_choice_question",
        rule("<other/>", shown="general_fb", goes_on="Yes")
        + rule(has("88"), shown="88_fb", goes_on="Yes")
        + rule(has("4317"), "100", shown="correct_fb")
        + rule("<other/>", shown="general_incorrect_fb"),
        LABELS,
        title="Near",
        extra=said_on("general_fb", "<p>Mass over distance.</p>")
        + said_on("88_fb", "Half as much.")
        + said_on("correct_fb", "It is <i>near</i>."),
    )
    several = item(
        "multiple_answers_question",
        rule(exactly("ac", "bd"), "100", shown="correct_fb"),
        dict(zip("abcd", ["1", "2 m", "3 m", "<b> & `x`"], strict=True)),
        title="Both",
        extra=said_on("correct_fb", "Yes."),
    )
    true = item(
        "true_false_question", rule(has("9"), "100"), {"8": "True", "9": "False"}, title="So"
    )
    others = [
        item("essay_question", "", {}, title="Say it").replace("response_lid", "response_str"),
        item("matching_question", "", {}, title="Match").replace(
            "</presentation>",
            '<response_lid ident="r2"><render_choice/></response_lid></presentation>',
        ),
    ]
    group = f"""<section ident="g2" title="Group"><selection_ordering><selection>
        <selection_number>1</selection_number></selection></selection_ordering>
        {item("multiple_choice_question", ONE, LABELS, title="Drawn")}</section>"""
    content = packed(
        **{
            "imsmanifest.xml": b"<manifest/>",
            "g1/assessment_meta.xml": b"<quiz xmlns='http://canvas'><title>Tides</title></quiz>",
            "g1/g1.xml": assessment(one, several, true, *others, group),
            "non_cc/g1.xml.qti": assessment(one),  # a copy, with less in it
            "__MACOSX/g1/._g1.xml": b"\0\1",
            "g1/picture.png": b"\x89PNG",
        }
    )
    found, lines = read_bank(content, "tides.imscc")
    questions = in_order(found)
    assert found["quiz.yaml"]["points"] == "2"
    assert found["quiz.yaml"]["sections"] == {"tides": 3, "group": 1}
    assert questions["tides-1"] == {
        "id": "tides-1",
        "topic": "Near",
        "stem": "Which?",
        "options": [
            {"id": "a", "text": "the moon", "correct": True, "why": "It is near."},
            {"id": "b", "text": "the sun", "correct": False, "why": "Half as much."},
            {"id": "c", "text": "Mars & co.", "correct": False, "why": NO_REASON},
        ],
    }
    assert [(o["text"], o["correct"]) for o in questions["tides-2"]["options"]] == [
        ("`1`", True),
        ("2 m", False),
        ("3 m", True),
        ("<b> & `x`", False),
    ]
    assert [o["correct"] for o in questions["tides-3"]["options"]] == [False, True]
    no = "is no choice among options"
    assert sorted(lines) == sorted(
        [
            f"question 4 (Say it) was left out: the type 'essay_question' {no}",
            f"question 5 (Match) was left out: the type 'matching_question' {no}",
            "Group draws some of its questions; here are all",
            f"10 of 12 options had no reason; it is now {NO_REASON!r}",
            f"questions 1, 3, 6: {SINGLE}",
            f"question 1: {FORMAT}",
            f"questions 1, 2: {WHOLE}",
            f"question 2: {SHORT}",
            "questions 1, 2, 6: " + NAMES,
        ]
    )


def add(ident: str, points: str, action: str = "Add") -> str:
    return rule(has(ident), points, goes_on="Yes").replace('"Set"', f'"{action}"')


MANY = "multiple_answers_question"


@pytest.mark.parametrize(
    ("rules", "key", "shares"),
    [
        (rule(exactly("ab", "cd"), "100"), "ab", False),
        (rule(exactly("abcd", ""), "100"), "abcd", False),
        (rule(f"<not><or>{has('c')}{has('d')}</or></not>{has('a')}{has('b')}", "1"), "ab", False),
        (rule(f"<or>{has('a')}{has('c')}</or>", "1"), "ac", True),
        (add("a", "50") + add("b", "50"), "ab", True),
        (
            add("a", "50") + add("b", "50") + add("c", "-50") + add("d", "50", "Subtract"),
            "ab",
            True,
        ),
        (rule(has("d"), "0") + add("a", "1"), "a", True),
        (rule("<other/>", "0", goes_on="Yes") + rule(exactly("c", "abd"), "1"), "c", False),
    ],
)
def test_the_key_is_what_the_scoring_says(rules, key, shares):
    labels = dict(zip("abcd", ["one", "two", "three", "four"], strict=True))
    found, lines = read_bank(assessment(item(MANY, rules, labels)), "x.xml")
    (only,) = in_order(found).values()
    assert "".join(o["id"] for o in only["options"] if o["correct"]) == key
    assert any(SHARES in line for line in lines) == shares


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("", "no option is correct"),
        (rule(has("nowhere"), "100"), "no option is correct"),
        (rule(has("a"), "SCORE.max"), "'SCORE.max' is no number of points"),
        (rule(f"<vargte respident='r'>3</vargte>{has('a')}", "1"), r"<vargte>\) is not known here"),
        (rule(has("a"), "1").replace("SCORE", "D2L_Correct"), "D2L_Correct Set.* is not known"),
        (rule(has("a"), "2").replace('"Set"', '"Multiply"'), "SCORE Multiply.* is not known"),
        (rule(f"<not>{has('a')}</not>{has('a')}{has('b')}", "1"), "does not say which options"),
        (rule(exactly("a", ""), "1", goes_on="Yes") + rule("<other/>", "0"), "does not say which"),
        (rule("<not>" * 5000 + has("a") + "</not>" * 5000, "1"), "too deep|no option is correct"),
    ],
)
def test_a_scoring_that_is_not_understood_gives_no_key(rules, why):
    labels = dict(zip("abcd", ["one", "two", "three", "four"], strict=True))
    both = assessment(item(MANY, rules, labels), item(MANY, ONE, LABELS, title="other"))
    found, lines = read_bank(both, "x.xml")
    assert len(in_order(found)) == 1
    assert re.search(f"question 1 .Question. was left out: .*{why}", lines[0])


def test_images_and_flow_of_other_systems():
    """Not of Canvas: the stem in <flow>, an image, a shuffle that is switched off, no titles."""
    content = b"""<!DOCTYPE questestinterop SYSTEM "ims_qtiasiv1p2p1.dtd"><questestinterop>
      <item ident="q1"><presentation><flow><material><mattext>Which of 2 &lt; x</mattext>
      <matimage uri="a/b.gif" imagtype="image/gif"/></material><response_lid ident="r">
      <material><mattext>is it?</mattext></material><render_choice shuffle="No"><flow_label>
      <response_label ident="A"><material><mattext>3</mattext></material></response_label>
      <response_label ident="B"><material><mattext>14</mattext></material></response_label>
      </flow_label></render_choice></response_lid></flow></presentation><resprocessing>
      <respcondition><conditionvar><varequal respident="r">B</varequal></conditionvar>
      <setvar>1</setvar></respcondition></resprocessing></item></questestinterop>"""
    found, lines = read_bank(content, "pool.dat")
    (only,) = in_order(found).values()
    assert only["stem"] == "Which of 2 < x [image: a/b.gif] is it?"
    assert [o["text"] for o in only["options"]] == ["`3`", "14"]
    assert (only["id"], only["topic"]) == ("questions-1", "Question 1")
    assert found["quiz.yaml"]["title"] == "pool"
    assert {f"question 1: {what}" for what in (SINGLE, ORDER, IMAGES, SHORT)} < {*lines}


def test_the_dialect_of_brightspace():
    """Ids amid white space, a <not> of several, words in lower case, other names of fields."""
    label = "<response_label ident='L_{0}'><flow_mat>{1}</flow_mat></response_label>"
    labels = "".join(label.format(i, html(f"<p>{i} m</p>")) for i in range(1, 5))
    test = "<varequal respident='L'>\n L_{0}\n </varequal>".format
    content = f"""<questestinterop><objectbank ident="QLIB_1"><section ident="S_2" title="Even">
      <item ident="OBJ_3" title="multi select"><itemmetadata><qtimetadata><qti_metadatafield>
      <fieldlabel>qmd_weighting</fieldlabel><fieldentry>3.000000000</fieldentry>
      </qti_metadatafield></qtimetadata></itemmetadata><presentation><flow>{html("<p>Which?</p>")}
      <response_lid ident="L" rcardinality="Multiple"><render_choice shuffle="no">{labels}
      </render_choice></response_lid></flow></presentation><resprocessing>
      <respcondition continue="yes"><conditionvar>{test(2)}{test(4)}<not>{test(1)}{test(3)}</not>
      </conditionvar><setvar action="Add">1</setvar></respcondition>
      <respcondition continue="no"><conditionvar><and><not>{test(2)}{test(4)}<not>{test(1)}{test(3)}
      </not></not></and></conditionvar><setvar action="Add">0</setvar></respcondition>
      </resprocessing></item></section></objectbank></questestinterop>"""
    found, lines = read_bank(content.encode(), "x.xml")
    (only,) = in_order(found).values()
    assert [o["id"] for o in only["options"] if o["correct"]] == ["b", "d"]
    assert found["quiz.yaml"]["points"] == "3"
    assert found["even.yaml"]["title"] == "Even"
    assert f"question 1: {ORDER}" in lines
    assert not any(SHARES in line for line in lines)


def test_many_questions_are_counted():
    choices = [choice(FOUR, single="false") for _ in range(14)]
    assert read_bank(moodle(*choices), "x")[1][1] == f"all questions: {NAMES}"
    choices[3] = choice(FOUR, single="false", name="")
    line = f"questions 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 1 more: {NAMES}"
    assert read_bank(moodle(*choices), "x")[1][1] == line


def test_what_is_said_on_wrong_answers_is_no_reason():
    rules = ONE + rule("<other/>", shown="general_incorrect_fb", goes_on="Yes")
    extra = said_on("general_incorrect_fb", "Alas.")
    content = assessment(item("multiple_choice_question", rules, LABELS, extra=extra))
    found, lines = read_bank(content, "x.xml")
    (only,) = in_order(found).values()
    assert {o["why"] for o in only["options"]} == {NO_REASON}
    assert f"question 1: {WHOLE}" in lines


def test_several_quizzes_in_a_package_are_sections():
    one = item("multiple_choice_question", ONE, LABELS)
    content = packed(
        **{
            "a.xml": assessment(one),
            "b.xml": assessment(one, title="Winds", ident="g2"),
            "c.xml": assessment(one, title="Winds", ident="g3"),
        }
    )
    found, lines = read_bank(content, "course.zip")
    in_order(found)
    assert found["quiz.yaml"]["sections"] == {"tides": 1, "winds": 1, "winds-2": 1}
    assert found["quiz.yaml"]["title"] == "course"
    assert lines[0] == "3 quizzes are in the file: they are sections of one bank now"


def test_a_bank_elsewhere_is_named():
    ref = "<selection_ordering><selection><sourcebank_ref>7</sourcebank_ref>"
    content = assessment(
        item("multiple_choice_question", ONE, LABELS),
        before=f'<section ident="x" title="Drawn">{ref}</selection></selection_ordering></section>',
    )
    _, lines = read_bank(content, "x.xml")
    assert "Drawn draws on a bank of its system's: export and import that as well" in lines


# --- files --------------------------------------------------------------------------------------

BOMB = b"""<!DOCTYPE quiz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><quiz>&b;</quiz>"""
OUTSIDE = b"""<!DOCTYPE quiz [<!ENTITY x SYSTEM "file:///etc/passwd">]><quiz>&x;</quiz>"""
UNFIT = {
    b"": "is no XML .*: export",
    b"{}": "is no XML .*: export",
    b"\xff\xfe\x00": "is no XML .*: export",
    b"<?xml version='1.0' encoding='nonsense'?><quiz/>": "is no XML .*: export",
    b"<quiz><question></quiz>": "is no XML .*: export",
    BOMB: "declares entities, which are not read: export",
    OUTSIDE: "declares entities, which are not read: export",
    b"<html/>": "is neither Moodle XML nor QTI 1.2 .it has <html>.: export",
    b"<assessmentItem xmlns='http://www.imsglobal.org/xsd/imsqti_v2p1'/>": "is QTI 2",
    b"<quiz/>": "has no question that a bank can hold: export",
    moodle(choice(FOUR, kind="essay")): "hold: question 1 .Tides. was left out: the type 'essay'",
    b"PK\x03\x04 and no more": "cannot be unpacked .*: export it again",
    packed(a=b"<quiz/>"): "is neither .*it has no XML.: export",
    packed(**{"a.xml": b"<assessmentTest/>", "imsmanifest.xml": b"<manifest/>"}): "is QTI 2",
    packed(**{"a/b.xml": b"<oops"}): ", a/b.xml: is no XML",
    packed(**{"a.xml": BOMB}): ", a.xml: declares entities",
}


@pytest.mark.parametrize("content", UNFIT, ids=range(len(UNFIT)))
def test_what_is_no_export_is_one_line(content):
    with pytest.raises(ValueError, match=f"^x.xml.*{UNFIT[content]}") as caught:
        read_bank(content, "x.xml")
    assert "\n" not in str(caught.value)


def test_neither_a_large_file_nor_a_bomb_is_read():
    with pytest.raises(ValueError, match="has more than 50 MB: export fewer"):
        read_bank(b"<quiz>" + bytes(imports.LARGEST), "x.xml")
    bomb = packed(**{f"{i}.xml": b" " * (imports.LARGEST // 2) for i in range(2)})
    nested = packed(**{"a.xml": b" " * (imports.LARGEST + 1)})
    assert len(nested) < 10**5
    with pytest.raises(ValueError, match="unpacks to more than 50 MB of XML: export fewer"):
        read_bank(nested, "x.zip")
    with pytest.raises(ValueError, match="no XML"):
        read_bank(bomb, "x.zip")


def test_a_size_that_a_package_lies_about_is_not_believed(monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 1000)
    honest = packed(**{"a.xml": b"<quiz>" + b" " * 5000 + b"</quiz>"})
    lying = honest.replace((5013).to_bytes(4, "little"), (13).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(ValueError, match=r"x\.zip"):
        read_bank(lying, "x.zip")


def test_ids_stay_short_and_of_their_own():
    long = "Averylongwordthathasnospaceinit and more"
    parts = [category(f"{n}/{long}") + choice(FOUR) * 120 for n in range(12)]
    found, _ = read_bank(moodle(*parts), "x.xml")
    assert len(in_order(found)) == 12 * 120


def test_xml_that_is_deep_is_read():
    deep = b"<quiz>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</quiz>"
    with pytest.raises(ValueError, match="no question"):
        read_bank(deep, "x.xml")


CANVAS = assessment(item(MANY, rule(exactly(["4317", "88"], "5"), "1"), LABELS))
SEEDS = [
    moodle(category("a/b"), choice(FOUR), choice(FOUR, kind="truefalse")),
    CANVAS,
    packed(**{"a.xml": CANVAS}),
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), max_size=4),
)
def test_a_damaged_file_is_a_bank_or_a_line(content, cuts):
    for place, length, instead in cuts:
        at = int(place * len(content))
        content = content[:at] + instead + content[at + length :]
    with suppress(ValueError):
        in_order(read_bank(content, "x")[0])
