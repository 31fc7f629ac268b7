"""A hundred students, each with an account of this machine, hand in during the last minute.

    sudo python benchmarks/rush.py list     # as the Assignment List does, in a server that runs
    sudo python benchmarks/rush.py command  # by `nbgrader submit quiz`, a new process each

At most twenty at once. Measured are nbgrader's own code of either way, the exchange, collecting
and grading, in a server that docs/jupyterhub.md has set up. Not measured are JupyterHub, its proxy
and a hundred JupyterLabs, which would need 15 GB. For `list`, a process of each student's, forked
from one that has loaded nbgrader, plays the server. The figures go into rush.json.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from hub import Hub

from cl_helpers.answers.sheet import AnswerSheet, Questions

STUDENTS, AT_ONCE, MINUTE = 100, 20, 60.0
SETTING_UP = timedelta(minutes=3)  # from the release to the deadline
RESULTS = Path(__file__).with_name("rush.json")
FORMAT = "%Y-%m-%d %H:%M:%S.%f %Z"

# Reads [[account, when to press], …] and says [[account, when it was done, success], …].
BUTTON = """
import json, os, pwd, sys, time
from multiprocessing import BoundedSemaphore
from nbgrader.server_extensions.assignment_list.handlers import AssignmentList
at_once, presses = json.loads(sys.stdin.read())
turn, read = BoundedSemaphore(at_once), []
for account, when in presses:
    out, into = os.pipe()
    if os.fork():
        os.close(into)
        read.append((account, out))
        continue
    user = pwd.getpwnam(account)
    os.setgroups([]), os.setgid(user.pw_gid), os.setuid(user.pw_uid), os.chdir(user.pw_dir)
    os.environ |= {"HOME": user.pw_dir, "USER": account}
    server = AssignmentList()
    server.root_dir = user.pw_dir
    time.sleep(max(0, when - time.time()))
    with turn:
        done = server.submit_assignment("cl2026", "quiz")
    os.write(into, json.dumps([account, time.time(), done["success"]]).encode())
    os._exit(0)
answers = [json.loads(os.read(out, 1000) or json.dumps([a, 0, False])) for a, out in read]
print(json.dumps(answers))
"""


def main(way: str) -> None:
    names = [f"cl-rush{i:03}" for i in range(STUDENTS)]
    hub = Hub(names, "cl-rushteacher")
    try:
        hub.set_up()
        due = datetime.now(UTC).replace(microsecond=0) + SETTING_UP
        hub.run_script_as(hub.instructor, "release.sh", DUE=f"{due:%Y-%m-%d %H:%M:%S%z}")
        for i, name in enumerate(names):
            fetch_and_answer(hub, name, i)
        draw, end = random.Random(0), due.timestamp()
        presses = [(name, end - MINUTE * draw.random()) for name in names]
        if (early := end - MINUTE - time.time()) < 0:
            raise TimeoutError("setting up took too long: raise SETTING_UP")
        print(f"set up; the last minute begins in {early:.0f} s", flush=True)
        submit = {"list": by_list, "command": by_command}[way]
        done, cpu = costing(lambda: submit(hub, presses))
        figures = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
        figures |= arrivals(hub, dict(presses), done, end) | {"cpu_s": cpu}
        began = time.monotonic()
        _, figures["grading_cpu_s"] = costing(lambda: hub.run_script_as(hub.instructor, "grade.sh"))
        figures["grading_s"] = time.monotonic() - began
        grades = (hub.course / "export" / "registrar.csv").read_text("utf-8-sig").splitlines()[1:]
        figures["graded"] = sum('"handed in"' in line for line in grades)
        figures["graded_late"] = sum('"handed in late"' in line for line in grades)
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[way] = {k: round(v, 2) for k, v in figures.items()}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")
        print(json.dumps(known[way], indent=1))
    finally:
        hub.end()


def fetch_and_answer(hub: Hub, name: str, i: int) -> None:
    """What a student has done earlier: the folder as fetched, and one option of most questions."""
    user, home = pwd.getpwnam(name), Path("/home", name, "quiz")
    shutil.copytree(hub.folder / "exchange" / "cl2026" / "outbound" / "quiz", home)
    questions = Questions.read(home / "questions.json")
    sheet = AnswerSheet(home / "answers.json", questions, name)
    for question, options in list(sheet.questions.options.items())[i % 5 :]:
        sheet.choose(question, [sorted(options)[0]])
    for path in (home, *home.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)


def by_list(hub: Hub, presses: list) -> list:
    """(account, when it was done, success) of each, by the code behind the button *Submit*."""
    done = subprocess.run(
        [hub.python, "-c", BUTTON],
        input=json.dumps([AT_ONCE, presses]),
        env=hub.python_env,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def by_command(hub: Hub, presses: list) -> list:
    """(account, when it was done, success) of each, by a command in a shell."""
    turn, done = threading.Semaphore(AT_ONCE), []

    def student(account: str, when: float) -> None:
        time.sleep(max(0.0, when - time.time()))
        with turn:
            try:
                hub.run_as(account, hub.python, "-m", "nbgrader", "submit", "quiz")
                success = True
            except AssertionError:
                success = False
        done.append((account, time.time(), success))

    threads = [threading.Thread(target=student, args=press) for press in presses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def arrivals(hub: Hub, pressed: dict[str, float], done: list, end: float) -> dict[str, float]:
    """What came of it, by the stamps in the exchange."""
    stamps = {}
    for path in (hub.folder / "exchange" / "cl2026" / "inbound").iterdir():
        student, _, stamp, _ = path.name.rsplit("+", 3)
        stamps[student] = datetime.strptime(stamp, FORMAT).replace(tzinfo=UTC).timestamp()
    waits = [stamps[s] - pressed[s] for s in stamps]
    return {
        "students": len(pressed),
        "failed": sum(not success for *_, success in done),
        "lost": len(pressed.keys() - stamps.keys()),
        "stamped_after_the_deadline": sum(stamp > end for stamp in stamps.values()),
        "wait_for_the_stamp_median_s": statistics.median(waits),
        "wait_for_the_stamp_most_s": max(waits),
        "drained_after_the_deadline_s": max(0.0, max(when for _, when, _ in done) - end),
    }


def costing(act: Callable[[], object]) -> tuple:
    """What it gives, and the seconds of processors that its processes took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = act()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
