"""The pictures show what they say, and nothing in them is cut off or drawn over."""

import numpy as np
import pytest
import torch
from legible import assert_legible, texts_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.patches import ConnectionPatch, Rectangle

import cl_helpers as cl
from cl_helpers.lessons import figures as pictures
from cl_helpers.lessons.figures import (
    convergence,
    minima,
    paths,
    replay,
    sensitivity,
    slices,
    trade_off,
    two_tasks,
)
from cl_helpers.lessons.figures.drawing import A
from cl_helpers.lessons.figures.two_tasks import TASK_A, TASK_B
from cl_helpers.report import plots


@pytest.fixture(scope="module")
def drawn() -> dict:
    """Every picture, drawn once."""
    figures = {name: getattr(pictures, name)() for name in pictures.__all__}
    for figure in figures.values():
        FigureCanvasAgg(figure).draw()
    return figures


@pytest.mark.parametrize("name", pictures.__all__)
def test_each_can_be_read(drawn, name):
    figure = drawn[name]
    assert isinstance(figure, plots.Chart)
    assert len(plots.alt_text(figure)) > 80
    assert figure.get_facecolor() == to_rgba("white")  # legible on a dark page
    width, height = figure.get_size_inches()
    assert width == 8
    assert 3 <= height <= 3.6
    texts = texts_of(figure)
    assert len(texts) >= 3
    assert_legible(figure, texts)


def test_start_is_the_run_it_says(drawn, digits):
    tasks = cl.permuted(digits.first(400, 360), 5)
    model = cl.MLP((784, 48, 10), seed=2)
    how = {"epochs": 4, "batch_size": 25, "lr": 0.015, "seed": 2}
    run = cl.train(cl.Baseline(), tasks, model, progress=False, **how)
    *current, first = drawn["start"].axes[0].lines
    assert first.get_color() == A
    assert first.get_xdata()[-1] == 1  # the rest is what the lesson asks to predict
    np.testing.assert_allclose(first.get_ydata()[[0, -1]], [run.initial[0], run.accuracy[0, 0]])
    for t, line in enumerate(current, start=1):
        assert line.get_xdata()[[0, -1]].tolist() == [t, t + 1]
        np.testing.assert_allclose(line.get_ydata()[[0, -1]], run.accuracy[[t - 1, t], t])
    # What is to be learned from it.
    assert run.accuracy[0, 0] - run.accuracy[-1, 0] > 0.25
    assert np.diag(run.accuracy).min() > 0.75


def test_permutation_moves_pixels_and_nothing_else(drawn):
    left, right = drawn["permutation"].axes
    before, after = (np.asarray(ax.images[0].get_array()) for ax in (left, right))
    assert not np.array_equal(before, after)
    one, other = (np.sort(v.reshape(-1, 3), axis=0) for v in (before, after))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    boxes = [[p for p in ax.patches if isinstance(p, Rectangle)] for ax in (left, right)]
    arrows = [a for a in drawn["permutation"].artists if isinstance(a, ConnectionPatch)]
    assert len(arrows) == len(boxes[0]) == 5
    for box, new, arrow in zip(*boxes, arrows, strict=True):
        (c, r), (new_c, new_r) = (np.round(np.add(b.get_xy(), 0.5)).astype(int) for b in (box, new))
        np.testing.assert_allclose(before[r, c], after[new_r, new_c], rtol=1e-5)
        assert before[r, c].min() < 0.8  # ink, not paper
        assert (arrow.xy1[1], arrow.xy2[1]) == (r, new_r)


def test_model_counts(drawn):
    ax, strip = drawn["model"].axes
    said = [t.get_text() for t in ax.texts]
    for n in ("802,816", "524,288", "131,072", "2,560"):  # 784 · 1024, 1024 · 512, …
        assert f"{n}\nweights" in said
    bars = [bar.get_width() for bar in strip.patches]
    assert bars == [803_840, 524_800, 131_328, 2_570]  # and a bias for each unit
    assert sum(bars) == sum(p.numel() for p in cl.MLP().parameters()) == 1_462_538
    assert "1,462,538" in strip.get_title("left")


def slope(f, theta, h=1e-5):
    return np.array([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(len(theta))])


