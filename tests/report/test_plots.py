"""The figures show the numbers of the runs they are given."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from PIL import Image
from toys import a_run

import cl_helpers as cl
from cl_helpers.report import plots

RUNS = [
    a_run("baseline", 0),
    a_run("baseline", 1, accuracy=((0.8, 0.1), (0.5, 0.9))),
    a_run("ewc", 0, accuracy=((0.9, 0.1), (0.9, 0.85))),
    a_run("joint", 0, accuracy=((np.nan, np.nan), (0.95, 0.97))),
]


def test_average_accuracy_curves_and_bands():
    figure = plots.average_accuracy(RUNS)
    ax = figure.axes[0]
    lines = {line.get_label().split()[0]: line for line in ax.lines}
    np.testing.assert_allclose(lines["Baseline"].get_ydata(), [0.85, (0.75 + 0.7) / 2])
    np.testing.assert_allclose(lines["EWC"].get_ydata(), [0.9, 0.875])
    np.testing.assert_allclose(lines["Joint"].get_ydata(), [0.96, 0.96])
    band = ax.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.7, 0.9))
    assert "joint 96.0%, ewc 87.5%, baseline 72.5%" in plots.alt_text(figure)
    assert ax.get_ylim() == pytest.approx((0.7, 1))
    assert "broken: it begins at 70%" in plots.alt_text(figure)


def test_an_axis_of_low_accuracies_begins_at_zero():
    figure = plots.average_accuracy([a_run("ewc", 0, accuracy=((0.8, 0.1), (0.2, 0.3)))])
    assert figure.axes[0].get_ylim() == (0, 1)
    assert "broken" not in plots.alt_text(figure)


def test_lines_differ_in_more_than_colour():
    looks = list(plots.LOOK.values())
    assert set(plots.LOOK) >= set(cl.METHODS)
    assert len({(marker, dash) for _, marker, dash in looks}) == len(looks)


def test_the_palette_survives_colour_blindness():
    """Machado et al. 2009, full severity; distances in RGB, where 0.1 is a clear step."""
    blind = {
        "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    }
    colours = np.array([to_rgb(colour) for colour, _, _ in plots.LOOK.values()])
    for matrix in blind.values():
        linear = np.where(colours > 0.04045, ((colours + 0.055) / 1.055) ** 2.4, colours / 12.92)
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        seen = np.where(seen > 0.0031308, 1.055 * seen ** (1 / 2.4) - 0.055, 12.92 * seen)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        distance[np.diag_indices(len(seen))] = np.inf
        pair = np.unravel_index(distance.argmin(), distance.shape)
        assert distance.min() > 0.1, [to_hex(colours[i]) for i in pair]


def test_accuracy_matrix_shows_the_lower_triangle():
    figure = plots.accuracy_matrix(a_run())
    shown = figure.axes[0].images[0].get_array()
    assert np.isnan(np.ma.filled(shown, np.nan)[0, 1])
    assert sorted(t.get_text() for t in figure.axes[0].texts) == ["70.0", "80.0", "90.0"]
    assert "forgetting 20.0 percentage points" in plots.alt_text(figure)


def test_forgetting_bars():
    figure = plots.forgetting(RUNS)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [(20 + 30) / 2, 0.0], atol=1e-9)  # joint has none
    assert "baseline 25.0, ewc 0.0" in plots.alt_text(figure)


def test_forgetting_bars_reach_from_the_least_of_the_seeds_to_the_most():
    last = [[0.5, 0.7, 0.8], [0.6, 0.4, 0.8], [0.55, 0.75, 0.8]]  # a seed each
    best = [0.9, 0.85]  # of the first task and of the second, right after them
    accuracies = [((best[0], 0.1, 0.1), (0.6, best[1], 0.1), row) for row in last]
    runs = [a_run("ewc", seed, accuracy=a) for seed, a in enumerate(accuracies)]
    ax = plots.forgetting([a_run("baseline", accuracy=accuracies[0]), *runs]).axes[0]
    lost = 100 * (np.array(best) - np.array(last)[:, :2])
    alone, several = ax.containers[0], [c for c in ax.containers if hasattr(c, "errorbar")][1]
    np.testing.assert_allclose([bar.get_height() for bar in several], lost.mean(0))
    lines = several.errorbar[2][0].get_segments()
    for line, bar, of_task in zip(lines, several, lost.T, strict=True):
        np.testing.assert_allclose(line[:, 0], bar.get_x() + bar.get_width() / 2)
        np.testing.assert_allclose(line[:, 1], [of_task.min(), of_task.max()])
    assert alone.errorbar is None  # one seed


def test_tasks_side_by_side(few):
    tasks = cl.permuted(few, 3)
    figure = plots.tasks(tasks)
    assert len(figure.axes) == 30
    shown = np.asarray(figure.axes[13].images[0].get_array()).squeeze()  # second row, digit 3
    first = (few.test_labels == 3).nonzero()[0, 0]
    x = tasks[1].test.x[first, 0]
    np.testing.assert_allclose(shown, (x - x.min()) / (x.max() - x.min()), atol=1e-6)
    assert "permutation 3" in plots.alt_text(figure)


@pytest.mark.parametrize(
    "draw", [lambda: plots.average_accuracy(RUNS), lambda: plots.accuracy_matrix(RUNS[0])]
)
def test_a_saved_figure_carries_its_text(tmp_path, draw):
    figure = draw()
    plots.save(figure, tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").text["Description"] == plots.alt_text(figure)


def test_split_tasks_show_their_own_classes(few):
    tasks = cl.split(few, 2)
    figure = plots.tasks(tasks)
    shown = np.asarray(figure.axes[5].images[0].get_array()).squeeze()  # third row, second: a five
    first = (few.test_labels == 5).nonzero()[0, 0]
    x = few.normalise(few.test_images[first : first + 1])[0, 0]
    np.testing.assert_allclose(shown, (x - x.min()) / (x.max() - x.min()), atol=1e-6)


def shown_in(figure):
    """For each place whether it has an image."""
    return [bool(ax.images) for ax in figure.axes]


def test_a_class_without_a_test_image_stays_blank(few):
    kept = few.test_labels != 3
    data = replace(few, test_images=few.test_images[kept], test_labels=few.test_labels[kept])
    figure = plots.tasks(cl.permuted(data, 2))
    assert shown_in(figure) == [c != 3 for c in range(10)] * 2
    shown = np.asarray(figure.axes[4].images[0].get_array()).squeeze()
    x = data.test_images[(data.test_labels == 4).nonzero()[0, 0], 0].double()
    np.testing.assert_allclose(shown, (x - x.min()) / (x.max() - x.min()), atol=1e-6)
    assert "blank where a task has no such class" in plots.alt_text(figure)
    assert "blank" not in plots.alt_text(plots.tasks(cl.permuted(few, 2)))


def test_tasks_with_different_numbers_of_classes(few):
    two, three = (cl.split(few, n)[0] for n in (2, 3))
    for tasks, places in (((two, three), [1, 1, 0, 1, 1, 1]), ((three, two), [1, 1, 1, 1, 1, 0])):
        figure = plots.tasks(tasks)
        assert shown_in(figure) == places
        assert [figure.axes[i].get_ylabel() for i in (0, 3)] == [
            task.name.replace(" ", "\n") for task in tasks
        ]
        assert "the first of each of 3 classes" in plots.alt_text(figure)


@pytest.mark.parametrize("draw", [plots.average_accuracy, plots.forgetting])
def test_a_line_or_bar_of_several_settings_is_refused(draw):
    other = a_run("baseline", 1)
    other.config["lr"] = 0.5
    with pytest.raises(ValueError, match="runs of baseline differ in more than the seed, in lr:"):
        draw([*RUNS, other])
    with pytest.raises(ValueError, match="runs of ewc differ in more than the seed, in knobs:"):
        draw([*RUNS, a_run("ewc", 0, lam=3.0)])


def test_a_knob_that_a_run_is_too_old_to_have_is_at_its_default():
    old, new = a_run("ewc", 0), a_run("ewc", 1)
    new.config["knobs"] = {"lam": 100.0, "fisher": "empirical"}
    assert "mean of 2 seeds" in plots.alt_text(plots.average_accuracy([old, new]))


def test_methods_that_have_not_learned_the_same_are_refused():
    runs = [a_run("ewc"), a_run("mas")]
    for run, scenario in zip(runs, ("task", "class"), strict=True):
        run.config |= {"scenario": scenario, "epochs": 3}
    for draw in (plots.average_accuracy, plots.forgetting):
        with pytest.raises(ValueError, match="not learned the same, they differ in scenario: draw"):
            draw(runs)
    more = a_run("mas", accuracy=((0.9, 0.1, 0.1), (0.8, 0.8, 0.1), (0.7, 0.8, 0.9)))
    with pytest.raises(ValueError, match="differ in tasks"):
        plots.average_accuracy([a_run("ewc"), more])


def test_what_was_not_evaluated_is_left_out_of_a_line():
    nan = np.nan
    run = a_run(accuracy=((0.8, 0.1, 0.1), (nan, 0.9, 0.1), (0.6, 0.7, 0.8)))
    [line] = plots.average_accuracy([run]).axes[0].lines[:1]
    assert line.get_xdata().tolist() == [1, 3]
    assert line.get_ydata().tolist() == pytest.approx([0.8, 0.7])


def test_a_score_that_is_no_share_is_drawn_where_it_is():
    figure = plots.average_accuracy([a_run(accuracy=((-5.0, -9.0), (-6.0, -7.0)))])
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    assert low < -6.5 < -5.0 < high
    assert "score" in axes.get_ylabel()
    assert "ewc -6.5." in plots.alt_text(figure)
    assert "%" not in plots.alt_text(figure)


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="nothing to forget"):
        plots.forgetting(RUNS[3:])
    unfinished = a_run(accuracy=((0.9, np.nan), (np.nan, np.nan)))
    with pytest.raises(ValueError, match="no complete run"):
        plots.average_accuracy([unfinished])
