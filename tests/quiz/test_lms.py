"""What other systems would make of the files, by their own published rules."""

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from decimal import Decimal
from html.parser import HTMLParser
from itertools import chain, combinations
from operator import add, mul, sub, truediv

import pytest

from quiz import lms
from quiz.bank import Bank, load
from quiz.questions import Section, Settings

HOSTILE = [
    "a < b && b > c, \"so\" 'they' say",
    "`if a < b:` ends in ]]> or <![CDATA[ & that is &amp; all",
    "Ω = ½ Σ_i Ω_i (θ_i − θ*_i)², and\n  a new line of ‘it’",
    "<script>alert('x')</script> `<b>` &lt;i&gt; &nbsp; %s {0} $x$",
    "=1+1 \\ / // <?xml ?> <!-- --> </mattext></text>",
    "日本語 🙂 é and an e with an accent of its own: e\u0301",
]


def question(name, correct, texts=HOSTILE):
    options = [
        {"id": i, "text": text, "correct": i in correct, "why": f"Why {i}, at length: {text}"}
        for i, text in zip("abcdef", texts, strict=False)
    ]
    return {
        "id": name,
        "stem": f"Which of {name} & co. <hold>?\n`x ]]> y`",
        "topic": 'what <is> & "is not"',
        "see": "04_ewc",
        "options": options,
    }


SETTINGS = Settings(name="toy", title="A toy quiz", points="0.4", sections={"ewc": 3, "mas": 1})


def section(name, title, questions):
    return Section.model_validate({"section": name, "title": title, "questions": questions})


def toy() -> Bank:
    ewc = [question("ewc-1", "a"), question("ewc-2", "bcf"), question("ewc-3", "abcdef")]
    mas = [question("mas-1", "bd", HOSTILE[:4]) | {"see": "https://example.org/?a=1&b='2'<3"}]
    return Bank(SETTINGS, [section("ewc", 'EWC/MAS & "so" <on>', ewc), section("mas", "MAS", mas)])


@pytest.fixture(params=["toy", "real"])
def bank(request) -> Bank:
    if request.param == "toy":
        return toy()
    return load()


def choices(question):
    """Every set of options that can be ticked."""
    ids = [option.id for option in question.options]
    return map(frozenset, chain.from_iterable(combinations(ids, n) for n in range(len(ids) + 1)))


def words(text):
    """As a reader of HTML sees it: a run of white space is a space."""
    return " ".join(text.split())


class Reader(HTMLParser):
    """HTML back to a text of the bank; nothing but <code> may be in it."""

    def __init__(self, html):
        super().__init__()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert (tag, attrs) == ("code", [])
        self.text += "`"

    def handle_endtag(self, tag):
        assert tag == "code"
        self.text += "`"

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"markup from a text: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


# --- Moodle -------------------------------------------------------------------------------------


def moodle(bank):
    return ET.fromstring(lms.moodle_xml(bank))


def moodle_questions(bank):
    found = moodle(bank).findall("question[@type='multichoiceset']")
    return by_name(bank, {node.findtext("idnumber"): node for node in found})


def by_name(bank, nodes):
    """Each variant of each question with its node."""
    variants = dict(pair for question in bank.questions for pair in lms.named(bank, question))
    assert variants.keys() == nodes.keys()
    return [(variant, nodes[name]) for name, variant in variants.items()]


def multichoiceset_marks(node, ticked):
    """qtype_multichoiceset, question.php, grade_response: none wrong, and all the right ones.

    questiontype.php, import_from_xml: an answer is right if its fraction is above zero.
    """
    right = [float(a.get("fraction")) / 100 > 0 for a in node.findall("answer")]
    n_right = sum(right[i] for i in ticked)
    n_wrong = len(ticked) - n_right
    fraction = 1 if n_wrong == 0 and n_right == sum(right) else 0
    return fraction * Decimal(node.findtext("defaultgrade"))


