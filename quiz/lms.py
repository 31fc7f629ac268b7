"""The bank as a learning management system takes it: Moodle XML, and a QTI 1.2 package.

Both files say that a question earns its points for exactly the correct options, and that options
are shuffled. Whether the system grades so is up to it:

    Moodle                 Yes, with the plugin qtype_multichoiceset ("All-or-nothing multiple
                           choice"), for which the file is. Without it Moodle refuses the questions.
                           Its own type, multichoice, gives part of the points for part of the key.
    Canvas, New Quizzes    If "Exact Match" is chosen in each question after the import. The other
                           choice, "Partial credit with penalty", is not the rule of this quiz.
    Canvas, Classic        No, whatever a file says: an option of the key earns its share, another
                           one costs as much. Do not use it for this quiz. Shuffling is to be
                           switched on by hand.
    other systems          The package spells the rule out. Import one question, and try it.

Key and explanations are in both files: they are not for students. A system shows the explanations
when it is told to, which should be after the deadline.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from decimal import Decimal

from .bank import Bank
from .feedback import prose
from .questions import LETTERS, Option, Question, Section

ASSESSMENT = "assessment.xml"

_RESPONSE = "response1"


def moodle_xml(bank: Bank) -> str:
    """For *Question bank → Import → Moodle XML format*; a category for each section.

    The variants of a question have a category of their own below it: add a random question of it.
    It says that it is UTF-8: write it so.

    Raises:
        ValueError: a text has a character that XML cannot hold.
    """
    quiz = ET.Element("quiz")
    for section in bank.sections:
        place = (bank.settings.title, section.title)
        fixed = [q for q in section.questions if len(bank.variants[q.id]) == 1]
        _moodle_category(quiz, *place)
        for question in fixed:
            _moodle_question(quiz, bank.variants[question.id][0], question.id, bank.points)
        for question in section.questions:
            if question not in fixed:
                _moodle_category(quiz, *place, question.id)
                for name, variant in named(bank, question.id):
                    _moodle_question(quiz, variant, name, bank.points)
    return _to_xml(quiz).decode()


def named(bank: Bank, question: str) -> list[tuple[str, Question]]:
    """The variants of a question, each with an id of its own, and with options a, b, c, …"""
    variants = bank.variants[question]
    if len(variants) == 1:
        return [(question, variants[0])]
    return [(f"{question}-v{i}", _lettered(v)) for i, v in enumerate(variants, 1)]


def _lettered(question: Question) -> Question:
    options = zip(LETTERS, question.options, strict=False)
    renamed = tuple(option.model_copy(update={"id": letter}) for letter, option in options)
    return question.model_copy(update={"options": renamed})


def _moodle_category(quiz: ET.Element, *names: str) -> None:
    # In a path of categories a slash that belongs to a name is doubled.
    path = "/".join(name.replace("/", "//") for name in names)
    _add_text(_add(quiz, "question", type="category"), "category", path)


def qti(bank: Bank) -> bytes:
    """A zip for an import of QTI 1.2: a manifest, and one assessment with the bank's sections.

    Raises:
        ValueError: a text has a character that XML cannot hold.
    """
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        for name, root in {
            "imsmanifest.xml": _manifest(bank),
            ASSESSMENT: _assessment(bank),
        }.items():
            # A ZipInfo of its own has no time of writing: the same bank is the same package.
            file.writestr(zipfile.ZipInfo(name), _to_xml(root))
    return package.getvalue()


def _moodle_question(quiz: ET.Element, question: Question, name: str, points: Decimal) -> None:
    node = _add(quiz, "question", type="multichoiceset")
    _add_text(node, "name", name)
    _html(node, "questiontext", question.stem)
    _html(node, "generalfeedback", _read_again(question))
    _add(node, "defaultgrade", str(points))
    _add(node, "penalty", "1")  # of another try, where the quiz allows tries: it earns nothing
    _add(node, "idnumber", name)
    _add(node, "shuffleanswers", "true")
    _add(node, "answernumbering", "none")  # letters would change with the order
    for option in question.options:
        answer = _html(node, "answer", option.text, fraction="100" if option.correct else "0")
        _html(answer, "feedback", option.why)


def _manifest(bank: Bank) -> ET.Element:
    """IMS Content Packaging 1.1.3: what is in the zip."""
    manifest = ET.Element("manifest", identifier="manifest")
    manifest.set("xmlns", "http://www.imsglobal.org/xsd/imscp_v1p1")
    metadata = _add(manifest, "metadata")
    _add(metadata, "schema", "IMS Content")
    _add(metadata, "schemaversion", "1.1.3")
    _add(manifest, "organizations")
    resources = _add(manifest, "resources")
    kind = "imsqti_xmlv1p2"
    resource = _add(
        resources, "resource", identifier=bank.settings.name, type=kind, href=ASSESSMENT
    )
    _add(resource, "file", href=ASSESSMENT)
    return manifest


def _assessment(bank: Bank) -> ET.Element:
    root = ET.Element("questestinterop", xmlns="http://www.imsglobal.org/xsd/ims_qtiasiv1p2")
    assessment = _add(root, "assessment", ident=bank.settings.name, title=bank.settings.title)
    for section in bank.sections:
        _qti_section(assessment, section, bank)
    return root


def _qti_section(assessment: ET.Element, section: Section, bank: Bank) -> None:
    node = _add(assessment, "section", ident=section.section, title=section.title)
    for question in section.questions:
        among, several = node, named(bank, question.id)
        if len(several) > 1:
            among = _one_of(node, question.id, bank.points)
        for name, variant in several:
            _item(among, variant, name, bank.points)


def _one_of(section: ET.Element, name: str, points: Decimal) -> ET.Element:
    """A section of variants, of which each student gets one: Canvas calls it a question group."""
    node = _add(section, "section", ident=f"{name}-variants", title=name)
    selection = _add(_add(node, "selection_ordering"), "selection")
    _add(selection, "selection_number", "1")
    _add(_add(selection, "selection_extension"), "points_per_item", str(points))
    return node


def _item(section: ET.Element, question: Question, name: str, points: Decimal) -> None:
    item = _add(section, "item", ident=name, title=name)
    _canvas_metadata(item, points)
    _presentation(item, question)
    _response_processing(item, question, points)
    _item_feedback(item, "general_fb", _read_again(question))
    for option in question.options:
        _item_feedback(item, _feedback(option), option.why)


def _canvas_metadata(item: ET.Element, points: Decimal) -> None:
    """What Canvas looks at; even one correct option is not told by radio buttons."""
    metadata = _add(_add(item, "itemmetadata"), "qtimetadata")
    fields = {"question_type": "multiple_answers_question", "points_possible": str(points)}
    for label, entry in fields.items():
        field = _add(metadata, "qtimetadatafield")
        _add(field, "fieldlabel", label)
        _add(field, "fieldentry", entry)


def _presentation(item: ET.Element, question: Question) -> None:
    presentation = _add(item, "presentation")
    _material(presentation, question.stem)
    response = _add(presentation, "response_lid", ident=_RESPONSE, rcardinality="Multiple")
    choices = _add(response, "render_choice", shuffle="Yes")
    for option in question.options:
        _material(_add(choices, "response_label", ident=option.id), option.text)


def _response_processing(item: ET.Element, question: Question, points: Decimal) -> None:
    """Show the feedback of every chosen option; then score: all of the key, and no other."""
    processing = _add(item, "resprocessing")
    score = {"varname": "SCORE", "vartype": "Decimal", "defaultval": "0", "minvalue": "0"}
    _add(_add(processing, "outcomes"), "decvar", **score, maxvalue=str(points))
    # Canvas takes an option for wrong in the conditions of its feedback, and for correct in the
    # score's: the score comes last.
    always = _condition(processing, "Yes")
    _add(always[0], "other")
    _add(always, "displayfeedback", linkrefid="general_fb")
    for option in question.options:
        chosen = _condition(processing, "Yes")
        _is_chosen(chosen[0], option)
        _add(chosen, "displayfeedback", linkrefid=_feedback(option))
    exactly = _condition(processing, "No")
    every = _add(exactly[0], "and")
    for option in question.options:
        _is_chosen(every if option.correct else _add(every, "not"), option)
    _add(exactly, "setvar", str(points), action="Set", varname="SCORE")


def _condition(processing: ET.Element, goes_on: str) -> ET.Element:
    """A rule; its first child is for what has to hold."""
    condition = _add(processing, "respcondition", **{"continue": goes_on})
    _add(condition, "conditionvar")
    return condition


def _is_chosen(parent: ET.Element, option: Option) -> None:
    _add(parent, "varequal", option.id, respident=_RESPONSE)


def _feedback(option: Option) -> str:
    # Not "feedback_c": Canvas takes an id that ends in _c for the feedback on a correct answer.
    return f"{option.id}_fb"


def _item_feedback(item: ET.Element, ident: str, text: str) -> None:
    _material(_add(_add(item, "itemfeedback", ident=ident), "flow_mat"), text)


def _material(parent: ET.Element, text: str) -> None:
    _add(_add(parent, "material"), "mattext", prose(text), texttype="text/html")


def _read_again(question: Question) -> str:
    return f"{question.topic}. Read again: {question.see}" if question.see else question.topic


def _html(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    return _add_text(parent, tag, prose(text), format="html", **attributes)


def _add_text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    """Moodle has its texts in an element of their own."""
    node = _add(parent, tag, **attributes)
    _add(node, "text", text)
    return node


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    node = ET.SubElement(parent, tag, attributes)
    node.text = text
    return node


def _to_xml(root: ET.Element) -> bytes:
    ET.indent(root)
    content = ET.tostring(root, "utf-8", xml_declaration=True)
    try:
        ET.fromstring(content)  # writing would not complain of a control character
    except ET.ParseError as error:
        raise ValueError(f"the bank has a text that XML cannot hold: {error}") from None
    return content
