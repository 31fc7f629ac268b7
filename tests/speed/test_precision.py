"""Fast products: as exact as promised, and nobody else's setting is changed."""

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import PATIENCE, InMemory, mlp, random_task

import cl_helpers as cl
from cl_helpers.speed.precision import (
    _onednn_is_exact,
    check_precision,
    products,
    step_products,
)

CPU = torch.device("cpu")


def setting():
    return torch.backends.mkldnn.matmul.fp32_precision


@pytest.mark.parametrize("shape", [(128, 784, 1024), (1, 5, 3), (1000, 256, 10)])
def test_fast_products_on_a_cpu_are_float32_products(shape):
    n, k, m = shape
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(s, generator=generator) for s in ((n, k), (k, m)))
    with products("fast", CPU):
        product = a @ b
    exact = a.double() @ b.double()
    bound = k * torch.finfo(torch.float32).eps * (a.abs().double() @ b.abs().double())
    assert ((product - exact).abs() <= bound).all()  # Higham 2002, eq. 3.13


def test_the_setting_is_put_back_also_after_an_error_and_by_the_last_of_several_threads():
    before = setting()
    with products("full", CPU):
        assert setting() == before
    with pytest.raises(KeyError), products("fast", CPU):
        raise KeyError
    assert setting() == before

    inside, leave = threading.Event(), threading.Event()

    def other():
        with products("fast", CPU):
            inside.set()
            leave.wait(PATIENCE)

    thread = threading.Thread(target=other)
    with products("fast", CPU):
        thread.start()
        assert inside.wait(PATIENCE)
        during = setting()
    assert setting() == during  # the other thread is still at work
    assert (during != before) == _onednn_is_exact()
    leave.set()
    thread.join()
    assert setting() == before


def test_full_precision_is_had_beside_a_thread_that_is_content_with_less():
    before = setting()
    with products("fast", CPU):
        during = setting()
        with products("full", CPU):
            assert setting() == before
            with products("fast", CPU):
                assert setting() == before
        assert setting() == during
    assert setting() == before


def test_on_cuda_convolutions_are_switched_with_the_products_and_put_back():
    """The settings of PyTorch can be looked at without a device."""
    cuda, backends = torch.device("cuda"), torch.backends

    def settings():
        return backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision

    before = settings()
    with products("fast", cuda):
        assert settings() == ("tf32", "tf32")
        with products("full", cuda):
            assert settings() == ("ieee", "ieee")
        assert settings() == ("tf32", "tf32")
    assert settings() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tf32_in_convolutions_is_a_switch():
    cuda = torch.device("cuda")
    generator = torch.Generator(cuda).manual_seed(0)
    x, w = (torch.randn(64, 64, n, n, device=cuda, generator=generator) for n in (8, 3))
    exact = torch.nn.functional.conv2d(x.double(), w.double())
    errors = {}
    for precision in ("full", "fast"):
        with products(precision, cuda):
            errors[precision] = (torch.nn.functional.conv2d(x, w) - exact).abs().max().item()
    assert errors["full"] < 1e-3 < errors["fast"] < 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tf32_is_a_switch():
    cuda = torch.device("cuda")
    a = torch.randn(512, 512, device=cuda, generator=torch.Generator(cuda).manual_seed(0))
    exact = a.double() @ a.double()
    errors = {}
    for precision in ("full", "fast"):
        with products(precision, cuda):
            errors[precision] = (a @ a - exact).abs().max().item()
    assert errors["full"] < 1e-3 < errors["fast"] < 1


# --- a step in bfloat16 ---


def has_bfloat16():
    """Whether this processor computes the products that `step_products` asks for."""
    return any(able for name, able in torch.cpu.get_capabilities().items() if "bf16" in name)


def rounded(v):
    return v.bfloat16().double()


def gradients(x, y, model, round_, round_out):
    """By hand in float64, a product's factors rounded by `round_`, its output by `round_out`."""
    x, (w1, b1, w2, b2) = x.double(), (p.detach().double() for p in model.parameters())
    h = round_out(round_(x) @ round_(w1).T + round_out(b1)).relu()
    z = round_out(round_(h) @ round_(w2).T + round_out(b2))
    d2 = round_out((z.softmax(1) - torch.nn.functional.one_hot(y, len(b2))) / len(x))
    d1 = round_out(round_(d2) @ round_(w2)) * (h > 0)
    all_four = [round_(d1).T @ round_(x), d1.sum(0), round_(d2).T @ round_(h), d2.sum(0)]
    return [round_out(v) for v in all_four]