def test_moodle_gives_the_points_for_exactly_the_key(bank):
    for question, node in moodle_questions(bank):
        for chosen in choices(question):
            ticked = ["abcdef".index(option) for option in chosen]
            assert multichoiceset_marks(node, ticked) == (
                bank.points if chosen == question.key else 0
            )


def test_moodle_finds_what_its_importer_asks_for(bank):
    """Rules of question/format/xml/format.php and question/format.php (Moodle 4 and 5)."""
    root = moodle(bank)
    assert root.tag == "quiz"
    assert {node.tag for node in root} == {"question"}
    names = []
    for node in root.findall("question[@type='multichoiceset']"):
        name = node.findtext("name/text")  # import_headers: there has to be one
        assert name == node.findtext("idnumber")
        assert re.fullmatch(r"[\w-]{1,100}", name)  # clean_question_name changes nothing; varchar
        names.append(name)
        assert node.findtext("questiontext/text").strip()
        for text in [node.find("questiontext"), node.find("generalfeedback"), *node.iter("answer")]:
            assert text.get("format") == "html"  # trans_format
        assert node.findtext("shuffleanswers") == "true"  # trans_single
        assert node.findtext("answernumbering") in {"abc", "ABCD", "123", "iii", "IIII", "none"}
        answers = node.findall("answer")
        assert len(answers) >= 2  # save_question_options
        assert {a.get("fraction") for a in answers} <= {"0", "100"}
        assert node.find("shownumcorrect") is None  # its mere presence tells how many are right
        assert node.find("hint") is None
        # Adaptive mode takes the penalty off for each try before: one is left with nothing.
        assert float(node.findtext("penalty")) == 1
    assert len(set(names)) == len(names) == sum(map(len, bank.variants.values()))


def split_category_path(path):
    """question/format.php: a lone slash parts two names, a double one is a slash."""
    return [name.replace("//", "/").strip() for name in re.split("(?<!/)/(?!/)", path)]


def test_moodle_has_a_category_for_each_section(bank):
    found: dict[tuple[str, ...], list[str]] = {}
    for node in moodle(bank):
        if node.get("type") == "category":
            course, *category = split_category_path(node.findtext("category/text"))
            assert course == bank.settings.title
            inside = found.setdefault(tuple(category), [])
        else:
            inside.append(node.findtext("name/text"))
    expected = {(s.title,): [] for s in bank.sections}
    for s in bank.sections:
        for q in s.questions:
            names = [name for name, _ in lms.named(bank, q.id)]
            several = len(names) > 1  # then they have a category of their own
            expected.setdefault((s.title, *[q.id] * several), []).extend(names)
    assert found == expected


def test_moodle_has_the_texts_of_the_bank(bank):
    for question, node in moodle_questions(bank):
        assert Reader(node.findtext("questiontext/text")).text == words(question.stem)
        general = Reader(node.findtext("generalfeedback/text")).text
        assert words(question.topic) in general
        assert question.see in general
        for option, answer in zip(question.options, node.findall("answer"), strict=True):
            assert Reader(answer.findtext("text")).text == words(option.text)
            assert Reader(answer.findtext("feedback/text")).text == words(option.why)
            assert answer.find("feedback").get("format") == "html"


# --- QTI 1.2 ------------------------------------------------------------------------------------

QTI = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"
CP = "{http://www.imsglobal.org/xsd/imscp_v1p1}"


def package(bank) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(lms.qti(bank))) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def assessment(bank):
    root = ET.fromstring(package(bank)[lms.ASSESSMENT])
    for node in root.iter():
        assert node.tag.startswith(QTI)
        node.tag = node.tag.removeprefix(QTI)
    return root


def items(bank):
    return by_name(bank, {item.get("ident"): item for item in assessment(bank).iter("item")})


def holds(node, response):
    """QTI 1.2 ASI information model: the tests of a <conditionvar>, whose parts are all to hold."""
    parts = (holds(part, response) for part in node)
    match node.tag:
        case "conditionvar" | "and":
            return all(parts)
        case "or":
            return any(parts)
        case "not":
            (part,) = parts
            return not part
        case "varequal":
            return node.text in response[node.get("respident")]
        case "other":
            return True  # nothing was asked before it
    raise AssertionError(f"<{node.tag}> is not known")


