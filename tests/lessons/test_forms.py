"""Forms of a method compared at their best λ: the table says what the runs hold."""

from statistics import stdev

import numpy as np
import pytest
from scipy import stats
from toys import a_run

import cl_helpers as cl
from cl_helpers.lessons import forms


def runs_with(accuracies):
    """λ -> accuracies of its seeds, as runs of a task."""
    runs = []
    for lam, of in accuracies.items():
        for seed, accuracy in enumerate(of):
            run = a_run(lam=lam, seed=seed)
            run.accuracy[:] = accuracy
            runs.append(run)
    return runs


def test_each_form_is_shown_at_its_own_best_lambda():
    table = cl.forms.at_best(
        {
            "small Ω": runs_with({1: (0.5,), 100: (0.7, 0.7), 10_000: (0.9, 0.86), 1e6: (0.1,)}),
            "large Ω": runs_with({1: (0.8,), 100: (0.91, 0.85), 10_000: (0.2, 0.2), 1e6: (0.1,)}),
        }
    )  # fmt: skip
    sd = f"{stdev([90, 86]):.1f}"
    assert table.loc["small Ω", "best"] == f"88.0 ± {sd} at λ = 10,000"
    assert table.loc["large Ω", "best"].startswith("88.0 ± ")
    assert table.loc["large Ω", "best"].endswith("at λ = 100")
    assert table.loc["large Ω", "λ = 10,000"] == "20.0 ± 0.0"
    assert [*table.columns] == ["λ = 1", "λ = 100", "λ = 10,000", "λ = 1e+06", "best"]


@pytest.mark.parametrize("best", [1, 100])
def test_a_best_lambda_at_the_edge_is_said_to_be_one(best):
    runs = runs_with({lam: [0.9 if lam == best else 0.5] for lam in (1, 10, 100)})
    assert forms.at_best({"form": runs}).loc["form", "best"].endswith("perhaps not the best")


def test_what_diverged_is_never_the_best():
    runs = runs_with({1: [0.5], 10: [np.nan], 100: [0.4]})
    table = forms.at_best({"form": runs})
    assert table.loc["form", "λ = 10"] == "no result"
    assert table.loc["form", "best"].startswith("50.0 at λ = 1,")


def test_the_verdict_compares_each_form_at_its_best():
    swept = {
        "small Ω": runs_with({1: (0.5, 0.5), 100: (0.91, 0.931)}),
        "large Ω": runs_with({1: (0.90, 0.92), 100: (0.1, 0.1)}),
    }
    said = forms.verdict(swept).data
    half = stats.t.interval(0.95, 1, loc=0, scale=stdev([1, 1.1]) / 2**0.5)[1]
    assert f"1.1 ± {half:.1f} percentage points above *large Ω*" in said or (
        f"1.0 ± {half:.1f} percentage points above *large Ω*" in said
    )
    assert "beyond seeds: *small Ω*" in said
    assert "(small Ω 100, large Ω 1)" in said


def test_the_verdict_says_what_seeds_can_explain():
    swept = {"one": runs_with({1: (0.9, 0.8)}), "other": runs_with({1: (0.8, 0.9)})}
    assert "within seeds" in forms.verdict(swept).data
    swept = {"one": runs_with({1: (0.8003, 0.9003)}), "other": runs_with({1: (0.8, 0.9)})}
    assert "the difference is less than 0.05 percentage points" in forms.verdict(swept).data
    swept = {"one": runs_with({1: (np.nan, 0.8)}), "other": runs_with({1: (0.8, 0.9)})}
    assert "no verdict" in forms.verdict(swept).data


def test_every_form_is_trained_at_every_lambda_on_images_that_are_held_out(digits, monkeypatch):
    asked = []
    monkeypatch.setattr(
        forms, "sweep", lambda form, tasks, model, **how: asked.append((form, tasks, how))
    )
    methods = {"a": cl.EWC(), "b": cl.MAS()}
    preset = cl.presets.pick_preset("quick")
    forms.swept(methods, digits, preset, [1.0, 2.0])
    assert [form for form, *_ in asked] == [*methods.values()]
    for _, tasks, how in asked:
        assert how["lam"] == [1.0, 2.0]
        for task in tasks:
            assert len(task.train) == 450
            assert len(task.test) == 150
            seen = {x.numpy().tobytes() for x in task.train.x}
            assert not seen & {x.numpy().tobytes() for x in task.test.x}
