"""The playground in Firefox, asked by WebDriver BiDi, which it speaks without another program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
import websocket

PAGE = Path(__file__).parents[2] / "site" / "pages" / "playground" / "index.html"
PATIENCE = 300
PLAYED = """
new Promise((ended) => {
  const errors = [], told = document.querySelector(".cl-now");
  addEventListener("error", (event) => errors.push(event.message));
  [...document.querySelectorAll("button")].find((b) => b.textContent === "Run").click();
  setInterval(() => /it has forgotten|it remembers/.test(told.textContent) &&
    ended(JSON.stringify([told.textContent, errors])), 50);
})"""


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    """Where a Firefox without a window listens."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        pytest.skip("needs Firefox: install firefox-esr")
    profile = tmp_path / "profile"
    profile.mkdir()
    command = [program, "--headless", "--profile", str(profile), "--remote-debugging-port", "0"]
    with (tmp_path / "log").open("w") as log:
        firefox = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        told, until = profile / "WebDriverBiDiServer.json", time.monotonic() + PATIENCE
        while not (told.exists() and told.read_text()):
            assert firefox.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        place = json.loads(told.read_text())
        yield f"ws://{place['ws_host']}:{place['ws_port']}/session"
    finally:
        firefox.terminate()
        firefox.wait(PATIENCE)


@pytest.mark.full
def test_the_playground_forgets_and_ewc_holds_in_firefox(address):
    numbers = count()
    with closing(websocket.create_connection(address, PATIENCE, suppress_origin=True)) as socket:

        def ask(method, **params):
            socket.send(json.dumps({"id": next(numbers), "method": method, "params": params}))
            while "id" not in (answer := json.loads(socket.recv())):
                pass  # events
            assert answer["type"] == "success", answer
            return answer["result"]

        ask("session.new", capabilities={})
        page = ask("browsingContext.getTree")["contexts"][0]["context"]

        def end(settings):
            url = f"{PAGE.as_uri()}{settings}"
            ask("browsingContext.navigate", context=page, url="about:blank", wait="complete")
            ask("browsingContext.navigate", context=page, url=url, wait="complete")
            played = {"expression": PLAYED, "target": {"context": page}, "awaitPromise": True}
            words, errors = json.loads(ask("script.evaluate", **played)["result"]["value"])
            assert errors == []
            return [int(v) for v in re.findall(r"(\d+)%", words)][:3]

        learned, left, latest = end("")
        assert min(learned, latest) > 80
        assert left < 70
        learned_with, left_with, _ = end("#method=ewc")
    assert learned_with == learned
    assert left_with > left + 10
