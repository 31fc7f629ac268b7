from __future__ import annotations

import shutil
from collections.abc import Iterator

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
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def notebook(browser, server, request) -> Iterator:
    """Opens notebooks: `notebook(path)`, or `notebook([source, ...])`; each with its kernel.

    When the test fails there is a screenshot of each in artefacts/.
    """
    from driver import Notebook

    opened: list[Notebook] = []

    def open_notebook(source) -> Notebook:
        opened.append(Notebook(browser, server, source))
        return opened[-1]

    failed = request.session.testsfailed
    yield open_notebook
    for i, each in enumerate(opened):
        if request.session.testsfailed > failed:
            each.screenshot(f"failed-{request.node.name}-{i}")
        each.close()