def loss_a(theta):
    """By hand: curvature 36 is 1/6 along θ₁ and 6 along θ₂."""
    return ((theta[..., 0] + 0.8) ** 2 / 6 + 6 * (theta[..., 1] + 0.5) ** 2) / 2


def loss_b(theta):
    """Curvature 9 is 1/3 along 105° and 3 across."""
    x, y = theta[..., 0] - 2.1, theta[..., 1] - 1.3
    cos, sin = np.cos(np.radians(105)), np.sin(np.radians(105))
    return ((cos * x + sin * y) ** 2 / 3 + 3 * (cos * y - sin * x) ** 2) / 2


def test_the_two_tasks(drawn):
    theta = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(TASK_A.loss(theta), loss_a(theta))
    np.testing.assert_allclose(TASK_B.loss(theta), loss_b(theta))
    # A's region as it is drawn: L = 1 at its rim, √12 along and 1/√3 across.
    rim = drawn["baseline"].axes[0].collections[2].get_paths()[0].vertices
    np.testing.assert_allclose(loss_a(rim), 1, atol=0.02)
    np.testing.assert_allclose(np.ptp(rim, axis=0), (2 * 12**0.5, 2 / 3**0.5), rtol=0.01)


def test_baseline_leaves_a(drawn):
    ax, beside = drawn["baseline"].axes
    path = ax.lines[-2].get_xydata()
    np.testing.assert_array_equal(ax.lines[-1].get_xydata()[0], path[-1])
    assert loss_b(path[-1]) < 0.05 < 1 < loss_a(path[-1])
    assert not np.any((loss_a(path) < 1) & (loss_b(path) < 1))  # it misses the green region
    start = np.array(TASK_A.optimum)
    np.testing.assert_allclose(path[0] - start, -0.08 * slope(loss_b, start), atol=1e-8)
    np.testing.assert_allclose(beside.lines[0].get_ydata()[1:], loss_a(path))
    np.testing.assert_allclose(beside.lines[1].get_ydata()[1:], loss_b(path))


def test_ewc_ends_where_its_loss_is_least(drawn):
    ends = two_tasks.ends()
    # The curvature of L_A by hand.
    omegas = {"none": np.zeros(2), "L2": np.ones(2), "diagonal": np.array([1 / 6, 6])}
    for penalty, lam, end in ends.values():

        def total(theta, omega=omegas[penalty], lam=lam):
            return loss_b(theta) + 0.5 * lam * np.sum(omega * (theta - TASK_A.optimum) ** 2)

        np.testing.assert_allclose(slope(total, end), 0, atol=1e-8)
    walks = [line.get_xydata() for line in drawn["ewc"].axes[0].lines if len(line.get_xdata()) > 9]
    for walk, (_, _, end) in zip(walks[1::2], ends.values(), strict=True):
        np.testing.assert_allclose(walk[[0, -1]], [TASK_A.optimum, end])

    both = {name: loss_a(end) + loss_b(end) for name, (_, _, end) in ends.items()}
    assert both["EWC"] < 0.5 * both["L2"] < both["L2"] < both["no penalty"]
    # L2 is shown at its best: no λ does better.
    for lam in np.geomspace(1e-4, 1e4, 777):
        end = cl.bowls.end(TASK_A, TASK_B, "L2", lam)
        assert loss_a(end) + loss_b(end) > both["L2"] - 1e-3
    # EWC ends where both tasks work, L2 where neither does.
    works = {n: (loss_a(end) < 1, loss_b(end) < 1) for n, (_, _, end) in ends.items()}
    assert works == {"no penalty": (False, True), "L2": (False, False), "EWC": (True, True)}
    tops = [bar.get_y() + bar.get_height() for bar in drawn["ewc"].axes[1].patches[1::2]]
    np.testing.assert_allclose(tops, list(both.values()))


def test_mas_importance_and_what_it_foretells(drawn):
    theta = sensitivity.fitted()
    omega = sensitivity.mas_importance(theta).numpy()

    def squares(values):
        return sensitivity.function_of(torch.from_numpy(values)).square().numpy()

    np.testing.assert_allclose(np.abs(slope(squares, theta.numpy())).mean(1), omega, atol=1e-6)

    bars, *panels = drawn["mas"].axes
    np.testing.assert_allclose([b.get_width() for b in bars.patches], np.sort(omega))
    moved = [np.abs(np.subtract(*(li.get_ydata() for li in ax.lines))).mean() for ax in panels]
    assert moved[0] > 10 * moved[1]
    np.testing.assert_allclose(panels[0].lines[0].get_ydata(), sensitivity.function_of(theta))


