"""Statistics against brute force, SciPy and covariances; the page against hostile names."""

import csv
import io
import itertools
import statistics
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from quizzes import SETTINGS
from scipy.stats import pointbiserialr

import quiz.bank
from cl_helpers.report.plots import alt_text
from quiz import figures, report
from quiz.grading import Paper, copies
from quiz.questions import Option, Question, Section

pytestmark = pytest.mark.filterwarnings("error")


def a_bank(keys: dict[str, str], n_options=4) -> quiz.bank.Bank:
    """A question for each id, with the options a, b, … and that key."""
    questions = tuple(
        Question(
            id=question,
            stem=f"What holds of `{question}` if 1 < 2?",
            topic="a topic",
            see="04_ewc",
            options=tuple(
                Option(
                    id=o,
                    text=f"statement {o} & more",
                    correct=o in key,
                    why=f"Because of {o}. " * 3,
                )
                for o in "abcdef"[:n_options]
            ),
        )
        for question, key in keys.items()
    )
    return quiz.bank.Bank(SETTINGS, [Section(section="toy", title="Toy", questions=questions)])


BANK = a_bank({"toy-1": "ab", "toy-2": "abcd", "toy-3": "c", "toy-4": "bd", "ewc-1": "acd"})


def answers(bank, n, seed=0) -> list[Paper]:
    """Papers by students of different strength, some questions left open."""
    rng = np.random.default_rng(seed)
    papers = []
    for i in range(n):
        strength = rng.uniform(0.5, 1)
        choices = {
            q: frozenset(o.id for o in question.options if (rng.random() < strength) == o.correct)
            for q, question in bank.questions.items()
            if rng.random() < 0.9
        }
        choices = {q: chosen for q, chosen in choices.items() if chosen}
        papers.append(Paper(f"student{i:04d}", choices, sheet=f"{i:08x}"))
    return papers


def right_and_rest(bank, papers, question) -> tuple[list[int], list[int]]:
    """For each paper, whether it earns it, and how many of the others it earns."""
    right = [{q: int(p.choices.get(q) == key) for q, key in bank.key.items()} for p in papers]
    return [r[question] for r in right], [sum(r.values()) - r[question] for r in right]


PAPERS = [p for p in answers(BANK, 80) if p.choices]


def test_items_are_what_counting_gives():
    table = report.items(BANK, PAPERS)
    assert list(table.index) == list(BANK.questions)
    for question, key in BANK.key.items():
        chosen = [p.choices.get(question, frozenset()) for p in PAPERS]
        right, rest = right_and_rest(BANK, PAPERS, question)
        wrong = [c for c in chosen if c and c != key]
        row = table.loc[question]
        assert row.answered == sum(map(bool, chosen)) < len(PAPERS)
        assert row.difficulty == pytest.approx(np.mean(right))
        assert row.discrimination == pytest.approx(pointbiserialr(right, rest).statistic)
        assert row.over == pytest.approx(np.mean([c > key for c in chosen]))
        assert row.under == pytest.approx(np.mean([bool(c) and c < key for c in chosen]))
        assert row.near == pytest.approx(np.mean([bool(c) and len(c ^ key) == 1 for c in chosen]))
        favourite = frozenset(row.wrong.split(", "))
        assert wrong.count(favourite) == max(map(wrong.count, wrong))
        assert row.wrong_share == pytest.approx(wrong.count(favourite) / len(PAPERS))


@pytest.mark.parametrize(("n_options", "key"), [(4, "ab"), (4, "abcd"), (5, "e"), (6, "acdf")])
def test_everybody_who_guesses_blindly_earns_what_chance_says(n_options, key):
    bank = a_bank({"toy-1": key}, n_options)
    letters, k = "abcdef"[:n_options], len(key)
    sets = [s for n in range(1, n_options + 1) for s in itertools.combinations(letters, n)]
    table = report.items(bank, [Paper(str(i), {"toy-1": frozenset(s)}) for i, s in enumerate(sets)])
    row = table.loc["toy-1"]
    assert row.difficulty == row.chance == 1 / len(sets)
    assert row.over == pytest.approx((2 ** (n_options - k) - 1) / len(sets))
    assert row.under == pytest.approx((2**k - 2) / len(sets))
    # One of n options off; but to take away the only correct one leaves the question open.
    assert row.near == pytest.approx((n_options - (k == 1)) / len(sets))
    assert row.wrong == ("a, b" if key == "a" else "a")  # all are as frequent: the first
    assert np.isnan(row.discrimination)  # there is no rest


