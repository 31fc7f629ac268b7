"""Fast products: as exact as promised, and nobody else's setting is changed."""

import threading

import pytest
import torch
from toys import PATIENCE

from cl_helpers.speed.precision import _onednn_is_exact, products

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
