"""Methods compared: the tables and sentences say what the runs hold, worked out by hand."""

import numpy as np
import pytest
import torch
from scipy import stats
from toys import a_run

import cl_helpers as cl
from cl_helpers.lessons import compared
from cl_helpers.report import plots

MATRIX = np.array([[0.98, np.nan], [0.95, 0.96]])  # 98 − 95.5 = 1 not learned + 1.5 lost


def run_of(method, seed, accuracy, lam=1.0):
    run = a_run(lam=lam, seed=seed)
    run.config = run.config | {"method": method, "seed": seed, "knobs": {"lam": lam}}
    run.accuracy = np.array(accuracy)
    return run


def of_seeds(method, ends, first=0.98):
    """Two tasks; nothing is lost, and the second ends where the average accuracy is as given."""
    return [
        run_of(method, seed, [[first, np.nan], [first, 2 * end - first]])
        for seed, end in enumerate(ends)
    ]


def test_what_is_missing_was_not_learned_or_lost():
    run = run_of("ewc", 0, MATRIX)
    assert compared.not_learned(run) == pytest.approx(0.01)
    assert compared.lost(run) == pytest.approx(0.015)
    assert compared.lost(run) == pytest.approx(-run.backward_transfer / 2)
    table = cl.compared.table({"one": [run]})
    assert table.loc["EWC", "one"].tolist() == ["1", "95.5", "1.0", "1.5"]


def test_unequal_runs_are_not_compared():
    ewc, mas = of_seeds("ewc", [0.9, 0.8]), of_seeds("mas", [0.7, 0.7])
    for run in mas:
        run.config |= {"epochs": 4}
    with pytest.raises(ValueError, match="not learned the same, they differ in epochs: compare"):
        cl.compared.verdict([*ewc, *mas])
    ewc[0].config |= {"knobs": {"lam": 1000.0}}
    with pytest.raises(ValueError, match="the runs of ewc differ in knobs: give those of one"):
        cl.compared.table({"one": ewc})


def test_groups_are_beside_each_other_and_gaps_are_dashes():
    both = {"stored": of_seeds("ewc", (0.9, 0.94)), "live": of_seeds("mas", (0.9,))}
    table = cl.compared.table(both)
    assert table.loc["EWC", ("stored", "average accuracy")] == "92.0 ± 2.8"
    assert table.loc["MAS", ("live", "average accuracy")] == "90.0"
    assert table.loc["MAS", ("stored", "average accuracy")] == "–"


def test_a_difference_is_that_of_a_paired_t_test():
    a, b = (0.90, 0.93, 0.91), (0.88, 0.92, 0.90)
    runs = of_seeds("ewc", a) + of_seeds("mas", b)[::-1]  # paired by seed, not by order
    [row] = cl.compared.differences(runs).to_dict("records")
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert row["difference"] - row["±"] == pytest.approx(100 * interval.low)
    assert row["difference"] + row["±"] == pytest.approx(100 * interval.high)
    chance = stats.ttest_rel(a, b).pvalue >= 0.05
    assert row["verdict"] == ("within seeds" if chance else "beyond seeds")


def test_what_seeds_can_explain_is_said_to_be_so():
    runs = (
        of_seeds("ewc", (0.90, 0.93, 0.91))
        + of_seeds("mas", (0.91, 0.92, 0.92))  # one seed of three is the other way round
        + of_seeds("si", (0.92, 0.95, 0.9301))  # two points above EWC in each
    )
    said = cl.compared.verdict(runs).data
    assert "2 of 3 pairs are within seeds" in said
    assert "EWC 2.00 ± 0.01 percentage points below SI" in said
    assert "MAS" not in said