def test_options_are_what_counting_gives():
    table = report.options(BANK, PAPERS)
    assert list(table.index) == [(q, o.id) for q, x in BANK.questions.items() for o in x.options]
    for (question, option), row in table.iterrows():
        ticked = [int(option in p.choices.get(question, ())) for p in PAPERS]
        _, rest = right_and_rest(BANK, PAPERS, question)
        assert row.share == pytest.approx(np.mean(ticked))
        assert row.correct == (option in BANK.key[question])
        assert row.discrimination == pytest.approx(pointbiserialr(ticked, rest).statistic)


def test_kr20_is_cronbachs_alpha_of_right_and_wrong():
    right = np.array([right_and_rest(BANK, PAPERS, q)[0] for q in BANK.key])
    covariance, k = np.cov(right), len(right)
    alpha = k / (k - 1) * (1 - covariance.trace() / covariance.sum())
    assert 0.1 < alpha < 0.9
    assert report.kr20(BANK, PAPERS) == pytest.approx(alpha)


def by_pattern(*patterns: str) -> tuple[quiz.bank.Bank, list[Paper]]:
    """A paper for each pattern, such as "10": the first right, the second wrong."""
    bank = a_bank({f"toy-{i}": "a" for i in range(1, len(patterns[0]) + 1)})
    return bank, [
        Paper(f"s{n}", {q: frozenset("ba"[int(c)]) for q, c in zip(bank.key, pattern, strict=True)})
        for n, pattern in enumerate(patterns)
    ]


@pytest.mark.parametrize(
    ("patterns", "kr20"),
    [
        (["11", "00"], 1),  # the same question twice
        (["11", "10", "01", "00"], 0),  # nothing in common
        (["111", "100", "010", "001"], 0),  # p(1 − p) = 1/4 thrice, variance 3/4
        (["111", "000", "000"], 1),
        (["110", "001", "111"], 3 / 2 * (1 - (2 / 9 * 3) / (2 / 3))),
        (["1", "0"], np.nan),
        (["10", "01"], np.nan),  # all scores are the same
        (["11"], np.nan),
    ],
)
def test_kr20_by_hand(patterns, kr20):
    assert report.kr20(*by_pattern(*patterns)) == pytest.approx(kr20, nan_ok=True)


def test_the_overview_is_in_points():
    scores = [float(p.score(BANK)) for p in PAPERS]
    found = report.overview(BANK, PAPERS)
    assert found["papers"] == len(PAPERS)
    assert found["mean"] == pytest.approx(statistics.fmean(scores))
    assert found["median"] == pytest.approx(statistics.median(scores))
    assert found["sd"] == pytest.approx(statistics.pstdev(scores))
    assert found["kr20"] == report.kr20(BANK, PAPERS)
    assert found["sem"] ** 2 == pytest.approx(found["sd"] ** 2 * (1 - found["kr20"]))


def test_a_question_that_all_or_none_get_has_no_discrimination():
    bank, papers = by_pattern("101", "100", "101")
    assert (
        report.items(bank, papers)["discrimination"].isna().all()
    )  # the rest of the third varies not
    assert report.options(bank, papers).loc[("toy-1", "a"), "share"] == 1


def test_late_empty_and_unreadable_papers_are_in_no_statistic():
    others = [
        replace(PAPERS[0], student="late", late=True),
        Paper("empty"),
        Paper("broken", problems=("answers.json: it is not JSON",)),
    ]
    mixed = [others[0], *PAPERS[:40], *others[1:], *PAPERS[40:]]
    pd.testing.assert_frame_equal(report.items(BANK, mixed), report.items(BANK, PAPERS))
    pd.testing.assert_frame_equal(report.options(BANK, mixed), report.options(BANK, PAPERS))
    assert report.overview(BANK, mixed) == report.overview(BANK, PAPERS)
    assert report.flags(BANK, mixed) == report.flags(BANK, PAPERS)