ACTIONS = {
    "Set": lambda old, by: by,
    "Add": add,
    "Subtract": sub,
    "Multiply": mul,
    "Divide": truediv,
}


def respond(item, response):
    """Run <resprocessing>: the variables, and the ids of the feedback that is shown."""
    processing = item.find("resprocessing")
    declared = {v.get("varname", "SCORE"): v for v in processing.iter("decvar")}
    values = {name: Decimal(v.get("defaultval", "0")) for name, v in declared.items()}
    shown = []
    for condition in processing.findall("respcondition"):
        if not holds(condition.find("conditionvar"), response):
            continue
        for change in condition.findall("setvar"):
            name, by = change.get("varname", "SCORE"), Decimal(change.text)
            old = values[name]
            values[name] = ACTIONS[change.get("action", "Set")](old, by)
        shown += [feedback.get("linkrefid") for feedback in condition.findall("displayfeedback")]
        if condition.get("continue", "No") == "No":
            break
    for name, v in declared.items():
        low, high = (Decimal(v.get(bound, values[name])) for bound in ("minvalue", "maxvalue"))
        values[name] = min(max(values[name], low), high)
    return values, shown


def test_qti_gives_the_points_for_exactly_the_key(bank):
    for question, item in items(bank):
        (response,) = item.iter("response_lid")
        assert response.get("rcardinality") == "Multiple"
        for chosen in choices(question):
            values, _ = respond(item, {response.get("ident"): chosen})
            assert values == {"SCORE": (bank.points if chosen == question.key else 0)}
        # As it is, and not only because the bounds are kept.
        assert [Decimal(change.text) for change in item.iter("setvar")] == [bank.points]
        assert [Decimal(v.get("maxvalue")) for v in item.iter("decvar")] == [bank.points]


def test_qti_shows_why_of_each_chosen_option_and_of_no_other(bank):
    for question, item in items(bank):
        (response,) = item.iter("response_lid")
        texts = {
            f.get("ident"): Reader(f.findtext(".//mattext")).text for f in item.iter("itemfeedback")
        }
        for chosen in choices(question):
            _, shown = respond(item, {response.get("ident"): chosen})
            general, *whys = (texts[ident] for ident in shown)
            assert whys == [words(o.why) for o in question.options if o.id in chosen]
            assert words(question.topic) in general
            assert question.see in general


def test_the_evaluator_knows_more_than_the_file_needs():
    """Partial credit, as another file might give it: the test above is not true of everything."""
    item = ET.fromstring("""<item><resprocessing><outcomes><decvar maxvalue="3"/></outcomes>
        <respcondition continue="Yes"><conditionvar><varequal respident="r">a</varequal>
        </conditionvar><setvar action="Add">2</setvar></respcondition>
        <respcondition continue="Yes"><conditionvar><or><varequal respident="r">b</varequal>
        <varequal respident="r">c</varequal></or></conditionvar><setvar action="Add">2</setvar>
        </respcondition><respcondition><conditionvar><not><varequal respident="r">d</varequal></not>
        </conditionvar></respcondition>
        <respcondition><conditionvar><other/></conditionvar><setvar>1</setvar></respcondition>
        </resprocessing></item>""")
    scores = {"": 0, "a": 2, "b": 2, "ac": 3, "abc": 3, "d": 1, "abd": 1}
    for chosen, score in scores.items():
        assert respond(item, {"r": set(chosen)})[0]["SCORE"] == score


