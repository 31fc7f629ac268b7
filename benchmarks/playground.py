"""The playground in Chromium: until it is there, how it runs on a core and on a quarter of one.

make bench SECTION=page    # the quarter needs root and cgroups v1
"""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import psutil
from playwright.sync_api import sync_playwright

PAGES = Path(__file__).parents[1] / "site" / "pages"
GROUP = Path("/sys/fs/cgroup/cpu/cl_playground")
FAST_3G = {"offline": False, "latency": 562, "downloadThroughput": 2e5, "uploadThroughput": 9e4}
ENDED = "/forgotten|remembers/.test(document.querySelector('.cl-now').textContent)"
COUNTED = """
    globalThis.pictures = 0; globalThis.slowest = [];
    new MutationObserver(() => { pictures++; })
        .observe(document.querySelector(".cl-curves"), { subtree: true, childList: true });
    new PerformanceObserver((list) => slowest.push(...list.getEntries().map((e) => e.duration)))
        .observe({ type: "event", durationThreshold: 16 });
"""


class Zipped(SimpleHTTPRequestHandler):
    """Files as a host would send them, gzipped, and how many bytes that were."""

    sent: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            return self.send_error(404)
        body = gzip.compress(file.read_bytes(), 9)
        self.sent.append(len(body))
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(self.path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Zipped, directory=PAGES))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/playground/index.html"
    server.shutdown()


@contextmanager
def slowed(quota: float | None) -> Iterator[None]:
    """Give Chromium, all of its processes together, so much of a core; None leaves them alone."""
    if quota is None:
        yield
        return
    GROUP.mkdir(exist_ok=True)
    (GROUP / "cpu.cfs_period_us").write_text("20000")
    (GROUP / "cpu.cfs_quota_us").write_text(str(int(20000 * quota)))
    browsers = [p for p in psutil.Process().children(recursive=True) if "chrom" in p.name()]
    for process in browsers:
        (GROUP / "cgroup.procs").write_text(str(process.pid))
    yield
    for process in browsers:
        if process.is_running():
            (GROUP.parent / "cgroup.procs").write_text(str(process.pid))
    GROUP.rmdir()


def there(browser: Any, url: str) -> dict[str, float]:
    """Seconds and bytes until it can be used, by Fast 3G, nothing cached."""
    Zipped.sent.clear()
    page = browser.new_page(viewport={"width": 360, "height": 740})
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", FAST_3G)
    page.goto(url, wait_until="commit")
    page.wait_for_function("document.querySelector('.cl-now')?.textContent", polling=20)
    seconds = page.evaluate("performance.now()") / 1000
    page.close()
    return {"interactive by Fast 3G, s": seconds, "over the wire, kB": sum(Zipped.sent) / 1000}


def a_run(browser: Any, url: str, quota: float | None) -> dict[str, float]:
    """Five tasks of EWC: how long, how many pictures, and how soon keys on λ are answered."""
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{url}#method=ewc&tasks=5")
    page.get_by_role("button", name="Run", exact=True).wait_for()
    with slowed(quota):
        page.evaluate(COUNTED)
        began = page.evaluate("performance.now()")
        page.get_by_role("button", name="Run", exact=True).click()
        slider = page.get_by_role("slider", name="λ")
        for key in ["ArrowRight", "ArrowLeft"] * 5:
            page.wait_for_timeout(200)
            slider.press(key)
        page.wait_for_function(ENDED, polling=50, timeout=120_000)
        seconds = (page.evaluate("performance.now()") - began) / 1000
        pictures, slowest = page.evaluate("[pictures, slowest]")
    page.close()
    return {
        "a run of five tasks, s": seconds,
        "pictures a second": pictures / seconds,
        "keys answered in, ms, median of those over 16": median(slowest) if slowest else 16,
        "at most": max(slowest, default=16),
    }


def playground() -> dict[str, float]:
    """All of it; each figure is named by where the page runs and what was measured."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    figures: dict[str, float] = {}
    with served() as url, sync_playwright() as play:
        for cores in ([0], None, [0]):
            browser = play.chromium.launch(executable_path=chromium)
            if cores:
                for process in psutil.Process().children(recursive=True):
                    process.cpu_affinity(cores)
            if not figures:
                figures |= there(browser, url)
                where, quota = "one core", None
            elif cores is None:
                where, quota = "all cores", None
            else:
                where, quota = "a quarter of a core", 0.25
            if quota is None or GROUP.parent.exists():
                found = a_run(browser, url, quota)
                figures |= {f"{where}: {what}": value for what, value in found.items()}
            browser.close()
    return figures
