"""QTI 1.2, as Canvas and others export it: an item with one choice among options.

The key is found by running the item's own scoring, and what that does not bear out is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import takewhile
from xml.etree.ElementTree import Element

from cl_helpers.formats import format_printable

from . import question as asked
from .question import Group, LeftOutError, Option, Question, Report, number
from .text import IMAGES


def read_qti(roots: list[Element], report: Report) -> tuple[str, list[Group]]:
    """A title, if there is one, and a group for each section or bank that has questions."""
    titles = [root.find("assessment[@title]") for root in roots]
    names = [node.get("title", "") for node in titles if node is not None]
    if len(roots) > 1:
        report.say(f"{len(roots)} quizzes are in the file: they are sections of one bank now")
    groups = [
        group
        for root in roots
        for node in root.iter()
        if (group := _group(root, node, report)).questions
    ]
    return names[0] if len(names) == 1 else "", groups


def _group(root: Element, node: Element, report: Report) -> Group:
    quiz = root.find("assessment")
    outer = "" if quiz is None else quiz.get("title", "")
    title = node.get("title") or _fields(node, "qtimetadata").get("bank_title", "")
    path = tuple(dict.fromkeys(name for name in (outer, title) if name))
    group = Group(path, node.get("ident", ""))
    which = format_printable(title) or "a section"
    if node.find("selection_ordering/selection/sourcebank_ref") is not None:
        report.say(f"{which} draws on a bank of its system's: export and import that as well")
    elif node.find("selection_ordering/selection/selection_number") is not None:
        report.say(f"{which} draws some of its questions; here are all")
    for item in node.findall("item"):
        with report.question(item.get("title", "")):
            group.questions.append(_question(item, report))
    return group


def _fields(node: Element, path: str) -> dict[str, str]:
    found = node.findall(f"{path}/*[fieldlabel]")
    return {f.findtext("fieldlabel", ""): f.findtext("fieldentry", "").strip() for f in found}


def _question(item: Element, report: Report) -> Question:
    fields = _fields(item, "itemmetadata/qtimetadata")
    response, choices = _choice(item, fields)
    labels = {node.get("ident", "").strip(): node for node in choices.iter("response_label")}
    asked.check_number_of_options(len(labels))
    rules = _Rules(item)
    single = response.get("rcardinality", "Single") == "Single"
    try:
        key, by_shares = (rules.key_of_one if single else rules.key)(list(labels))
    except RecursionError:
        raise LeftOutError("its scoring is too deep to be read") from None
    report.change(asked.SINGLE, single)
    report.change(asked.SHARES, by_shares)
    report.change(asked.ORDER, choices.get("shuffle", "").lower() == "no")
    feedback = {
        node.get("ident", ""): _material(node.iter("material"), report)
        for node in item.findall("itemfeedback")
    }
    whys = {ident: rules.feedback_on(ident) for ident in labels}
    general = rules.general_feedback()
    used = {*general}.union(*whys.values())
    report.change(asked.WHOLE, any(text for f, text in feedback.items() if f not in used))
    options = [
        Option(
            _material(label.iter("material"), report),
            ident in key,
            _first(feedback, whys[ident]),
        )
        for ident, label in labels.items()
    ]
    within = set(choices.iter("material"))
    return Question(
        report.number,
        ident=item.get("ident", ""),
        name=item.get("title", ""),
        stem=_material(
            (node for node in item.findall("presentation//material") if node not in within), report
        ),
        options=options,
        general=_first(feedback, general),
        points=asked.worth(fields.get("points_possible") or fields.get("qmd_weighting")),
    ).fit(report)


def _choice(item: Element, fields: dict[str, str]) -> tuple[Element, Element]:
    """Where the answer goes, and the options, if there is one such place and no other."""
    kinds = {"response_lid", "response_str", "response_num", "response_xy", "response_grp"}
    responses = [node for node in item.iter() if node.tag in kinds]
    only = responses[0] if len(responses) == 1 else item
    if only.tag == "response_lid" and only.get("rcardinality") != "Ordered":
        for choices in only.iter("render_choice"):
            return only, choices
    names = ("question_type", "cc_profile", "qmd_itemtype", "qmd_questiontype")
    kind = next((fields[name] for name in names if fields.get(name)), "")
    what = f"the type {kind!r} is" if kind else "it has"
    raise LeftOutError(f"{what} no choice among options")


def _first(feedback: dict[str, str], idents: list[str]) -> str:
    return next((feedback[ident] for ident in idents if feedback.get(ident)), "")


def _material(nodes: Iterable[Element], report: Report) -> str:
    texts = []
    for node in (inner for material in nodes for inner in material):
        text = "".join(node.itertext())
        if node.tag in {"mattext", "matemtext"}:
            html = "html" in node.get("texttype", "")
            texts.append(report.html(text) if html else report.text(text))
        elif node.tag in {"matimage", "mataudio", "matvideo"}:
            name = node.get("label") or node.get("uri") or ""
            texts.append(report.text(f"[{node.tag.removeprefix('mat')}: {name}]"))
            report.change(IMAGES)
    return " ".join(filter(None, texts))


class _Rules:
    """The <resprocessing> of an item: what an answer scores, and which feedback it gets."""

    def __init__(self, item: Element):
        self.rules = item.findall("resprocessing/respcondition")

    def key_of_one(self, idents: list[str]) -> tuple[set[str], bool]:
        """The correct options where one is to be chosen; whether points are given in shares."""
        scores = {ident: self.score({ident}) for ident in idents}
        key = {ident for ident, score in scores.items() if score > 0}
        return key, len(key) > 1 or min(scores.values()) < 0

    def key(self, idents: list[str]) -> tuple[set[str], bool]:
        """The same, where several can be chosen: all that points are given for."""
        key: set[str] = set().union(*map(_rewarded, self.rules)) & set(idents)
        if not key:
            return key, False
        near = [self.score(key ^ {ident}) for ident in idents]
        if not 0 < self.score(key) >= max(near):
            raise LeftOutError("its scoring does not say which options are correct")
        return key, any(near)

    def feedback_on(self, ident: str) -> list[str]:
        """What is shown to those who chose this option, whatever else."""
        return _shown(self.rules, ("varequal", ident))

    def general_feedback(self) -> list[str]:
        """What is shown to all; after the first score, only to those who are not yet done."""
        return _shown(
            takewhile(lambda rule: rule.find("setvar") is None, self.rules), ("other", "")
        )

    def score(self, chosen: set[str]) -> Decimal:
        score = Decimal(0)
        for rule in self.rules:
            if not all(_holds(node, chosen) for node in _conditions(rule)):
                continue
            for change in rule.findall("setvar"):
                by = number(change.text)
                match change.get("varname", "SCORE"), change.get("action", "Set"):
                    case "SCORE", "Set":
                        score = by
                    case "SCORE", "Add":
                        score += by
                    case "SCORE", "Subtract":
                        score -= by
                    case other:
                        raise LeftOutError(f"its scoring ({' '.join(other)!r}) is not known here")
            if rule.get("continue", "No").lower() == "no":
                break
        return score


def _conditions(rule: Element) -> list[Element]:
    return rule.findall("conditionvar/*")


def _shown(rules: Iterable[Element], only: tuple[str, str]) -> list[str]:
    """The feedback of rules with this one condition."""
    return [
        shown.get("linkrefid", "")
        for rule in rules
        if [(n.tag, (n.text or "").strip()) for n in _conditions(rule)] == [only]
        for shown in rule.findall("displayfeedback")
    ]


def _rewarded(rule: Element) -> set[str]:
    """The options that a rule asks for and gives points for."""
    gains = [c for c in rule.findall("setvar") if c.get("action", "Set") != "Subtract"]
    if not any(number(change.text) > 0 for change in gains):
        return set()
    refused = {test for no in rule.iter("not") for test in no.iter("varequal")}
    return {(t.text or "").strip() for t in rule.iter("varequal") if t not in refused}


def _holds(node: Element, chosen: set[str]) -> bool:
    parts = (_holds(part, chosen) for part in node)
    match node.tag:
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "not":
            return not any(parts)
        case "varequal":
            return (node.text or "").strip() in chosen
        case "other":
            return True  # nothing before it has ended the scoring
        case "unanswered":
            return not chosen
    raise LeftOutError(f"its scoring (<{node.tag}>) is not known here")