# The content models of ims_qtiasiv1p2p1.dtd, without the elements that we do not use.
TEST = "(not | and | or | other | varequal)"
MODELS = {
    "questestinterop": "assessment",
    "assessment": "section+",
    "section": "selection_ordering?, (item | section)*",
    "selection_ordering": "selection*",
    "selection": "selection_number?, selection_extension?",
    "selection_extension": "points_per_item",  # anything may be in it; this is Canvas's
    "item": "itemmetadata?, presentation?, resprocessing*, itemfeedback*",
    "itemmetadata": "qtimetadata*",
    "qtimetadata": "qtimetadatafield+",
    "qtimetadatafield": "fieldlabel, fieldentry",
    "presentation": "(material | response_lid)+",
    "material": "mattext+",
    "response_lid": "material?, render_choice, material?",
    "render_choice": "(material | response_label)*",
    "response_label": "(material | flow_mat)*",
    "resprocessing": "outcomes, respcondition+",
    "outcomes": "decvar+",
    "respcondition": "conditionvar, setvar*, displayfeedback*",
    "conditionvar": f"{TEST}+",
    "and": f"{TEST}+",
    "not": TEST,
    "itemfeedback": "(flow_mat | material)+",
    "flow_mat": "(flow_mat | material)+",
}
TEXTS = {"fieldlabel", "fieldentry", "mattext", "decvar", "setvar", "varequal", "other"}
TEXTS |= {"displayfeedback", "selection_number", "points_per_item"}
REQUIRED = {"ident", "respident", "linkrefid"}  # wherever they are declared at all
ATTRIBUTES = {
    "assessment": {"ident": ".+", "title": ".+"},
    "section": {"ident": ".+", "title": ".+"},
    "item": {"ident": ".+", "title": ".+"},
    "mattext": {"texttype": "text/html"},
    "response_lid": {"ident": ".+", "rcardinality": "Single|Multiple|Ordered"},
    "render_choice": {"shuffle": "Yes|No"},
    "response_label": {"ident": ".+"},
    "decvar": {
        "varname": ".+",
        "vartype": "Integer|String|Decimal|Scientific|Boolean|Enumerated|Set",
        "defaultval": r"[\d.]+",
        "minvalue": r"[\d.]+",
        "maxvalue": r"[\d.]+",
    },
    "respcondition": {"continue": "Yes|No"},
    "varequal": {"respident": ".+"},
    "setvar": {"varname": ".+", "action": "Set|Add|Subtract|Multiply|Divide"},
    "displayfeedback": {"linkrefid": ".+"},
    "itemfeedback": {"ident": ".+"},
}


def test_qti_is_built_as_its_document_type_says(bank):
    for node in assessment(bank).iter():
        if node.tag in TEXTS:
            assert len(node) == 0
        else:
            model = re.sub(r"\w+", r"(?:\g<0>;)", MODELS[node.tag])
            inside = "".join(f"{child.tag};" for child in node)
            assert re.fullmatch(re.sub(r"[\s,]", "", model), inside), f"<{node.tag}> has {inside}"
            assert not (node.text or "").strip()
        known = ATTRIBUTES.get(node.tag, {})
        assert known.keys() & REQUIRED <= node.attrib.keys() <= known.keys()
        for name, value in node.attrib.items():
            assert re.fullmatch(known[name], value)


def test_qti_refers_only_to_what_is_there(bank):
    root = assessment(bank)
    idents = [
        node.get("ident") for tag in ("assessment", "section", "item") for node in root.iter(tag)
    ]
    assert len(set(idents)) == len(idents)
    for question, item in items(bank):
        (response,) = item.iter("response_lid")
        options = [label.get("ident") for label in item.iter("response_label")]
        feedback = [node.get("ident") for node in item.iter("itemfeedback")]
        assert options == [option.id for option in question.options]
        assert len(set(feedback)) == len(feedback)
        for test in item.iter("varequal"):
            assert test.text in options
            assert test.get("respident") == response.get("ident")
        assert {node.get("linkrefid") for node in item.iter("displayfeedback")} == set(feedback)
        (declared,) = item.iter("decvar")
        assert {node.get("varname") for node in item.iter("setvar")} == {declared.get("varname")}