chosen = st.dictionaries(
    st.sampled_from(list(BANK.key)), st.frozensets(st.sampled_from("abcd"), min_size=1)
)
some_papers = st.lists(
    st.builds(Paper, st.text(max_size=3), chosen, late=st.booleans()), max_size=12
)


@settings(deadline=None, max_examples=40)
@given(some_papers, st.randoms())
def test_the_order_of_papers_changes_nothing_and_shares_are_shares(papers, random):
    table, ticks, whole = (f(BANK, papers) for f in (report.items, report.options, report.overview))
    shares = table[["difficulty", "over", "under", "near", "wrong_share"]]
    if whole["papers"]:
        assert shares.min(axis=None) >= 0
        assert (shares[["difficulty", "over", "under"]].sum(axis=1) <= 1 + 1e-9).all()
    else:
        assert shares.isna().all(axis=None)
    correlations = pd.concat([table["discrimination"], ticks["discrimination"]]).dropna()
    assert (correlations.abs() <= 1 + 1e-9).all()
    assert not whole["kr20"] > 1 + 1e-9
    random.shuffle(papers)
    pd.testing.assert_frame_equal(report.items(BANK, papers), table)
    pd.testing.assert_frame_equal(report.options(BANK, papers), ticks)
    assert report.overview(BANK, papers) == pytest.approx(whole, nan_ok=True)


def test_flags_find_a_wrong_key_and_what_is_too_hard_or_too_easy():
    """Forty students, the better half of whom get three sound questions right."""
    key = {f"toy-{i}": "a" for i in range(1, 4)} | {"key-1": "b", "hard-1": "d", "easy-1": "a"}
    bank = a_bank(key)
    papers = []
    for i in range(40):
        strong = i % 2
        sound = {f"toy-{j}": frozenset("ca"[strong or (i == 4 * j)]) for j in range(1, 4)}
        rest = {"key-1": "ba"[strong], "hard-1": "cd"[i < 6], "easy-1": "ba"[i > 0]}
        papers.append(Paper(f"s{i}", sound | {q: frozenset(o) for q, o in rest.items()}))
    assert report.flags(bank, papers) == {
        "key-1": [
            "strong students get it wrong: check the key",
            "strong students choose a, which the key calls wrong",
            "strong students leave out b, which the key calls correct",
        ],
        "hard-1": ["hardly better than guessing: 15% earn it, 7% would blindly"],
        "easy-1": ["nearly everybody gets it: it tells nobody apart"],
    }
    assert "everybody gets it: it tells nobody apart" in report.flags(bank, papers[1:])["easy-1"]
    assert report.flags(bank, papers[: report.FEW - 1]) == {}
    assert report.flags(bank, papers[: report.FEW])


def test_a_discrimination_that_chance_would_show_is_not_spoken_of():
    """Answers that have nothing to do with each other: a hint in twenty at most, and a bit."""
    bank = a_bank({f"toy-{i}": "ab" for i in range(1, 26)})
    rng = np.random.default_rng(0)
    sets = [frozenset("ab"), frozenset("ab"), frozenset("ac"), frozenset("bd"), frozenset("abcd")]
    hints = 0
    for _ in range(8):
        papers = [Paper(str(i), {q: sets[rng.integers(5)] for q in bank.key}) for i in range(30)]
        hints += sum(map(len, report.flags(bank, papers).values()))
    assert 0 < hints / (8 * 25 * 5) < 0.07


def test_copies_share_a_sheet_but_not_a_student():
    papers = [
        Paper("carol", sheet="01"),
        Paper("alice", sheet="01", late=True),
        Paper("bob", sheet="02"),
        Paper("bob", sheet="02"),
        Paper("s1"),
        Paper("s2"),
    ]
    assert copies(papers) == [["alice", "carol"]]