def test_credits_add_up_to_the_fall(drawn):
    theta, g = paths.descent_path()
    omega = paths.credits_of(theta, g)
    losses = 0.5 * np.einsum("ni,ij,nj->n", theta, paths.H_PATH, theta)
    fall = losses[0] - losses[-1]
    assert omega.sum() == pytest.approx(fall, rel=0.005)

    # Gradient flow, θ(t) = Σ_a c_a e^{−λ_a t} v_a, earns ω_i = ∫ g_i² dt.
    values, vectors = np.linalg.eigh(paths.H_PATH)
    c = vectors.T @ paths.START
    rates, end = values[:, None] + values, 0.0025 * 4000
    over = np.outer(c * values, c * values) * (1 - np.exp(-rates * end)) / rates
    np.testing.assert_allclose(omega, np.einsum("ia,ab,ib->i", vectors, over, vectors), rtol=0.01)

    heights = [bar.get_height() for bar in drawn["si"].axes[1].patches]
    np.testing.assert_allclose(heights, [fall, *omega])
    moved = np.abs(theta[-1] - theta[0])
    assert moved[0] > 1.5 * moved[1]  # the weight that moved further
    assert omega[0] < omega[1]  # earned less


def test_scores_are_those_of_rwalk(drawn):
    theta, g = (torch.from_numpy(v) for v in paths.descent_path())
    method = cl.RWalk(alpha=0.995, interval=200, epsilon=0.01)
    method.fisher, method.fall = torch.zeros(2).double(), torch.zeros(2).double()
    method.new_score, method.stretch_start = torch.zeros(2).double(), theta[0].clone()
    scores = []
    for k in range(len(theta) - 1):
        method.accumulate(g[k], theta[k + 1] - theta[k])
        method.theta_before = theta[k + 1]
        if (k + 1) % method.interval == 0:
            before = method.new_score.clone()
            method.after_interval(torch.nn.Identity())
            scores.append(method.new_score - before)
    fisher, score = paths.scores_of(theta.numpy(), g.numpy())
    np.testing.assert_allclose(score, torch.stack(scores), rtol=1e-9)
    np.testing.assert_allclose(fisher[-1], method.fisher)
    ax, above, below = drawn["rwalk"].axes
    np.testing.assert_allclose([bar.get_height() for bar in below.patches], score[:, 0])
    np.testing.assert_allclose(above.lines[0].get_ydata(), fisher[:, 0])
    # The stretches wear the colours of their bars.
    bars = [bar.get_facecolor() for bar in below.patches]
    assert [to_rgba(line.get_color()) for line in ax.lines[: len(bars)]] == bars
    # What is to be learned from it: F has faded where the path ends, the score remembers.
    assert fisher[-1, 0] < 0.02 * fisher[:, 0].max()


def test_scp_slices(drawn):
    before, after = slices.outputs_before_and_after()
    at = np.linspace(-60, 60, 2001)
    for cloud in (before, after):
        density = slices._density(cloud[:, 0], at)
        assert np.trapezoid(density, at) == pytest.approx(1)
        assert np.trapezoid(density * at, at) == pytest.approx(cloud[:, 0].mean(), rel=1e-4)
    lines = [line.get_xydata() for line in drawn["scp"].axes[0].lines]
    dots = [li[0] for li in lines if len(li) == 1]
    means = np.array([before.mean(0), after.mean(0)])
    np.testing.assert_allclose(dots[:2], means, rtol=1e-5)
    feet = np.array(dots[2:]).reshape(3, 2, 2)
    for xi, (blue, red) in zip(([1, 0], [0, 1], [0.5**0.5, -(0.5**0.5)]), feet, strict=True):
        np.testing.assert_allclose(red - blue, (means[1] - means[0]) @ xi * np.array(xi), atol=1e-5)


