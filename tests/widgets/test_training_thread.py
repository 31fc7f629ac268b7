"""A run in a thread: what starts it, holds it and ends it."""

import sys
import threading
import time

import pytest
from toys import PATIENCE, stands_still, wait_until

from cl_helpers.widgets.training_thread import TrainingThread, current


class Steps:
    """Events 0, 1, 2 … that say when they were made, and when the generator was closed."""

    def __init__(self, n=10**9, fails_at=None):
        self.n, self.fails_at = n, fails_at
        self.made, self.seen, self.closed, self.ended = 0, [], None, 0

    def __call__(self):
        try:
            for i in range(self.n):
                if i == self.fails_at:
                    raise ValueError("a bad step") from KeyError("its cause")
                self.made += 1
                yield i
                time.sleep(0.001)
        finally:
            self.closed = time.monotonic()

    def run(self):
        return TrainingThread(self, self.seen.append, self.end)

    def end(self):
        self.ended += 1


@pytest.fixture(autouse=True)
def _nothing_goes_on():
    yield
    if run := current():
        run.stop()
        assert run.wait(PATIENCE)
    wait_until(lambda: "training" not in [t.name for t in threading.enumerate()])


def test_drains_all_events_in_order_in_another_thread():
    steps = Steps(20)
    thread = []
    run = TrainingThread(
        steps,
        lambda e: (steps.seen.append(e), thread.append(threading.current_thread())),
        steps.end,
    )
    run.start()
    assert run.wait(PATIENCE)
    wait_until(lambda: steps.ended == 1)
    assert steps.seen == list(range(20))
    assert set(thread) != {threading.main_thread()}
    assert run.state == "done"
    assert run.error is None
    assert current() is None


def test_a_paused_run_stands_still_and_goes_on_where_it_was():
    steps = Steps()
    run = steps.run()
    run.start()
    wait_until(lambda: steps.made > 3)
    run.pause()
    assert run.state == "paused"
    wait_until(lambda: stands_still(run))
    made = steps.made
    time.sleep(0.1)
    assert steps.made == made
    run.resume()
    wait_until(lambda: steps.made > made + 3)
    run.stop()
    assert run.wait(PATIENCE)
    assert steps.seen == list(range(len(steps.seen)))


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_it_and_closes_the_generator(paused):
    steps = Steps()
    run = steps.run()
    run.start()
    wait_until(lambda: steps.made)
    if paused:
        run.pause()
    run.stop("enough")
    assert run.wait(PATIENCE)
    assert run.state == "stopped"
    assert run.reason == "enough"
    assert steps.closed is not None


def test_a_run_that_was_over_cannot_be_stopped():
    steps = Steps(3)
    run = steps.run()
    run.start()
    assert run.wait(PATIENCE)
    run.stop()
    assert run.state == "done"


def test_the_run_before_has_ended_when_the_next_begins():
    first, second = Steps(), Steps(5)
    began = []
    one = first.run()
    one.start()
    wait_until(lambda: first.made)
    two = TrainingThread(second, lambda e: began.append(time.monotonic()), second.end)
    two.start()
    assert two.wait(PATIENCE)
    assert one.state == "stopped"
    assert one.reason == "another run was started"
    assert first.closed < began[0]
    wait_until(lambda: first.ended == second.ended == 1)


def test_many_starts_in_a_row_leave_the_last_one_alone():
    every = [Steps() for _ in range(10)]
    runs = [steps.run() for steps in every]
    for run in runs:
        run.start()
    assert all(run.wait(PATIENCE) for run in runs[:-1])
    wait_until(lambda: every[-1].made)
    assert [run.state for run in runs] == ["stopped"] * 9 + ["running"]
    assert current() is runs[-1]


def test_turns_are_short_while_it_trains_and_as_before_afterwards():
    """Also when a second run takes over from the first."""
    before, first, second = sys.getswitchinterval(), Steps(), Steps()
    first.run().start()
    wait_until(lambda: first.made)
    two = second.run()
    two.start()
    wait_until(lambda: second.made)
    assert sys.getswitchinterval() < before / 5
    two.stop()
    assert two.wait(PATIENCE)
    assert sys.getswitchinterval() == before


def test_an_error_is_kept_with_its_cause():
    steps = Steps(fails_at=2)
    run = steps.run()
    run.start()
    assert run.wait(PATIENCE)
    assert run.state == "failed"
    assert str(run.error) == "a bad step"
    assert isinstance(run.error.__cause__, KeyError)
    wait_until(lambda: steps.ended == 1)