# The page ------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>"
FORMULA = "=cmd|'/c calc'!A1"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a report with something in every section."""
    first, second, third, *rest = PAPERS
    papers = [
        replace(first, late=True, submitted=datetime(2026, 5, 4, 8), receipt="AAAA-BBBB"),
        replace(second, student=HOSTILE, problems=(f'toy-1: "{FORMULA}" <img src=x onerror=y>',)),
        replace(third, student=FORMULA, sheet=rest[0].sheet, problems=("-1", "\r=1+1")),
        Paper("bob\r=1+1", {q: frozenset(key) for q, key in BANK.key.items()}, receipt="@x"),
        Paper("broken", problems=("answers.json: it is larger than 64 KB",)),
        Paper("\udcffcarol"),
        *rest,
    ]
    folder = tmp_path_factory.mktemp("report")
    due = datetime(2026, 5, 3, 12, tzinfo=timezone(timedelta(hours=2)))
    page = report.write(BANK, papers, folder, title="Quiz <b> & co", due=due)
    assert page == folder / "report.html"
    return folder, papers


@pytest.fixture(scope="module")
def soup(written):
    return BeautifulSoup((written[0] / "report.html").read_text("utf-8"), "html.parser")


def section(soup, heading: str) -> str:
    return soup.find("section", attrs={"aria-labelledby": heading}).get_text(" ", strip=True)


class Nesting(HTMLParser):
    """Every tag is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()


def test_the_page_is_well_formed_and_needs_nothing_else(written, soup):
    parser = Nesting()
    parser.feed((written[0] / "report.html").read_text("utf-8"))
    parser.close()
    assert parser.open == []
    assert soup.html["lang"] == "en"
    assert not soup.find_all(["script", "link", "iframe", "object", "base", "form"])
    for tag in soup.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on")]
        for address in (tag.get("src", "data:image/png"), tag.get("href", "#")):
            assert address.startswith(("data:image/png", "#"))
    assert "url(" not in soup.style.text
    assert "@import" not in soup.style.text
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in soup.find_all("a")} <= set(ids)
    assert {
        tag["aria-labelledby"] for tag in soup.find_all(attrs={"aria-labelledby": True})
    } <= set(ids)


def test_tables_have_captions_and_headers_a_scope(soup):
    tables = soup.find_all("table")
    assert len(tables) == 3 + len(BANK.questions)
    for table in tables:
        assert table.caption.text.strip()
        assert all(th.get("scope") in {"row", "col"} for th in table.find_all("th"))
        widths = {len(row.find_all(["th", "td"])) for row in table.find_all("tr")}
        assert len(widths) == 1


def test_images_are_the_files_and_say_what_they_show(written, soup):
    names = ["scores", "items", "options"]
    assert len(soup.find_all("img")) == len(names)
    for name, image in zip(names, soup.find_all("img"), strict=True):
        file = written[0] / f"{name}.png"
        assert b64decode(image["src"].removeprefix("data:image/png;base64,")) == file.read_bytes()
        with Image.open(file) as png:
            assert len(image["alt"]) > 60
            assert png.text["Description"] == image["alt"]


def test_the_page_says_who_counts_and_who_does_not(written, soup):
    _, papers = written
    n = sum(bool(p.choices) and not p.late for p in papers)
    assert n == len(papers) - 3
    header = " ".join(soup.header.text.split())
    assert f"{n} of {len(papers)} papers are in the statistics" in header
    assert "not in the statistics" in header
    assert "Due 2026-05-03 10:00:00 UTC." in header
    assert soup.h1.text == "Quiz <b> & co"
    overview = report.overview(BANK, papers)
    shown = {div.dt.text: div.dd.text for div in soup.dl.find_all("div")}
    assert shown["mean score"] == f"{overview['mean']:.2f}"
    assert shown["reliability (KR-20)"] == f"{overview['kr20']:.2f}"
    assert PAPERS[0].student in section(soup, "late")
    assert "2026-05-04 08:00:00 UTC" in section(soup, "late")
    assert "broken answers.json" not in section(soup, "late")
    assert "answers.json: it is larger than 64 KB" in section(soup, "unread")
    assert "broken" in section(soup, "empty")
    assert f"{FORMULA}, {PAPERS[3].student}" in section(soup, "copies")