def test_compared_is_at_the_best_of_each_curve(drawn):
    """Minima by descent, not by solving for them."""
    lines = drawn["compared"].axes[0].lines
    h = {"exact": trade_off.OLD.hessian, "L2": np.eye(2)}
    h["diagonal"] = np.diag(np.diag(h["exact"]))
    sums = []
    for (penalty, _), line, dot in zip(
        trade_off.PENALTIES.items(), lines[::2], lines[1::2], strict=True
    ):
        new, old = line.get_xydata().T
        assert (np.diff(new) > 0).all()  # λ grows: less is learned,
        assert (np.diff(old) < 0).all()  # and less is lost
        lam, theta = trade_off.LAM[200], np.array(trade_off.OLD.optimum)
        for _ in range(20_000):
            pull = lam * h[penalty] @ (theta - trade_off.OLD.optimum)
            theta = theta - 0.1 * (trade_off.NEW.hessian @ (theta - trade_off.NEW.optimum) + pull)
        np.testing.assert_allclose(
            (new[200], old[200]), (trade_off.NEW.loss(theta), trade_off.OLD.loss(theta)), rtol=1e-5
        )
        sums.append(dot.get_xydata().sum())
        assert sums[-1] == (new + old).min()
    assert sums[0] > 1.5 * sums[1] > 1.5 * 1.2 * sums[2]  # a better Ω is a better curve


def softmax(z, temperature):
    powers = np.exp(z.double().numpy() / temperature)
    return powers / powers.sum(-1, keepdims=True)


def greedy(features, n):
    """Herding, by trying every image at every turn."""
    features, chosen = features.double().numpy(), []
    for _ in range(n):
        tried = {
            i: np.linalg.norm(features[[*chosen, i]].mean(0) - features.mean(0))
            for i in range(len(features))
            if i not in chosen
        }
        chosen.append(min(tried, key=tried.get))
    return chosen


def test_past_is_one_run(drawn):
    picture, bars, herd, plane, dreams = drawn["past"].axes
    run, (old, new) = replay.learned()
    assert run.accuracy[0, 0] > 0.95
    nine = new.test.x[new.test.y == 9][:1]
    with torch.no_grad():
        z = run.model(nine)[0, :5]
        threes = run.model.features(old.train.x[old.train.y == 3])
    heights = [bar.get_height() for bar in bars.patches]
    np.testing.assert_allclose(heights, softmax(z, 2), rtol=1e-4)

    threes = threes / threes.norm(dim=1, keepdim=True)
    chosen = greedy(threes, 8)
    everyone, _, *dots = (line.get_xydata() for line in herd.lines)
    np.testing.assert_allclose(np.concatenate(dots), everyone[chosen], atol=1e-6)
    # The plane of the picture holds as much of the variance as any can.
    values = np.linalg.eigvalsh(np.cov(threes.double().numpy().T))
    assert np.trace(np.cov(everyone.T)) == pytest.approx(values[-2:].sum(), rel=1e-4)

    tips = [np.array(a.xy) for a in plane.texts if not a.get_text()]
    g1, g2, r, gem, agem, g = tips
    np.testing.assert_allclose(r, (g1 + g2) / 2)
    assert g1 @ g > 0 > g2 @ g  # so one condition binds, and GEM's g̃ is on its edge
    np.testing.assert_allclose(gem, g - (g @ g2) / (g2 @ g2) * g2)
    np.testing.assert_allclose(agem, g - (g @ r) / (r @ r) * r)
    assert g2 @ agem < 0  # A-GEM lets it grow

    shown = np.asarray(dreams.images[0].get_array())
    assert shown.shape == (4 * 30, 3 * 30)
    dreamed = shown.reshape(4, 30, 3, 30).swapaxes(1, 2).reshape(12, 30, 30)[:, 1:-1, 1:-1]
    real = (old.train.dataset.train_images[:, 0].float() / 255)[old.train.rows].numpy()
    alike = np.corrcoef(dreamed.mean(0).ravel(), real.mean(0).ravel())[0, 1]
    assert alike > 0.8
    assert dreamed.std(0).max() > 0.2  # and they are not all the same
    assert picture.images[0].get_array().shape == (30, 30)


def test_past_shows_what_is_asked_for():
    left, right = pictures.past("gradients", "generator").axes
    assert (left.get_title(), right.get_title()) == ("gradients", "a generator")