def test_qti_has_the_texts_of_the_bank(bank):
    for question, item in items(bank):
        assert Reader(item.findtext("presentation/material/mattext")).text == words(question.stem)
        for option, label in zip(question.options, item.iter("response_label"), strict=True):
            assert Reader(label.findtext("material/mattext")).text == words(option.text)
    for section, node in zip(bank.sections, assessment(bank).find("assessment"), strict=True):
        assert node.get("title") == section.title
        for question, inside in zip(section.questions, node, strict=True):
            names = [name for name, _ in lms.named(bank, question.id)]
            assert [item.get("ident") for item in inside.iter("item")] == names
            several = [*inside.iter("selection_number")]
            assert [number.text for number in several] == ["1"] * (len(names) > 1)


def test_canvas_reads_the_key_out_of_it(bank):
    """Both of Canvas's importers, as their sources have it.

    Classic: qti_exporter, choice_interaction.rb, process_response_conditions. New Quizzes:
    instructure/qti, v1/models/interactions/choice_interaction.rb, scoring_data_structs.
    """
    for question, item in items(bank):
        fields = {f[0].text: f[1].text for f in item.iter("qtimetadatafield")}
        assert fields["question_type"] == "multiple_answers_question"
        assert Decimal(fields["points_possible"]) == bank.points
        weight = {}
        for condition in item.iter("respcondition"):
            if (every := condition.find("conditionvar/and")) is not None:
                weight |= {part.text: 100 for part in every.findall("varequal")}
            elif (test := condition.find("conditionvar/varequal")) is not None:
                weight[test.text] = 0 if condition.find("setvar") is None else 100
        assert {option for option, w in weight.items() if w} == question.key
        assert weight.keys() <= {option.id for option in question.options}

        (first,) = item.iter("and")  # New Quizzes looks at the first one, and takes the <not> out
        assert {part.text for part in first if part.tag != "not"} == question.key
        assert len(list(item.iter("response_lid"))) == 1  # else it is no question of choices


def test_canvas_takes_no_feedback_for_another(bank):
    """qti_exporter, assessment_item_converter.rb, get_feedback: it goes by the ids' spelling."""
    for _, item in items(bank):
        general, *options = (node.get("ident") for node in item.iter("itemfeedback"))
        for ident in [general, *options]:
            assert not re.search("wrong|incorrect|(_IC$)|correct|(_C$)|solution", ident, re.I)
            assert re.fullmatch("[A-Za-z][A-Za-z_]*", ident)  # its converter changes others
        assert re.search("general_|_all", general, re.I)
        assert not any(re.search("general_|_all", ident, re.I) for ident in options)


def test_the_package_says_what_is_in_it(bank):
    """IMS Content Packaging 1.1.3: imscp_v1p1.xsd, manifestType and resourceType."""
    files = package(bank)
    manifest = ET.fromstring(files["imsmanifest.xml"])
    assert manifest.tag == f"{CP}manifest"
    assert [node.tag for node in manifest] == [
        f"{CP}{tag}" for tag in ("metadata", "organizations", "resources")
    ]
    (resource,) = manifest.iter(f"{CP}resource")
    (file,) = resource
    assert file.tag == f"{CP}file"
    assert {"imsmanifest.xml", file.get("href")} == files.keys()
    assert resource.get("href") == file.get("href")
    assert resource.get("type") == "imsqti_xmlv1p2"
    ids = [manifest.get("identifier"), resource.get("identifier")]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", i) for i in ids)  # xs:ID
    # Canvas, qti_exporter, converter.rb, is_qti_2: else it is not converted.
    assert "QTIv2" not in manifest.findtext(f"{CP}metadata/{CP}schema")


# --- both ---------------------------------------------------------------------------------------


def test_the_same_bank_is_the_same_file(bank):
    assert lms.moodle_xml(bank) == lms.moodle_xml(bank)
    assert lms.qti(bank) == lms.qti(bank)
    with zipfile.ZipFile(io.BytesIO(lms.qti(bank))) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("write", [lms.moodle_xml, lms.qti])
def test_what_xml_cannot_hold_is_refused(write):
    texts = ["a\x01b", *HOSTILE[:3]]
    bank = Bank(SETTINGS, [section("ewc", "EWC", [question("ewc-1", "a", texts)])])
    with pytest.raises(ValueError, match="XML cannot hold"):
        write(bank)