def test_what_a_student_wrote_is_text(written, soup):
    text = (written[0] / "report.html").read_text("utf-8")
    assert HOSTILE in soup.get_text()
    assert HOSTILE not in text
    assert "<img src=x" in soup.get_text()
    assert "<img src=x" not in text


def test_each_question_has_its_options_with_shares_and_whys(written, soup):
    ticks = report.options(BANK, written[1])
    for question in BANK.questions.values():
        article = soup.find("article", id=question.id)
        assert question.stem.replace("`", "") in article.p.text
        assert article.code.text == question.id
        rows = article.tbody.find_all("tr")
        for option, row in zip(question.options, rows, strict=True):
            share = ticks.loc[(question.id, option.id), "share"]
            assert option.text in row.text
            assert option.why.strip() in row.text
            assert row.find_all("td")[1].text.strip() == f"{share:.0%}"
            assert row.find("span", style=True)["style"] == f"width: {share:.0%}"
            assert ("✓" in row.th.text) == ("correct" in row.th.text) == option.correct


def test_hints_stand_at_the_top_and_at_the_question(tmp_path):
    bank, papers = by_pattern(*["11"] * 12)
    page = report.write(bank, papers, tmp_path, title="Toy")
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    assert "toy-2 : everybody gets it" in section(soup, "look")
    assert "everybody gets it" in soup.find("article", id="toy-2").find(class_="flags").text
    assert all(
        section(soup, name).endswith("None.") for name in ("unread", "late", "empty", "copies")
    )
    assert "Due" not in soup.header.text