def test_soft_targets():
    rng = torch.Generator().manual_seed(0)
    images, z = torch.rand(3, 1, 8, 8, generator=rng), 3 * torch.randn(3, 4, generator=rng)
    figure = replay.soft_targets(images, z, classes=(0, 2, 4, 6), temperatures=(1, 2))
    for k, ax in enumerate(figure.axes[3:]):
        heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, 4)
        np.testing.assert_allclose(heights, [softmax(z[k], 1), softmax(z[k], 2)], rtol=1e-5)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "2", "4", "6"]
    first, then = (2 * int(i) for i in z[2].argsort(descending=True)[:2])
    assert f"image 3: {first}, and at τ = 2 then {then}" in plots.alt_text(figure)


def test_herding_comes_near_the_mean():
    rng = torch.Generator().manual_seed(1)
    features = torch.randn(60, 5, generator=rng)
    left, right = replay.herding(features, n=6, draws=400).axes
    chosen = greedy(features, 6)
    numbers = {t.get_text(): t.get_position() for t in left.texts}
    everyone = left.lines[0].get_xydata()
    for k, i in enumerate(chosen, 1):
        np.testing.assert_allclose(numbers[str(k)], everyone[i], atol=1e-5)
    at_random, herded = (line.get_ydata() for line in right.lines)
    by_hand = [(features[chosen[:m]].mean(0) - features.mean(0)).norm().item() for m in range(1, 7)]
    np.testing.assert_allclose(herded, by_hand, rtol=1e-4)
    # The mean of m drawn without replacement: variance σ²/m · (N − m)/(N − 1).
    m, total = np.arange(1, 7), features.var(0, correction=0).sum().item()
    root_mean_square = np.sqrt(total / m * (60 - m) / 59)
    assert (at_random < root_mean_square).all()
    assert (at_random > 0.9 * root_mean_square).all()


def test_reservoir_keeps_all_alike():
    [ax] = replay.reservoir(n=400, size=40, draws=400).axes
    heights = np.array([bar.get_height() for bar in ax.patches])
    assert len(heights) == 20
    assert heights.mean() == pytest.approx(0.1)
    deviation = (0.1 * 0.9 / (400 * 20)) ** 0.5  # 20 examples a bar, 400 draws
    assert abs(heights - 0.1).max() < 4 * deviation
    curve = ax.lines[1].get_ydata()
    assert curve[-1] == 1
    assert curve[0] < 1e-3 < 0.03 < heights.min()


def test_dreams_are_the_images_given():
    images = torch.arange(2 * 3 * 16.0).view(2, 3, 1, 4, 4)
    [ax] = replay.dreams({"real": images[0], "dreamed": images[1]}).axes
    shown = np.asarray(ax.images[0].get_array())
    assert shown.shape == (2 * 6, 3 * 6)
    np.testing.assert_allclose(shown[7:11, 13:17].ravel(), np.arange(16) / 15, rtol=1e-6)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["real", "dreamed"]


def test_scenarios_are_one_network_and_three_masks(drawn, digits):
    data = digits.first(500, 360)
    image, *rows = drawn["scenarios"].axes
    asked = {"task": [0, 1], "domain": [0, 1], "class": [*range(10)]}
    for ax, (scenario, competing) in zip(rows, asked.items(), strict=True):
        tasks = cl.split(data, 2, scenario)
        model = cl.MLP((784, 40, 10))
        how = {"epochs": 4, "batch_size": 20, "lr": 5e-3}
        run = cl.train(cl.Baseline(), tasks, model, progress=False, **how)
        x = tasks[0].test.x[tasks[0].test.y == 1][5]
        np.testing.assert_array_equal(image.images[0].get_array(), x[0])
        score = model(x[None])[0, competing].exp().tolist()
        glasses, fillings = ax.patches[:10], ax.patches[10:]
        blue = [k for k, g in enumerate(glasses) if g.get_edgecolor() == to_rgba(A)]
        assert blue == competing
        filled = [filling.get_height() for filling in fillings]
        by_hand = np.zeros(10)
        by_hand[competing] = np.array(score) / sum(score)
        np.testing.assert_allclose(filled, by_hand, atol=1e-5)
        # What is to be learned from it: only who is told the task still knows the image.
        assert np.argmax(filled) == {"task": 1, "domain": 0, "class": 8}[scenario]
        verdict = ax.texts[2].get_text()
        assert verdict.endswith("right" if scenario == "task" else "wrong")
        if scenario == "class":
            assert run.average_accuracy < 0.25


