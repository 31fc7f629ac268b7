from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; skips where there is none."""
    pytest.importorskip("playwright")
    found = filter(None, map(shutil.which, NAMES))
    return next(found, None) or pytest.skip("needs a browser: install chromium")


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    from driver import Server

    server = Server(tmp_path_factory.mktemp("jupyter"))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end()


# Not for the session: its event loop would be in the way of tests that start one.
@pytest.fixture(scope="module")
def browser(chromium):
    from driver import PATIENCE
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        new_page = browser.new_page

        def patient(**how):
            page = new_page(**how)
            page.set_default_timeout(1000 * PATIENCE)  # Playwright's own is 30 s
            return page

        browser.new_page = patient
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def scratch() -> Iterator[list]:
    """The notebook whose cells each test of a module writes anew, once there is one."""
    kept: list = []
    yield kept
    for each in kept:
        each.close()


@pytest.fixture
def notebook(browser, server, scratch, request) -> Iterator:
    """Opens notebooks: `notebook(path)`, each in a page and with a kernel of its own, and
    `notebook([source, ...])`, in those that the tests of the module share.

    When the test fails there is a screenshot of each in artefacts/.
    """
    from driver import Notebook

    own: list[Notebook] = []

    def open_notebook(source) -> Notebook:
        if isinstance(source, Path):
            own.append(Notebook(browser, server, source))
            return own[-1]
        if scratch:
            scratch[0].write(source)
        else:
            scratch.append(Notebook(browser, server, source))
        return scratch[0]

    failed = request.session.testsfailed
    yield open_notebook
    if request.session.testsfailed > failed:
        own += scratch
        scratch.clear()  # the next test has a new one
        for i, each in enumerate(own):
            each.screenshot(f"failed-{request.node.name}-{i}")
    for each in own:
        each.close()


@pytest.fixture
def static(browser) -> Iterator:
    """Opens pages without a kernel: `static(view, ...)`."""
    from static_page import StaticPage

    pages: list[StaticPage] = []

    def open_page(*views, **how) -> StaticPage:
        pages.append(StaticPage(browser, *views, **how))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def read(browser) -> Iterator:
    """Opens pages of a folder, without a network: `read(path, width=360)`."""
    from every_view import Reader

    readers: list[Reader] = []

    def open_page(*page, **size) -> Reader:
        readers.append(Reader(browser, *page, **size))
        return readers[-1]

    yield open_page
    for reader in readers:
        reader.page.close()