def read_csv(path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_csv_cells_are_no_formulas(written):
    folder, papers = written
    lines = (folder / "papers.csv").read_bytes().decode("utf-8-sig")
    for line in csv.reader(io.StringIO(lines, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)
    rows = {row["student"]: row for row in read_csv(folder / "papers.csv")}
    assert len(rows) == len(papers)
    assert rows[f"'{FORMULA}"]["problems"] == "'-1; \r'=1+1"
    assert rows["bob\r=1+1"]["receipt"] == "'@x"
    # Whoever takes a lone "\r" for a new line finds it between quotes.
    assert '"bob\r=1+1"' in lines


@pytest.mark.parametrize("start", list("=+-@\t\r\n＝"))
def test_every_beginning_of_a_formula_is_disarmed(start):
    content = report._csv(pd.DataFrame({"cell": [start + "1", "1" + start, -1.5, Decimal(-1)]}))
    cells = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [c for (c,) in cells] == ["cell", f"'{start}1", f"1{start}", "-1.5", "-1"]


def test_papers_csv_has_exact_scores(tmp_path):
    bank = a_bank({f"toy-{i}": "ab" for i in range(1, 26)})
    full = {q: frozenset("ab") for q in bank.key}
    papers = [
        Paper("bob", full, late=True, submitted=datetime(2026, 5, 1, 9, 30)),
        Paper("alice", full, receipt="ABCD-EFGH"),
        Paper("carol", {q: full[q] for q in list(full)[:3]}),
    ]
    report.write(bank, papers, tmp_path / "new", title="Toy", due="3 May")
    rows = [tuple(row.values()) for row in read_csv(tmp_path / "new" / "papers.csv")]
    assert rows == [
        ("alice", "", "no", "10", "ABCD-EFGH", ""),
        ("bob", "2026-05-01 09:30:00 UTC", "yes", "0", "", ""),
        ("carol", "", "no", "1.2", "", ""),
    ]
    assert list(read_csv(tmp_path / "new" / "papers.csv")[0]) == [
        "student", "submitted", "late", "score", "receipt", "problems"
    ]  # fmt: skip


def test_the_tables_as_csv(written):
    folder, papers = written
    items, options = report.items(BANK, papers), report.options(BANK, papers)
    for row in read_csv(folder / "items.csv"):
        expected = items.loc[row["question"]]
        assert float(row["difficulty"]) == pytest.approx(expected.difficulty, abs=1e-4)
        assert row["wrong"] == expected.wrong
    for row in read_csv(folder / "options.csv"):
        expected = options.loc[(row["question"], row["option"])]
        assert float(row["share"]) == pytest.approx(expected.share, abs=1e-4)
        assert row["correct"] == str(expected.correct)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_papers_are_enough(tmp_path, n):
    papers = answers(BANK, 3, seed=5)[:n]
    soup = BeautifulSoup(
        report.write(BANK, papers, tmp_path, title="Toy").read_text("utf-8"), "html.parser"
    )
    assert f"{n} of {n} papers" in soup.header.text
    assert "too few for hints" in section(soup, "look")
    assert "nan" not in soup.get_text(" ").lower().split()
    assert len(read_csv(tmp_path / "papers.csv")) == n
    if n == 0:
        shown = {div.dt.text: div.dd.text for div in soup.dl.find_all("div")}
        assert shown.pop("papers that count") == "0"
        assert set(shown.values()) == {"–"}


def test_the_real_quiz_with_a_thousand_papers(tmp_path):
    bank = quiz.bank.load()
    papers = answers(bank, 1000)
    page = report.write(bank, papers, tmp_path, title="Quiz")
    assert len(BeautifulSoup(page.read_text("utf-8"), "html.parser").find_all("article")) == 25


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="choose another folder"):
        report.write(BANK, PAPERS, tmp_path / "file", title="Toy")


# The figures ---------------------------------------------------------------------------------


def test_bars_are_the_papers_with_that_score():
    scores = [Decimal("0.4"), Decimal(2), Decimal("0.4"), Decimal(0)]
    figure = figures.scores(scores, Decimal(2), Decimal("0.4"))
    bars = {round(b.get_x() + b.get_width() / 2, 6): b.get_height() for b in figure.axes[0].patches}
    assert bars == {0.4: 2, 2: 1, 0: 1}
    assert "4 in all, from 0 to 2 of 2 points, mean 0.70" in alt_text(figure)


def test_correct_options_are_hatched_and_ticked():
    table = report.options(BANK, PAPERS)
    figure = figures.option_shares(table)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == list(BANK.questions)
    for ax in panels:
        mine = table.loc[ax.get_title()]
        assert [bar.get_width() for bar in ax.patches] == pytest.approx(list(mine["share"]))
        assert [bool(bar.get_hatch()) for bar in ax.patches] == list(mine["correct"])
        assert [t.get_text().startswith("✓") for t in ax.get_yticklabels()] == list(mine["correct"])
        assert [t.get_text() for t in ax.texts] == [f"{share:.0%}" for share in mine["share"]]


def test_names_on_the_map_are_in_the_frame_and_cover_nothing():
    rng = np.random.default_rng(1)
    names = [f"{s}-{i}" for s in ("ewc", "si", "others", "basics", "mas") for i in range(1, 6)]
    table = pd.DataFrame(
        {"difficulty": rng.uniform(0.2, 1, 25), "discrimination": rng.uniform(0.2, 0.5, 25)}, names
    )
    table.loc["ewc-2"] = table.loc["ewc-1"]
    table.loc["si-5", "discrimination"] = np.nan
    figure = figures.item_map(table)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert {t.get_text() for t in ax.texts} == {"ewc-1, ewc-2", *names[2:]} - {"si-5"}
    # Without the lines that lead to the points.
    boxes = [super(type(t), t).get_window_extent() for t in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(ax.bbox.contains(*box.min) and ax.bbox.contains(*box.max) for box in boxes)
    dots = ax.transData.transform(table.dropna().to_numpy())
    assert not any(box.contains(*dot) for box in boxes for dot in dots)
    assert "Without a discrimination: si-5." in alt_text(figure)


def test_many_questions_in_one_place_share_a_name():
    table = pd.DataFrame({"difficulty": 0.5, "discrimination": 1.0}, [f"si-{i}" for i in range(7)])
    assert [t.get_text() for t in figures.item_map(table).axes[0].texts] == ["si-0 and 6 more"]
