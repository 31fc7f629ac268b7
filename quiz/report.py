"""What a graded quiz says about its questions: item analysis, hints, and a page for the instructor.

Papers count in the statistics if they were in time and answer anything; every share is of these. A
question that a paper leaves open counts as not earned, as it does in the score. Discrimination is
the correlation with the score of the *rest* of the quiz, so that no question vouches for itself.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Template
from markupsafe import Markup

from cl_helpers.files import replacing, writable
from cl_helpers.formats import format_number, format_percent
from cl_helpers.report.plots import alt_text, data_url, png

from . import figures
from .bank import Bank
from .export import harmless
from .feedback import prose
from .grading import Paper, copies, exact
from .pages import template
from .questions import Option

FEW = 10  # papers; a hint from fewer would be a guess
NEAR_CHANCE = 0.1  # earned by no more than so much above what blind guesses would
NEARLY_ALL = 0.95


def counts(paper: Paper) -> bool:
    """Whether it is in the statistics."""
    return bool(paper.choices) and not paper.late


def items(bank: Bank, papers: Sequence[Paper]) -> pd.DataFrame:
    """A row a question; shares of the papers that count, NaN where there is none.

    Columns:
        answered: how many papers chose anything.
        difficulty: share that earns it: 1 is the easiest.
        discrimination: correlation of earning it with the score of the rest; NaN if either is
            the same for all.
        chance: share that blind guessing would earn: one of 2^k − 1 sets of k options; the mean
            over the variants.
        over: share with all the correct options and others too.
        under: share with only correct options, but not all of them.
        near: share that is exactly one option off; may be over or under as well.
        wrong: the most frequent wrong set; the first in the alphabet of several.
        wrong_share: share that chose that set.
    """
    right, ticked, correct = _right(bank, papers), _ticked(bank, papers), _correct(bank)
    # A question has as many options as each student sees; a blind guess is one set of them.
    blind = {
        q: np.mean([1 / (2.0 ** len(v.options) - 1) for v in each])
        for q, each in bank.variants.items()
    }
    extra, missed = _by_question(ticked * ~correct), _by_question((1 - ticked) * correct)
    answered = _by_question(ticked) > 0
    wrong, n_wrong = zip(
        *(_favourite_mistake(q, bank, papers) for q in bank.questions), strict=True
    )
    return pd.DataFrame(
        {
            "answered": answered.sum(),
            "difficulty": right.mean(),
            "discrimination": right.corrwith(_rest(right)),
            "chance": pd.Series(blind),
            "over": (answered & (missed == 0) & (extra > 0)).mean(),
            "under": (answered & (missed > 0) & (extra == 0)).mean(),
            "near": (answered & (missed + extra == 1)).mean(),
            "wrong": wrong,
            "wrong_share": np.array(n_wrong) / (len(right) or np.nan),
        }
    ).rename_axis("question")


def options(bank: Bank, papers: Sequence[Paper]) -> pd.DataFrame:
    """A row an option, by question and option: share that ticked it, correct, discrimination.

    Shares are of those who saw the option. Of a generated question each variant has its own.
    Its discrimination is the correlation of ticking it with the score of the other questions:
    above 0 for what the strong students tick.
    """
    ticked = _ticked(bank, papers)
    rest = _rest(_right(bank, papers))[ticked.columns.get_level_values("question")]
    strong = ticked.corrwith(rest.set_axis(ticked.columns, axis=1))
    columns = {"share": ticked.mean(), "correct": _correct(bank), "discrimination": strong}
    return pd.DataFrame(columns)


def variants(bank: Bank, papers: Sequence[Paper]) -> dict[str, list[dict[str, Any]]]:
    """Question -> stem, papers and the share that earns it, of each of its variants.

    Only of questions that have several: one that few earn is another question than its sisters.
    """
    earned = [(paper, paper.points(bank)) for paper in papers if counts(paper)]
    found: dict[str, list[dict[str, Any]]] = {}
    for question, several in bank.variants.items():
        for variant in several if len(several) > 1 else ():
            mine = [
                points[question] > 0
                for p, points in earned
                if bank.asked(question, p.student) is variant
            ]
            row = {
                "variant": variant,
                "papers": len(mine),
                "earned": np.mean(mine) if mine else np.nan,
            }
            found.setdefault(question, []).append(row)
    return found


def kr20(bank: Bank, papers: Sequence[Paper]) -> float:
    """Kuder and Richardson's formula 20 (1937): how reliably the quiz as a whole measures.

        k / (k − 1) · (1 − Σ p (1 − p) / σ²),    k questions, σ² the variance of their number right

    NaN for one question, or if all have the same score. Below 0 if questions contradict another.
    """
    right = _right(bank, papers)
    k, p = right.shape[1], right.mean()
    variance = right.sum(axis=1).var(ddof=0)
    if k < 2 or not variance > 0:
        return np.nan
    return float(k / (k - 1) * (1 - (p * (1 - p)).sum() / variance))


def overview(bank: Bank, papers: Sequence[Paper]) -> dict[str, float]:
    """The quiz as a whole, in points; NaN where nothing is defined.

    sd is that of these papers (divided by their number, as in `kr20`). sem, the standard error of
    measurement, is sd · √(1 − kr20): how far a score is typically off by luck.
    """
    points = _right(bank, papers).sum(axis=1) * float(bank.points)
    sd, reliability = points.std(ddof=0), kr20(bank, papers)
    return {
        "papers": len(points),
        "mean": points.mean(),
        "median": points.median(),
        "sd": sd,
        "kr20": reliability,
        "sem": sd * np.sqrt(np.maximum(0, 1 - reliability)),
    }


def flags(bank: Bank, papers: Sequence[Paper]) -> dict[str, list[str]]:
    """Question id -> what needs a look, in words; only where something does.

    A discrimination is only spoken of where pure chance would show it once in twenty times.
    """
    n = sum(map(counts, papers))
    if n < FEW:
        return {}
    clear = max(0.1, 1.64 / np.sqrt(n))
    ticks = options(bank, papers).to_dict("index")
    found = {}
    for question, item in items(bank, papers).to_dict("index").items():
        hints = []
        if item["difficulty"] < item["chance"] + NEAR_CHANCE:
            hints.append(
                f"hardly better than guessing: {item['difficulty']:.0%} earn it, "
                f"{item['chance']:.0%} would blindly"
            )
        if item["difficulty"] > NEARLY_ALL:
            nearly = "" if item["difficulty"] == 1 else "nearly "
            hints.append(f"{nearly}everybody gets it: it tells nobody apart")
        if item["discrimination"] < -clear:
            hints.append("strong students get it wrong: check the key")
        for option in _options(bank, str(question)):
            # Of strong students for it; NaN, which is neither, if hardly anybody saw it.
            taste = ticks[question, option.id]["discrimination"]
            if not option.correct and taste > clear:
                hints.append(f"strong students choose {option.id}, which the key calls wrong")
            if option.correct and taste < -clear:
                hints.append(f"strong students leave out {option.id}, which the key calls correct")
        if hints:
            found[str(question)] = hints
    return found


def write(
    bank: Bank,
    papers: Sequence[Paper],
    folder: str | os.PathLike,
    *,
    title: str,
    due: datetime | str | None = None,
    extensions: Mapping[str, datetime] = {},
    missing: Sequence[str] = (),
) -> Path:
    """Write report.html, its figures as PNG, items.csv, options.csv and papers.csv.

    Args:
        due: the deadline; in UTC, if it has no time zone.
        extensions: student -> a deadline of one's own.
        missing: who is on the roster and has handed in nothing.

    Returns:
        The page. It needs no other file and no network.

    Raises:
        ValueError: the folder cannot be written to.
    """
    folder = writable(Path(folder))
    papers = sorted(papers, key=lambda paper: paper.student)
    questions, ticks = items(bank, papers), options(bank, papers)
    counted = [paper for paper in papers if counts(paper)]
    charts = {
        "scores": figures.scores(
            [exact(p.score(bank)) for p in counted], exact(bank.most), bank.points
        ),
        "items": figures.item_map(questions),
        "options": figures.option_shares(
            ticks[~ticks.index.isin(bank.generators, level="question")]
        ),
    }
    images = {name: png(chart) for name, chart in charts.items()}
    page = _page().render(
        bank=bank,
        most=exact(bank.most),
        papers=papers,
        title=title,
        due=due,
        counted=counted,
        overview=overview(bank, papers),
        items=questions.to_dict("index"),
        options=ticks.to_dict("index"),
        variants=variants(bank, papers),
        extensions=extensions,
        missing=missing,
        flags=flags(bank, papers),
        few=FEW,
        copies=copies(papers),
        images={name: (data_url(images[name]), alt_text(c)) for name, c in charts.items()},
    )
    files = {
        "report.html": page.encode("utf-8", "replace"),
        "items.csv": _csv(questions.reset_index()),
        "options.csv": _csv(ticks.reset_index()),
        "papers.csv": _csv(_as_table(bank, papers)),
        **{f"{name}.png": image for name, image in images.items()},
    }
    for name, content in files.items():
        with replacing(folder / name) as file:
            file.write(content)
    return folder / "report.html"


def _right(bank: Bank, papers: Sequence[Paper]) -> pd.DataFrame:
    """Papers that count × questions: 1 if it earns its points, by the rule that grades."""
    rows = [[p > 0 for p in paper.points(bank).values()] for paper in papers if counts(paper)]
    return pd.DataFrame(rows, columns=list(bank.questions), dtype=int)


def _ticked(bank: Bank, papers: Sequence[Paper]) -> pd.DataFrame:
    """Papers that count × (question, option): 1 if it was chosen, NaN where it was not shown."""

    def row(paper: Paper) -> Iterator[float]:
        for question in bank.questions:
            shown = bank.asked(question, paper.student).ids
            chosen = paper.choices.get(question, ())
            for option in _options(bank, question):
                yield option.id in chosen if option.id in shown else np.nan

    rows = [[*row(p)] for p in papers if counts(p)]
    return pd.DataFrame(rows, columns=_columns(bank), dtype=float)


def _correct(bank: Bank) -> pd.Series:
    """(question, option) -> whether it is correct."""
    correct = [option.id in bank.key[q] for q in bank.questions for option in _options(bank, q)]
    return pd.Series(correct, index=_columns(bank))


def _columns(bank: Bank) -> pd.MultiIndex:
    columns = [(q, option.id) for q in bank.questions for option in _options(bank, q)]
    return pd.MultiIndex.from_tuples(columns, names=["question", "option"])


def _options(bank: Bank, question: str) -> list[Option]:
    """All options of a question; of all its variants, if it is generated."""
    if question in bank.generators:
        return [option for variant in bank.variants[question] for option in variant.options]
    return [*bank.questions[question].options]


def _by_question(ticked: pd.DataFrame) -> pd.DataFrame:
    """How many options of each question."""
    return ticked.T.groupby(level="question", sort=False).sum().T


def _rest(right: pd.DataFrame) -> pd.DataFrame:
    """How many of the *other* questions each paper earns."""
    return right.rsub(right.sum(axis=1), axis=0)


def _favourite_mistake(question: str, bank: Bank, papers: Sequence[Paper]) -> tuple[str, int]:
    """The wrong set that most papers chose, and how many did."""
    answered = [p for p in papers if counts(p) and question in p.choices]
    chosen = Counter(
        p.choices[question]
        for p in answered
        if p.choices[question] != bank.asked(question, p.student).key
    )
    wrong = [(", ".join(sorted(options)), n) for options, n in chosen.items()]
    return min(wrong, key=lambda w: (-w[1], w[0]), default=("", 0))


def _as_table(bank: Bank, papers: Sequence[Paper]) -> pd.DataFrame:
    """For the registrar: a row a paper, scores exact."""
    return pd.DataFrame(
        {
            "student": [p.student for p in papers],
            "submitted": [_moment(p.submitted) for p in papers],
            "late": ["yes" if p.late else "no" for p in papers],
            "score": [exact(p.score(bank)) for p in papers],
            "receipt": [p.receipt for p in papers],
            "problems": ["; ".join(p.problems) for p in papers],
        }
    )


def _csv(table: pd.DataFrame) -> bytes:
    """For any spreadsheet: no cell is a formula, and Excel sees that it is UTF-8."""
    # Quoted, or a "\r" in a cell would begin a row.
    text = table.map(harmless).to_csv(
        index=False, lineterminator="\r\n", float_format="%.4f", quoting=csv.QUOTE_NONNUMERIC
    )
    return text.encode("utf-8-sig", "replace")


def _moment(when: datetime | str | None) -> str:
    if not isinstance(when, datetime):
        return when or ""
    return f"{when.astimezone(UTC) if when.tzinfo else when:%Y-%m-%d %H:%M:%S} UTC"


def _page() -> Template:
    return template(
        "report.html.j2",
        percent=format_percent,
        number=format_number,
        moment=_moment,
        prose=lambda text: Markup(prose(text)),
    )
