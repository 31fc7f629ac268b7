import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# Nobody's matplotlib settings, and the fonts that are here now: for us and every kernel we start.
_matplotlib = tempfile.TemporaryDirectory()
os.environ["MPLCONFIGDIR"] = _matplotlib.name

import cl_helpers as cl  # noqa: E402

# The same cases every time, and none that fails because the machine is busy.
settings.register_profile(
    "here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("here")

# A shell's background processes ignore Ctrl-C, and so would what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _umask():
    """As it is, whatever a test does: the quiz's commands make all that they write private."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder with real MNIST; skips where there is none."""
    root = os.environ.get("CL_DATA")
    if not root or not (Path(root) / "MNIST" / "raw").exists():
        pytest.skip("needs real MNIST: set CL_DATA to a folder that has MNIST/raw")
    return Path(root)


@pytest.fixture(scope="session")
def mnist(mnist_root) -> cl.Dataset:
    return cl.load("mnist", mnist_root)


@pytest.fixture(scope="session")
def digits() -> cl.Dataset:
    return cl.load("digits")


@pytest.fixture(scope="session")
def few(digits) -> cl.Dataset:
    """A data set on which an epoch takes no time."""
    return digits.first(300, 100)


@pytest.fixture
def small_model() -> cl.MLP:
    return cl.MLP((784, 16, 10))


@pytest.fixture(autouse=True)
def _no_global_randomness():
    """Nothing may depend on, or disturb, torch's global generator."""
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state()), "the global generator was used"