def test_regimes_are_parabolas_and_the_wide_ones_forget_less(drawn):
    left, right = drawn["regimes"].axes

    def curves(ax, colour):
        """(curvature, bottom) of the parabolas of one colour, by a fit."""
        lines = [line for line in ax.lines if line.get_color() == colour]
        fits = [np.polyfit(*line.get_data(), 2) for line in lines if len(line.get_xdata()) > 9]
        return [(2 * a, -b / (2 * a)) for a, b, _ in fits]

    def dots(ax):
        places = [line for line in ax.lines if len(line.get_xdata()) == 1]
        return [line.get_xydata()[0] for line in places if line.get_color() == minima.INK]

    sharp, wide = curves(left, A)
    assert sharp[0] > 3 * wide[0]
    (x, high), (also_x, low) = dots(left)
    assert x == also_x  # the same δ
    np.testing.assert_allclose([high, low], [c * x**2 / 2 for c, _ in (sharp, wide)])

    ((old, bottom),) = curves(right, A)
    assert bottom == pytest.approx(0, abs=1e-9)
    for (curvature, optimum), (x, lost) in zip(curves(right, minima.B), dots(right), strict=True):
        assert curvature * (x - optimum) ** 2 / 2 == pytest.approx(minima.LEARNED)
        assert 0 < x < optimum
        assert lost == pytest.approx(old * x**2 / 2)
    assert dots(right)[1][0] < dots(right)[0][0]  # wide for task 2: a shorter way


def test_schedules_and_the_runs_they_give(drawn, digits):
    """The cosine's panels, made anew: by hand above, by `cl.train` below."""
    axes = np.array(drawn["schedules"].axes).reshape(2, 5)
    above, below = axes[:, 3]
    assert above.get_title() == "cosine"
    n = 60  # 200 images, 40 a step, 12 epochs
    x = np.arange(n)
    expected = 0.01 + 0.99 * (1 + np.cos(np.pi * x / (n - 1))) / 2
    np.testing.assert_allclose(above.lines[0].get_ydata(), expected, atol=1e-9)
    old, new = cl.split(digits.first(1_400, 360), 5, "task")
    how = {"device": "cpu", "progress": False, "batch_size": 40}
    model = cl.train(cl.Baseline(), [old], cl.MLP((784, 48, 10)), epochs=5, lr=1e-3, **how).model
    [few] = cl.tasks.hold_out([new], len(new.train) - 200)
    how |= {"optimizer": "sgd", "momentum": 0.9, "lr": 0.03, "epochs": 12}
    run = cl.train(cl.Baseline(), [few], model, schedule="cosine", **how)
    drawn_here = below.lines[-2]
    np.testing.assert_allclose(drawn_here.get_ydata()[1:], [h["accuracy"][0] for h in run.history])
    np.testing.assert_array_equal(drawn_here.get_xdata(), np.arange(0, n + 1, 5))
    # What is to be learned from it: other rates, much the same run.
    ends = [ax.lines[-2].get_ydata()[-1] for ax in axes[1]]
    assert np.ptp(ends) < 0.05


def learned(seed, *accuracy, lr=0.1):
    """A run of one task, 10 steps an epoch, with these accuracies."""
    config = {"seed": seed, "lr": lr, "epochs": len(accuracy) - 1}
    run = cl.Run.empty(config | {"n_train": [100], "batch_size": 10}, 1)
    run.initial[:], run.accuracy[:] = accuracy[0], accuracy[-1]
    run.history = [{"task": 0, "accuracy": [a]} for a in accuracy[1:]]
    return run


FAST = [learned(0, 0.1, 0.9, 0.8), learned(1, 0.2, 0.85, 0.9), learned(2, 0.3, 0.6, 0.95)]
SLOW = [learned(0, 0.1, 0.3, 0.8), learned(1, 0.2, 0.4, 0.5), learned(2, 0.3, 0.7, 0.6)]


