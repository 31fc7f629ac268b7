"""The course on a real JupyterHub, set up by the scripts of docs/jupyterhub.md, word for word.

An instructor and two students, with real accounts, log in through PAM in a real browser. Making
accounts needs root; elsewhere these tests are skipped, but where $CL_ACCOUNTS is "required", as in
.ci/run, that is a failure.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

# What somebody can read below some folders.
LOOK = """
import json, os, sys
seen = {}
for top in sys.argv[1:]:
    for folder, _, files in os.walk(top):
        for path in (os.path.join(folder, name) for name in files):
            try:
                with open(path, "rb") as file:
                    seen[path] = b"correct: true" in file.read()
            except OSError:
                continue
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def hub() -> Iterator:
    why = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "making accounts needs root"
    needed = [p for p in ("useradd", "npm") if not shutil.which(p)]
    if why := why or ", ".join(f"there is no {program}" for program in needed):
        assert os.environ.get("CL_ACCOUNTS") != "required", why
        pytest.skip(why)
    from hub import Hub

    instructor, *students = (f"cl-{who}-{os.getpid()}" for who in ("teacher", "ann", "bob"))
    hub = Hub(students, instructor)
    try:
        hub.set_up()
        hub.start()
        yield hub
    finally:
        hub.end()


@pytest.fixture
def visit(browser, hub, request) -> Iterator[Callable[[str], Visitor]]:
    """Log somebody in. When the test fails there are screenshots in artefacts/."""
    visitors: list[Visitor] = []

    def log_in(account: str) -> Visitor:
        visitors.append(Visitor(browser, hub, account))
        return visitors[-1]

    failed = request.session.testsfailed
    yield log_in
    for i, visitor in enumerate(visitors):
        if request.session.testsfailed > failed:
            visitor.screenshot(f"failed-{i}")
        visitor.page.context.close()


class Visitor:
    """Somebody who is logged in, in a browser of their own, and looks at JupyterLab."""

    def __init__(self, browser, hub, account: str):
        from driver import PATIENCE

        self.hub, self.account = hub, account
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(1000 * PATIENCE)
        self.page = context.new_page()
        self.page.goto(hub.url)
        self.page.get_by_label("Username:").fill(account)
        self.page.get_by_label("Password:").fill(hub.passwords[account])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("menuitem", name="Nbgrader").wait_for()

    def menu(self) -> list[str]:
        """What nbgrader's menu has."""
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        items = self.page.locator(".lm-Menu-itemLabel")
        items.first.wait_for()
        return [text for text in items.all_inner_texts() if text]

    def choose(self, item: str) -> None:
        """Open what nbgrader's menu calls `item`."""
        self.menu()
        self.page.get_by_role("menuitem", name=item, exact=True).click()

    def screenshot(self, name: str) -> None:
        from driver import ARTEFACTS

        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"hub-{name}.png")

    @property
    def saved(self) -> dict[str, list[str]]:
        """The answers on disk."""
        file = Path("/home", self.account, "quiz", "answers.json")
        return json.loads(file.read_text())["answers"] if file.exists() else {}

    def fetch_and_open(self) -> None:
        """Fetch the quiz, open it, and run its second cell."""
        self.choose("Assignment List")
        self.page.get_by_role("button", name="Fetch", exact=True).click()
        self.page.locator("a.assignment-notebooks-link").click()
        self.screenshot("fetched")
        self.page.locator("#fetched_assignments_list .nested_list_item a").click()
        self.page.get_by_text("| Idle").wait_for()  # before, JupyterLab would ask for a kernel
        self.page.locator(".jp-CodeCell").filter(has_text="cl.widgets.Quiz()").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.locator(".cl-quiz fieldset").first.wait_for()

    def tick(self, questions: int | None = None) -> None:
        """Tick all options of the first questions, or of all."""
        for card in self.page.locator(".cl-quiz fieldset").all()[:questions]:
            for box in card.get_by_role("checkbox").all():
                box.evaluate("box => box.click()")

    def submit(self) -> None:
        self.page.get_by_role("tab", name="Assignments").click()
        self.page.get_by_role("button", name="Submit", exact=True).click()
        self.page.locator("#submitted_assignments_list .list_item").first.wait_for()

    def formgrader(self):
        """Open formgrader in JupyterLab: its frame."""
        self.choose("Formgrader")
        frame = self.page.frame_locator("iframe[src*=formgrader]")
        frame.locator("td.name a").wait_for()
        return frame