@pytest.mark.parametrize("how", ["stopped", "diverged"])
def test_a_run_without_an_end_decides_nothing_and_is_counted(how):
    ended, without = of_seeds("ewc", (0.9, 0.9, 0.9)), of_seeds("mas", (0.91, 0.99, 0.93))
    if how == "stopped":
        without[1].accuracy[1] = np.nan
    else:
        without[1].diverged = {"task": 1, "step": 3, "loss": np.nan}
    runs = ended + without + of_seeds("si", (0.8, 0.81, 0.8))
    said = cl.compared.verdict(runs).data
    assert "0 of 3 pairs are within seeds, 2 undecided" in said
    assert "beyond seeds: EWC" in said
    assert "nan" not in said.lower()
    cell = cl.compared.table({"live": runs}).loc["MAS", ("live", "average accuracy")]
    assert cell == "92.0 ± 1.4 (1 without an end)"
    assert "MAS (seed 1)" not in cl.compared.lowest(runs, "lost").data


@pytest.mark.parametrize(
    "runs",
    [
        of_seeds("ewc", (0.9,)) + of_seeds("mas", (0.9,)),
        of_seeds("ewc", (0.9, 0.8)) + of_seeds("mas", (0.9,)),
    ],
)
def test_seeds_that_cannot_be_paired(runs):
    with pytest.raises(ValueError, match="two or more seeds, the same for each"):
        cl.compared.differences(runs)


def test_the_lowest_is_named_seed_by_seed():
    runs = of_seeds("ewc", (0.90, 0.93)) + of_seeds("mas", (0.91, 0.92))
    said = cl.compared.lowest(runs, "intransigence").data
    assert "MAS (seed 0), EWC (seed 1)" in said


def test_the_chart_has_the_means_and_the_range_of_the_seeds():
    runs = of_seeds("ewc", (0.90, 0.94)) + of_seeds("mas", (0.95, 0.95))
    figure = cl.compared.chart({"one": runs, "two": runs[:1]})
    left, right = figure.axes
    bars = [b.get_height() for b in left.patches if b.get_width() < 0.5]
    np.testing.assert_allclose(bars, [6, 3, 0, 0], atol=1e-9)  # 98 − 92, 98 − 95; nothing lost
    low, high = left.collections[0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((4, 8))
    assert not right.collections
    assert "not learned EWC 6.0, MAS 3.0" in plots.alt_text(figure)


def test_rank_correlations():
    rng = torch.Generator().manual_seed(0)
    omega = torch.rand(500, generator=rng)
    other = torch.rand(500, generator=rng)
    ranks = cl.compared.rank_correlations({"a": omega, "a²": omega**2, "b": other})
    assert ranks.loc["a", "a²"] == pytest.approx(1)
    assert ranks.loc["a", "b"] == pytest.approx(stats.spearmanr(omega, other).statistic)
    # Of many weights it takes some.
    many = torch.rand(60_000, generator=rng)
    half = torch.where(many > 0.5, many, torch.rand(60_000, generator=rng))
    exact = stats.spearmanr(many, half).statistic
    assert cl.compared.rank_correlations({"a": many, "b": half}).iloc[0, 1] == pytest.approx(
        exact, abs=0.02
    )


def test_runs_of_several_lambdas_are_not_taken_for_seeds():
    mixed = [run_of("ewc", 0, MATRIX), run_of("ewc", 0, MATRIX, lam=1e3)]
    for of in (cl.compared.differences, lambda runs: cl.compared.table({"": runs})):
        with pytest.raises(ValueError, match="two runs of ewc have one seed"):
            of(mixed)


def test_joint_training_came_to_its_end_and_has_no_diagonal():
    joint = [run_of("joint", seed, [[np.nan, np.nan], [0.9, 0.8]]) for seed in range(2)]
    row = cl.compared.table({"": joint}).loc["Joint"]
    assert row["", "average accuracy"] == "85.0 ± 0.0"
    assert row["", "intransigence"] == "–"
    said = cl.compared.verdict(joint + of_seeds("ewc", (0.7, 0.71)), "intransigence").data
    assert "1 undecided: a run has no intransigence" in said