def test_curves_are_medians_and_ranges():
    figure = convergence.curves({"cosine": FAST, "mine": SLOW}, 0.8)
    one, two = figure.axes
    assert [ax.get_title() for ax in (one, two)] == ["cosine", "mine"]
    for ax, median, low, high in (
        (one, [0.2, 0.85, 0.9], [0.1, 0.6, 0.8], [0.3, 0.9, 0.95]),
        (two, [0.2, 0.4, 0.6], [0.1, 0.3, 0.5], [0.3, 0.7, 0.8]),
    ):
        lines = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) == 3]
        np.testing.assert_allclose(lines[-1], np.transpose([[0, 10, 20], median]))
        band = {tuple(v) for v in ax.collections[0].get_paths()[0].vertices.round(6)}
        assert band >= {*zip([0, 10, 20], low, strict=True), *zip([0, 10, 20], high, strict=True)}
    assert [ax.texts[0].get_text() for ax in (one, two)] == ["in 10 steps", "not in 20 steps"]
    assert one.lines[-1].get_xydata().tolist() == [[10, 0.8]]
    assert len(two.lines[-1].get_xdata()) == 3  # no mark where it never arrives
    assert "cosine in 10 steps; mine not in 20 steps" in plots.alt_text(figure)


def test_each_group_of_curves_stands_on_its_own_steps():
    longer = learned(0, 0.1, 0.3, 0.5, 0.9)
    longer.config["batch_size"] = 4  # 25 steps an epoch
    one, two = convergence.curves({"cosine": FAST, "mine": [longer]}, 0.8).axes
    for ax in (one, two):
        drawn = {tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) > 2}
        assert drawn == {(0, 10, 20), (0, 25, 50, 75)}
    assert two.lines[-1].get_xydata().tolist() == [[75, 0.8]]
    assert two.lines[-2].get_xdata().tolist() == [0, 25, 50, 75]


def test_by_lr_draws_what_never_arrives_beyond_the_last_step():
    figure = convergence.by_lr({"cosine": {0.01: FAST, 0.1: SLOW}}, 0.8)
    speed, end = figure.axes
    steps = speed.lines[0].get_ydata()
    assert steps[0] == 10
    assert steps[1] > 20
    label = dict(
        zip(speed.get_yticks(), [t.get_text() for t in speed.get_yticklabels()], strict=True)
    )
    assert label[steps[1]] == "never"
    np.testing.assert_allclose(end.lines[0].get_ydata(), [0.9, 0.6])
    bars = [s[:, 1].tolist() for s in end.collections[0].get_segments()]
    np.testing.assert_allclose(bars, [[0.8, 0.95], [0.5, 0.8]])
    assert "cosine in 10 steps at lr 0.01" in plots.alt_text(figure)


def test_spreads_have_a_dot_for_each_that_was_tried():
    causes = {"start": {"known": 10.0, "new": np.inf}, "seed": {"1": 20.0, "2": 5.0, "3": 10.0}}
    figure = convergence.spreads(causes, 40)
    [ax] = figure.axes
    dots = [line.get_xdata() for line in ax.lines if line.get_marker() == "o"]
    assert dots[0][0] == 10
    assert dots[0][1] > 40
    assert dots[1].tolist() == [20, 5, 10]
    assert [t.get_text() for t in ax.texts] == ["known", "new", "2", "1"]
    assert "new not in 40 steps" in plots.alt_text(figure)
    FigureCanvasAgg(figure).draw()
    for text in ax.texts:
        box = text.get_window_extent(figure.canvas.get_renderer())
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text


def test_spreads_name_no_one_where_several_are_equal():
    [ax] = convergence.spreads({"seed": {"1": 20.0, "2": 5.0, "3": 5.0}}, 40).axes
    assert [t.get_text() for t in ax.texts] == ["2 of 3", "1"]


def test_spreads_of_what_never_arrives():
    figure = convergence.spreads({"start": {"known": np.inf, "new": np.inf}}, 40)
    FigureCanvasAgg(figure).draw()
    [ax] = figure.axes
    assert ax.get_xlim()[0] < 40 < ax.lines[1].get_xdata().min()


def test_kept_is_the_median_among_its_seeds():
    figure = convergence.kept({"cosine": [0.5, 0.9, 0.8], "mine": [0.4, 0.3]}, before=[0.95, 0.97])
    [ax] = figure.axes
    dots, median, *_ = ax.lines
    assert list(dots.get_xdata()) == [0.5, 0.9, 0.8]
    assert list(median.get_xdata()) == [0.8]
    assert "Before: 96.0%. Medians after: cosine 80.0%, mine 35.0%" in plots.alt_text(figure)