def test_from_a_bare_server_to_feedback(visit, hub):
    """What the page says, in its order; each step seen by who takes it."""
    teacher, (ann, bob) = hub.instructor, hub.students
    said = hub.run_script_as(teacher, "release.sh", DUE="2099-01-01 12:00")
    assert "2 students take the course" in said
    answers = {}
    for name, questions in ((ann, None), (bob, 2)):
        student = visit(name)
        assert student.menu() == ["Assignment List"]
        student.page.keyboard.press("Escape")
        student.fetch_and_open()
        student.tick(questions)
        every = student.page.locator(".cl-quiz fieldset").count()
        line = f"{questions or every} of {every} answered · saved "
        student.page.locator(".cl-quiz-line").get_by_text(line).wait_for()
        student.screenshot(f"answered-{questions or every}")
        answers[name] = student.saved
        assert len(answers[name]) == (questions or every)
        student.submit()
        student.screenshot("submitted")
        assert student.page.goto(hub.address(name, "formgrader/manage_assignments")).status == 404

    said = hub.run_script_as(teacher, "grade.sh")
    assert "2 submissions" in said
    for name, its in answers.items():
        [got] = hub.course.glob(f"submitted/{name}/*/answers.json")
        sheet = json.loads(got.read_text())
        assert (sheet["student"], sheet["answers"]) == (name, its)
    with (hub.course / "export" / "registrar.csv").open(encoding="utf-8-sig") as file:
        points = {row["student_id"]: row["points"] for row in csv.DictReader(file)}
    assert points.keys() == {ann, bob}
    assert float(points[ann]) > 0  # some have correct options only

    instructor = visit(teacher)
    frame = instructor.formgrader()
    instructor.screenshot("formgrader")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    frame.locator("td.edit a").click()
    frame.locator(".modal-duedate").fill(now)  # the deadline is over, by formgrader's own way
    frame.get_by_role("button", name="Save").click()
    frame.locator("td.duedate").get_by_text(now.replace("T", " ")).wait_for()
    frame.locator("td.num-submissions a").click()
    for name in (ann, bob):
        row = frame.get_by_role("row").filter(has_text=name)
        assert f"{float(points[name]):g} / " in row.inner_text()
    instructor.screenshot("submissions")
    assert "2 pages of feedback" in hub.run_script_as(teacher, "feedback.sh")

    student = visit(ann)
    assert student.page.context.new_page().goto(hub.address(teacher, "lab")).status == 403
    student.choose("Assignment List")
    student.page.get_by_role("button", name="Fetch Feedback").click()
    student.page.get_by_text("(view feedback)").click()
    student.page.locator(".jp-DirListing-item").filter(has_text=".html").dblclick()
    page = student.page.frame_locator(".jp-HTMLViewer iframe")
    page.get_by_text(f"{points[ann]} of ").first.wait_for()
    student.screenshot("feedback")

    # It opens in a tab too; in frames of its own server's pages only, and not of a student's.
    address = hub.address(teacher, "formgrader/manage_assignments")
    assert instructor.page.context.new_page().goto(address).status == 200
    for who, shown in ((teacher, True), (ann, False)):
        other = instructor.page.context.new_page()
        other.route("**/frame", lambda r: r.fulfill(body=f'<iframe src="{address}"></iframe>'))
        with other.expect_event("framenavigated", lambda f: f.parent_frame):
            other.goto(hub.address(who, "frame"))
        assert (other.frames[1].url == address) is shown

    # What students can read on this server: no key, and nothing of another's.
    homes = [Path("/home", name) for name in (teacher, ann, bob)]
    look = ("-c", LOOK, *map(str, homes), str(hub.folder / "exchange"), str(hub.folder / "state"))
    seen = json.loads(hub.run_as(bob, hub.python, *look))
    assert str(homes[2] / "quiz" / "answers.json") in seen
    assert not [path for path, key in seen.items() if key]
    assert not [path for path in seen if not path.startswith((str(homes[2]), f"{hub.folder}/exch"))]
