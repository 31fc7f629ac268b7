"""Importance in the kernel: the maps that the page draws, and what is refused."""

from __future__ import annotations

import json
from base64 import b64decode

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from toys import a_run, of_shape, random_omega, with_omega

import cl_helpers as cl
from cl_helpers.widgets import Importance
from cl_helpers.widgets.importance_widget import BLOCKS, _blocks


def sent(widget, run, layer, seen_by=0):
    """The map as the page reads it."""
    values = np.frombuffer(b64decode(widget.maps[run][layer]["values"][seen_by]), "<f4")
    return values.reshape(widget.layers[layer]["map"])


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 3, 5), (3, 4, 2)])
def test_pixels_are_put_back_where_the_image_has_them(shape):
    """A hot pixel is followed through the task's own transform, forwards."""
    tasks = cl.permuted(of_shape(*shape), 3)
    for nth, (task, (row, column)) in enumerate(zip(tasks, [(1, 1), (2, 1), (0, 0)], strict=True)):
        image = torch.zeros(1, *shape)
        image[..., row, column] = 1
        seen = image if task.train.transform is None else task.train.transform(image)
        omega = 0.5 * seen.flatten(1).repeat(6, 1)  # six units, every channel
        pixels = sent(Importance([with_omega({"0.weight": omega})], tasks), 0, 0, nth)
        assert pixels.shape == shape[1:]
        assert pixels[row, column] == 6 * 0.5 * shape[0]
        assert pixels.sum() == pixels[row, column]


@pytest.mark.parametrize("shape", [(5, 7), (64, 64), (200, 130), (128, 97), (1024, 10)])
def test_blocks_by_brute_force(shape):
    v = np.random.default_rng(0).random(shape)
    edges = [[k * n // min(n, BLOCKS) for k in range(min(n, BLOCKS) + 1)] for n in shape]
    by_hand = [
        [v[a:b, c:d].mean() for c, d in zip(edges[1], edges[1][1:], strict=False)]
        for a, b in zip(edges[0], edges[0][1:], strict=False)
    ]
    np.testing.assert_allclose(_blocks(v), by_hand)


def test_agreement_of_a_small_layer_is_that_of_all_weights(few):
    runs = [with_omega(random_omega(s, (20, 784)), n) for s, n in enumerate(("ewc", "mas", "si"))]
    widget = Importance(runs, cl.permuted(few, 1))
    flat = [run.method.importance["0.weight"].flatten().numpy() for run in runs]
    by_scipy = [[spearmanr(a, b).statistic for a in flat] for b in flat]
    np.testing.assert_allclose(widget.agreement("0"), by_scipy, atol=1e-12)
    np.testing.assert_allclose(widget.layers[0]["agreement"], by_scipy, atol=1e-4)


def test_agreement_of_a_large_layer_is_that_of_a_sample():
    one, other = random_omega(0, (300, 400), (300, 400)).values()
    pair = [with_omega({"w.weight": one}), with_omega({"w.weight": one + other}, "si")]
    widget = Importance(pair, cl.permuted(of_shape(1, 20, 20), 1))
    exact = spearmanr(*(r.method.importance["w.weight"].flatten() for r in pair)).statistic
    np.testing.assert_allclose(widget.agreement("w"), [[1, exact], [exact, 1]], atol=0.02)


def test_a_first_layer_that_reads_no_pixels_is_one_of_blocks(few):
    """After convolutions, say."""
    omega = random_omega(0, (3, 1, 5, 5), (6, 50), (10, 6))
    widget = Importance([with_omega(omega)], cl.permuted(few, 1))
    assert [(at["name"], at["pixels"]) for at in widget.layers] == [("1", False), ("2", False)]
    np.testing.assert_array_equal(sent(widget, 0, 0), omega["1.weight"])


def test_names_that_repeat_are_numbered(few):
    first, second = cl.permuted(few, 2)
    omega = random_omega(0, (6, 784))
    runs = [with_omega(omega), with_omega(omega), with_omega(omega, gamma=2)]
    widget = Importance(runs, [first, second, second, first])
    assert widget.methods == ["ewc lam=100", "ewc lam=100 (2)", "ewc lam=100 gamma=2"]
    names = ["permutation 1", "permutation 2", "permutation 2 (2)", "permutation 1 (2)"]
    assert widget.viewers == names
    maps = [sent(widget, 0, 0, nth) for nth in range(4)]
    np.testing.assert_array_equal(maps[0], maps[3])
    np.testing.assert_array_equal(maps[1], maps[2])
    assert not np.array_equal(maps[0], maps[1])


def test_the_state_of_real_runs_is_small_and_json(few):
    tasks = cl.permuted(few, 2)
    how = {"epochs": 1, "lr": 1e-2, "progress": False}
    runs = [cl.train(m, tasks, cl.MLP(), **how) for m in (cl.EWC(), cl.MAS())]
    state = json.dumps(Importance(runs, tasks).state, allow_nan=False)
    assert len(state) < 150_000
    zero = with_omega({"0.weight": torch.zeros(4, 784)})
    assert json.dumps(Importance([zero, zero], tasks).state, allow_nan=False)


def test_it_says_what_is_missing(few):
    tasks = cl.permuted(few, 1)
    baseline = cl.train(cl.Baseline(), tasks, cl.MLP((784, 16, 10)), epochs=1, progress=False)
    with pytest.raises(ValueError, match="baseline has no Ω"):
        Importance([baseline], tasks)
    with pytest.raises(ValueError, match="ewc lam=100 has no Ω"):
        Importance([a_run()], tasks)  # read from a file
    with pytest.raises(ValueError, match="Ω of ewc lam=100 is not finite"):
        Importance([with_omega({"0.weight": torch.full((4, 784), torch.nan)})], tasks)
    with pytest.raises(ValueError, match="different models"):
        Importance([with_omega(random_omega(0, (n, 784))) for n in (4, 5)], tasks)
    for given in (([], tasks), ([with_omega(random_omega(0, (4, 784)))], [])):
        with pytest.raises(ValueError, match="at least one run"):
            Importance(*given)
