"""What the page computes by itself, in Chromium, against Python's and SciPy's."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from cl_helpers.formats import format_lam
from cl_helpers.training.schedules import SCHEDULES, factors

FRONT = Path(__file__).parents[2] / "front"


@pytest.fixture(scope="module")
def call(browser):
    """`call(file, expression, *arguments)`: with what the module exports, and `args`."""
    page = browser.new_page()

    def call(file, expression, *arguments):
        source = (FRONT / file).read_text("utf-8")
        return page.evaluate(
            f"""async ([source, args]) => {{
                const url = `data:text/javascript,${{encodeURIComponent(source)}}`;
                const m = await import(url);
                return {expression};
            }}""",
            [source, arguments],
        )

    yield call
    page.close()


def test_schedules_are_those_of_python(call):
    parts = 0.0, 0.05, 0.1, 0.25, 0.5, 0.95
    asked = [
        each
        for each in product(SCHEDULES, (1, 2, 3, 4, 10, 15, 50, 60, 61, 200), parts, (0.01, 0.3, 1))
        if each[0] != "one-cycle" or not each[2]
    ]
    got = call("core/schedules.js", "args[0].map((each) => m.factors(...each))", asked)
    for (name, n, warm_up, final), rates in zip(asked, got, strict=True):
        expected = factors(name, n, warm_up=warm_up, final=final)
        np.testing.assert_allclose(rates, expected, rtol=1e-12, err_msg=f"{name} {n} {warm_up}")
    assert call("core/schedules.js", "m.SCHEDULES") == list(SCHEDULES)


def test_ranks_and_their_correlation_are_scipys(call):
    generator = np.random.default_rng(0)
    for n, n_values in product((2, 4, 7, 30), (2, 3, 1000)):  # with many ties, and with few
        x, y = generator.integers(n_values, size=(2, n)).astype(float)
        assert call("core/ranks.js", "m.ranks(args[0])", x.tolist()) == rankdata(x).tolist()
        got = call("core/ranks.js", "m.spearman(...args)", x.tolist(), y.tolist())
        if np.ptp(x) and np.ptp(y):
            assert got == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
        else:
            assert np.isnan(got)


def test_lam_is_written_as_python_writes_it(call):
    offered = call("lib/numbers.js", "m.strengths(0.3)")
    by_hand = {0.0, 0.3, 1e4, *(float(f"{m}e{e}") for e in range(-4, 4) for m in (1, 2, 5))}
    assert offered == sorted(by_hand)
    written = call("lib/numbers.js", "args[0].map(m.lam)", offered)
    assert written == [format_lam(lam) for lam in offered]