same = torch.Tensor.double


def gradients_of_a_step():
    """The gradients of one step in bfloat16, and what `gradients` needs to work them out."""
    generator = torch.Generator().manual_seed(0)
    model = cl.MLP((256, 128, 32))
    model.draw_weights(0)
    x, y = torch.randn(64, 256, generator=generator), torch.arange(64) % 32
    with products("bfloat16", CPU), step_products("bfloat16", CPU):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
    assert {v.dtype for v in [loss, *(p.grad for p in model.parameters())]} == {torch.float32}
    return [p.grad.double() for p in model.parameters()], (x, y, model)


@pytest.mark.skipif(has_bfloat16() and _onednn_is_exact(), reason="the switch changes nothing here")
def test_a_step_in_bfloat16_rounds_the_factors_of_products_and_nothing_else():
    found, inputs = gradients_of_a_step()
    exact = gradients(*inputs, same, same)
    factors_rounded = gradients(*inputs, rounded, same) if has_bfloat16() else exact
    for grad, g, e in zip(found, factors_rounded, exact, strict=True):
        size = float(g.abs().max())
        torch.testing.assert_close(grad, g, rtol=0, atol=2e-4 * size)
        if has_bfloat16():
            assert (g - e).abs().max() > 2e-4 * size  # so the factors' rounding is seen


def test_where_the_switch_changes_nothing_outputs_of_products_are_rounded_too(monkeypatch):
    """As on a processor with AVX512-BF16 and no AMX; autocast computes the same on any."""
    monkeypatch.setattr(f"{products.__module__}._onednn_is_exact", lambda: True)
    monkeypatch.setattr(f"{products.__module__}.has_bfloat16", lambda device: True)
    found, inputs = gradients_of_a_step()
    all_rounded = gradients(*inputs, rounded, rounded)
    factors_rounded = gradients(*inputs, rounded, same)
    for grad, g, e in zip(found, all_rounded, factors_rounded, strict=True):
        assert (grad - rounded(grad)).abs().max() == 0
        assert (grad - g).norm() < 1e-2 * g.norm()
        assert (grad - e).norm() > 1e-3 * e.norm()


def test_a_step_in_bfloat16_gives_the_setting_back_and_yields_to_who_wants_more():
    outside = setting()
    with products("bfloat16", CPU):
        before = setting()
        with step_products("bfloat16", CPU):
            assert setting() == "bf16"
            with products("full", CPU):
                assert setting() == outside
            assert setting() == "bf16"
        assert setting() == before
        with step_products("fast", CPU):
            assert setting() == before
        with pytest.raises(KeyError), step_products("bfloat16", CPU):
            raise KeyError
        assert setting() == before
    assert setting() == outside


@pytest.mark.parametrize("method", [cl.EWC(lam=1.0), cl.RWalk()])
def test_what_is_kept_is_float32_and_omega_is_computed_in_it(method):
    task = random_task()
    task = replace(task, train=InMemory(task.train.x.float(), task.train.y))
    task = replace(task, test=task.train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a processor without such products
        run = cl.train(
            method,
            [task],
            mlp().float(),
            precision="bfloat16",
            device="cpu",
            progress=False,
            epochs=1,
        )
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert run.config["precision"] == "bfloat16"
    vectors = [v for v in vars(method).values() if getattr(v, "ndim", 0) == 1]
    assert vectors
    assert {v.dtype for v in vectors} == {torch.float32}
    if method.name == "ewc":
        with products("full", CPU):
            torch.testing.assert_close(method.omega, method.importance_of(run.model, task))


@pytest.mark.parametrize("name", cl.METHODS)
@pytest.mark.filterwarnings("ignore:precision is")
def test_every_method_learns_in_bfloat16(name, few):
    scenario = cl.METHODS[name].scenarios[-1]
    tasks = cl.split(few, 2, scenario, n_tasks=2)
    how = {"epochs": 2, "batch_size": 16, "lr": 1e-2, "device": "cpu", "progress": False}
    run = cl.train(cl.METHODS[name](), tasks, precision="bfloat16", **how)
    assert run.complete
    assert np.nanmax(run.accuracy) > 0.7  # of two classes at first


@pytest.mark.parametrize(
    ("able", "warns"), [({"avx512_bf16": False}, True), ({"amx_bf16": True}, False)]
)
def test_a_processor_without_such_products_is_named(able, warns, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True} | able)
    check_precision("fast", CPU)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_precision("bfloat16", CPU)
    assert [str(w.message)[:24] for w in said] == ['precision is "bfloat16",'] * warns
