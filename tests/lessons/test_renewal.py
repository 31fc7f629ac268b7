"""What the lesson on plasticity says of stored runs, against numbers that are known."""

import numpy as np
import pytest
import torch

import cl_helpers as cl
from cl_helpers.lessons import renewal
from cl_helpers.lessons.figures import units
from cl_helpers.report.plots import alt_text


def a_run(arm, seed, first, last, lost=0.0, n=30):
    """Learned to `first` in the first ten tasks, to `last` in the last ten; then `lost` is lost."""
    learned = [first] * 10 + [0.5 * (first + last)] * (n - 20) + [last] * 10
    kept = [v - lost for v in learned[:-1]] + [last]
    states = [{"task": t, "dead": 0.1, "dormant": 0.2, "rank": 5.0, "weight": 0.1} for t in (0, 29)]
    return {"arm": arm, "seed": seed, "learned": learned, "kept": kept, "states": states}


RUNS = [
    *(a_run("baseline", s, 0.70, 0.50 + 0.01 * s, 0.3) for s in range(3)),
    *(a_run("cbp", s, 0.70, 0.68 + 0.01 * s, 0.4) for s in range(3)),
    *(a_run("ewc", s, 0.70, (0.9, 0.2, 0.5)[s], 0.1) for s in range(3)),
]


def test_first_last_fall_and_forgetting_are_those_of_the_run():
    run = a_run("baseline", 0, 0.8, 0.5, 0.25)
    assert renewal.first(run) == pytest.approx(0.8)
    assert renewal.last(run) == pytest.approx(0.5)
    assert renewal.fall(run) == pytest.approx(0.3)
    assert renewal.forgotten(run) == pytest.approx(0.25)


def test_the_table_has_means_and_deviations_in_per_cent():
    table = renewal.table(RUNS, ["baseline", "cbp"])
    assert [*table.index] == ["Baseline", "CBP"]
    mean, sd = table.loc["Baseline", "learned, last 10"].split(" ± ")
    assert float(mean) == pytest.approx(51.0, abs=0.05)
    assert float(sd) == pytest.approx(1.0, abs=0.05)
    assert float(table.loc["CBP", "forgetting"].split(" ± ")[0]) == pytest.approx(40, abs=0.05)


def test_a_difference_is_beyond_seeds_only_if_all_seeds_agree():
    said = renewal.against(RUNS, ["cbp", "ewc"], column="fall").data
    assert "CBP 18.0 ± 0.0 lower" in said
    assert "EWC within seeds" in said
    assert "higher" in renewal.against(RUNS, ["baseline"], other="cbp").data


def test_the_charts_say_their_numbers():
    arms = ["baseline", "cbp"]
    assert "Baseline 70% to 51%" in alt_text(renewal.newest(RUNS, arms))
    assert "CBP 40 and 69" in alt_text(renewal.two_axes(RUNS, arms))
    assert "rank, CBP: 5 to 5" in alt_text(renewal.states(RUNS, arms))
    with pytest.raises(ValueError, match="no run of 'nobody'"):
        renewal.table(RUNS, ["nobody"])


def test_the_shares_of_units_are_counted():
    h = torch.zeros(8, 4)
    h[:, 0], h[:, 1], h[0, 2] = 1.0, 3.0, 0.1
    text = alt_text(units.shares({"one": [h, h], "two": [h + 1, h + 1]}, layer=2, threshold=0.02))
    assert "one: of 4 units 2 dormant, of these 1 dead" in text
    assert "two: of 4 units 0 dormant, of these 0 dead" in text


def test_the_shipped_runs_are_what_the_lesson_asks_for():
    stored = cl.load_results("plasticity")
    for run in stored["runs"]:
        assert renewal.named(run["arm"]) != run["arm"]
        n = 80 if run["arm"] == "sgd-long" else stored["setting"]["n_tasks"]
        assert len(run["learned"]) == len(run["kept"]) == n
        assert run["kept"][-1] == run["learned"][-1]
        assert 0 <= np.min(run["learned"]) <= np.max(run["learned"]) <= 1
    arms = {run["arm"] for run in stored["runs"]}
    assert arms > {"baseline", "fresh", "cbp", "l2", "shrink", "norm", "ewc"}
    for arm in arms:
        assert {r["seed"] for r in stored["runs"] if r["arm"] == arm} == {*stored["seeds"]}


def test_few_tasks_arms_of_ones_own_and_other_seeds():
    few = [{"arm": "mine", "seed": s, "learned": [0.9] * 5, "kept": [0.9] * 5} for s in range(2)]
    assert "mine 90% to 90%" in alt_text(renewal.newest(few, ["mine"]))
    assert "mine 0 and 90" in alt_text(renewal.two_axes(few, ["mine"]))
    others = [a_run("cbp", s, 0.7, 0.6) for s in (5, 6, 7)]
    with pytest.raises(ValueError, match="cbp and baseline have other seeds"):
        renewal.against(RUNS[:3] + others, ["cbp"])
