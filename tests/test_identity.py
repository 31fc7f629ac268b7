"""What acts alike has one fingerprint, in every process; what differs in anything has another."""

import collections
import copy
import dataclasses
import datetime
import decimal
import functools
import inspect
import re
import subprocess
import sys
import threading
import types
import uuid
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

import cl_helpers as cl
from cl_helpers.identity import Unidentifiable, fingerprint_of, fingerprint_of_package
from cl_helpers.methods import ewc

ROOT = Path(__file__).parents[1]


def written(source, name="Mine", **names):
    """A class or function as somebody has just written it."""
    exec(source, names)
    return names[name]


def times(n):
    return lambda x: n * x


@functools.lru_cache
def one():
    return 1


@functools.lru_cache
def two():
    return 2


def nested(value):
    itself = [value]
    itself.append(itself)
    return itself


def linear(weight=1.0, bias=True):
    layer = nn.utils.skip_init(nn.Linear, 1, 1, bias=bias)
    nn.init.constant_(layer.weight, weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def hooked(n):
    layer = linear()
    layer.register_forward_hook(lambda module, args, out: n * out)
    return layer


def frozen():
    layer = linear()
    layer.weight.requires_grad_(False)
    return layer


def with_attribute(rate):
    def function(x):
        return x * function.rate

    function.rate = rate
    return function


def wrapped(n):
    """A function of somebody's that has the name of one of PyTorch's."""
    code = f"def Mine(x):\n    return {n} * x"
    return functools.wraps(torch.nn.functional.relu)(written(code, __name__="__main__"))


TRY = "def Mine(a, b, E):\n    try:\n        a(){}"
TRY_ELSE = TRY.format("\n    except E: pass\n    else:\n        b()")


@dataclasses.dataclass(slots=True)
class Slots:
    rate: float


def twice(layer):
    """One layer in two places, of the same numbers as two layers."""
    return nn.Sequential(layer, nn.Tanh(), layer)


def own_module(rate):
    module = types.ModuleType("somebodys")
    module.__file__, module.rate = __file__, rate
    return [module]


def with_prior():
    method = cl.EWC()
    method.omega, method.tasks_held = torch.ones(3), 1
    return method


def parametrized(n):
    scaling = written(
        f"class Mine(Module):\n    def forward(self, w):\n        return {n} * w", Module=nn.Module
    )
    base = written(
        f"class Mine(Linear):\n    def forward(self, x):\n        return {n} * x", Linear=nn.Linear
    )
    layer = nn.utils.skip_init(base, 1, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    nn.utils.parametrize.register_parametrization(layer, "weight", scaling())
    return layer


CALLS = "def Mine(x):\n    return helper(x)"
FIXED = "class Mine:\n    rate = {}\n    def __call__(self, x):\n        return x * self.rate"
GLOBAL = "class Mine:\n    def __call__(self, x):\n        return [rate * each for each in x]"
STATIC = "class Mine:\n    @staticmethod\n    def of(x):\n        return x + {}"
PROPERTY = "class Mine:\n    @property\n    def of(self):\n        return {}"

# Each is one thing, and another one that acts otherwise.
DIFFERENT = [
    (1, 1.0),
    (0.0, -0.0),
    (True, 1),
    ("1", b"1"),
    (None, "None"),
    ((1, 2), [1, 2]),
    (("a", "bc"), ("ab", "c")),
    ([[1], 2], [[1, 2]]),
    ({"a": 1}, {"a": 2}),
    ({1, 2}, {1, 3}),
    (slice(1), slice(2)),
    (collections.deque([1]), collections.deque([2])),
    (collections.defaultdict(int), collections.defaultdict(list)),
    (datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2)),
    (decimal.Decimal(1), decimal.Decimal(2)),
    (re.compile("a"), re.compile("a", re.IGNORECASE)),
    (uuid.UUID(int=1), uuid.UUID(int=2)),
    (functools.partial(max, 1), functools.partial(max, 2)),
    (functools.partial(max, 1), functools.partial(min, 1)),
    (one, two),
    (times(2), times(3)),
    (nested(1), nested(2)),
    (np.arange(2000), np.where(np.arange(2000) == 1000, 7, np.arange(2000))),
    (np.arange(3), np.arange(3, dtype="i4")),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.array([1, "a"], dtype=object), np.array([1, "b"], dtype=object)),
    (np.random.default_rng(1), np.random.default_rng(2)),
    (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
    (torch.zeros(2, 3), torch.zeros(3, 2)),
    (torch.tensor([1.0]).bfloat16(), torch.tensor([2.0]).bfloat16()),
    (torch.float32, torch.float64),
    (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)),
    (linear(1.0), linear(2.0)),
    (linear(), linear(bias=False)),
    (linear(), frozen()),
    (hooked(2), hooked(3)),
    (nn.Sequential(nn.ReLU()), nn.Sequential(nn.GELU())),
    (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    (cl.EWC(), cl.EWC(fisher="true")),
    (cl.MLP(seed=1), cl.MLP(seed=2)),
    (written(CALLS, helper=times(2)), written(CALLS, helper=times(3))),
    (written(FIXED.format(1)), written(FIXED.format(2))),
    (written(GLOBAL, rate=1), written(GLOBAL, rate=2)),
    (written(STATIC.format(1)), written(STATIC.format(2))),
    (written(PROPERTY.format(1)), written(PROPERTY.format(2))),
    (written(FIXED.format(1))(), written(FIXED.format(2))()),
    (with_attribute(1), with_attribute(2)),
    (wrapped(1), wrapped(2)),
    ({0: 1}.get, {0: 2}.get),
    (written(TRY.format("\n        b()\n    except E: pass")), written(TRY_ELSE)),
    (Slots(1), Slots(2)),
    (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])),
    (nn.Sequential(linear(), nn.Tanh(), linear()), twice(linear())),
    (cl.models.Dropout(0.5), cl.models.Dropout(0.5).eval()),
    (own_module(1), own_module(2)),
    (cl.EWC(), with_prior()),
    (parametrized(1), parametrized(2)),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_has_another_fingerprint(one, other):
    assert fingerprint_of(one) != fingerprint_of(other)
    assert fingerprint_of([one]) != fingerprint_of([other])


@pytest.mark.parametrize(
    "thing",
    [
        np.arange(3),
        np.arange(6).reshape(2, 3).T,
        torch.arange(6.0).view(2, 3).T,
        torch.Generator().manual_seed(1),
        linear(),
        cl.EWC(),
        cl.MLP(seed=0),
        nested(1),
        {"a": [1, 2]},
        datetime.datetime(2020, 1, 1),
    ],
)
def test_a_copy_has_the_same(thing):
    assert fingerprint_of(copy.deepcopy(thing)) == fingerprint_of(thing)
    assert fingerprint_of([thing, thing]) == fingerprint_of([thing, copy.deepcopy(thing)])


def test_what_is_written_twice_is_the_same():
    for source in (CALLS, GLOBAL, FIXED.format(1), STATIC.format(1)):
        both = [written(source, helper=times(2), rate=1) for _ in range(2)]
        assert fingerprint_of(both[0]) == fingerprint_of(both[1])
    documented = FIXED.format(1).replace("class Mine:", 'class Mine:\n    """What it does."""')
    assert fingerprint_of(written(documented)) == fingerprint_of(written(FIXED.format(1)))


IN_A_PROCESS = """
import sys
sys.path.insert(0, "tests")
from test_identity import CALLS, FIXED, fingerprint_of, hooked, linear, times, written
import cl_helpers as cl
tasks = cl.permuted(cl.load("digits").first(100, 50), 3)
things = [{"b", "a", "c"}, linear(), hooked(2), written(FIXED.format(1)), tasks, cl.EWC(), times(2)]
print(*map(fingerprint_of, things))
"""


def test_every_process_finds_the_same():
    """Whatever the seed of Python's hashes and the numbers of the hooks are."""

    def printed(seed, before):
        command = [sys.executable, "-c", before + IN_A_PROCESS]
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    hooks = "import torch; [torch.nn.ReLU().register_forward_hook(print) for _ in range(9)]"
    assert printed("1", "") == printed("2", hooks)


@pytest.mark.parametrize("make", [threading.Lock, lambda: (i for i in ()), lambda: sys.stdout])
def test_what_only_its_address_tells_apart_is_refused(make):
    class Holds:
        def __init__(self):
            self.inner = [make()]

    with pytest.raises(Unidentifiable, match=r"give the class that holds it a method fingerprint"):
        fingerprint_of(Holds())

    class Says(Holds):
        def fingerprint(self):
            return "always the same"

    assert fingerprint_of(Says()) == fingerprint_of(Says())


def test_weights_can_be_left_out():
    assert fingerprint_of(linear(1.0), weights=False) == fingerprint_of(linear(2.0), weights=False)
    assert fingerprint_of(linear(), weights=False) != fingerprint_of(linear(bias=False), False)
    assert fingerprint_of(linear(), weights=False) != fingerprint_of(frozen(), weights=False)
    assert fingerprint_of(linear(), weights=False) != fingerprint_of(hooked(2), weights=False)


def test_a_class_of_the_package_that_somebody_has_changed_is_another(monkeypatch):
    before = fingerprint_of(cl.EWC())
    with monkeypatch.context() as patch:
        patch.setattr(cl.EWC, "importance_of", lambda self, model, task: None)
        assert fingerprint_of(cl.EWC()) != before
    with monkeypatch.context() as patch:
        patch.setattr(cl.methods.Quadratic, "joined", lambda self, omega, theta: (omega, theta))
        assert fingerprint_of(cl.EWC()) != before
    assert fingerprint_of(cl.EWC()) == before


def test_data_count_to_the_byte_wherever_they_lie(digits):
    few = digits.first(100, 50)
    tasks = cl.permuted(few, 2)
    assert fingerprint_of(cl.permuted(digits.first(100, 50), 2)) == fingerprint_of(tasks)
    changed = few.train_images.clone()
    changed[-1, 0, 14, 14] += 1
    others = [
        cl.permuted(few, 2, seed=1),
        cl.permuted(digits.first(99, 50), 2),
        cl.permuted(cl.data.datasets.replace(few, train_images=changed), 2),
        cl.permuted(few.in_unit_range(), 2),
        cl.rotated(few, 2),
    ]
    assert len({fingerprint_of(t) for t in (tasks, *others)}) == 6


def test_data_that_numpy_has_changed_are_others(digits):
    """Of what NumPy writes into the memory of a tensor, PyTorch keeps no count."""
    few = digits.first(100, 50)
    changed = digits.first(100, 50)
    images = few.train_images.numpy()
    before, pixel = fingerprint_of(few), images[0, 0, 0, 0].copy()
    try:
        images[0, 0, 0, 0] += 1
        assert changed.source is None
        assert fingerprint_of(changed) != before
    finally:
        images[0, 0, 0, 0] = pixel
    assert fingerprint_of(changed) == before


class FromFile:
    """Reads its images at every batch."""

    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 20

    @property
    def device(self):
        return torch.device("cpu")

    def batch(self, index):
        x = torch.from_numpy(np.load(self.path))
        return x[index], torch.zeros(len(index), dtype=torch.long)

    def batches(self, size):
        for rows in torch.arange(20).split(size):
            yield self.batch(rows)

    def to(self, device):
        return self


def test_what_a_view_reads_counts(tmp_path):
    path = tmp_path / "images.npy"
    found = []
    for value in (0.0, 0.0, 1.0):
        np.save(path, np.full((20, 3), value, "f"))
        view = FromFile(path)
        found.append(cl.data.tasks.fingerprint([cl.Task("a", "a", view, view, (0,))]))
    assert found[0] == found[1] != found[2]


def test_the_order_of_attributes_and_a_copy_change_nothing():
    """A worker makes a class anew, its attributes sorted; `copy` notes slots in a class."""
    one = written("class Mine:\n    b = 1\n    a = 2")
    other = written("class Mine:\n    a = 2\n    b = 1")
    assert fingerprint_of(one) == fingerprint_of(other)
    before = fingerprint_of(one)
    copy.copy(one())
    assert fingerprint_of(one) == before
    again = cloudpickle.loads(cloudpickle.dumps(one))
    assert fingerprint_of(again) == before


class Cached:
    def __init__(self, n):
        self.n = n

    @functools.cached_property
    def square(self):
        return self.n**2


def test_what_is_computed_and_cached_changes_nothing():
    one = Cached(3)
    before = fingerprint_of(one)
    assert one.square == 9
    assert fingerprint_of(one) == before != fingerprint_of(Cached(4))


def test_many_functions_that_call_each_other_take_no_time():
    names: dict = {}
    for i in range(60):
        exec(f"def f{i}(x):\n    return [f(x) for f in (f{(i + 1) % 60}, f{(i + 7) % 60})]", names)
    before = fingerprint_of(names["f0"])
    exec("def f59(x):\n    return x", names)
    assert fingerprint_of(names["f0"]) != before


LOSSES = "def f(x):\n    return {} * x\n"


@pytest.mark.parametrize(
    "uses",
    [
        "import own_package.losses\ndef uses(x):\n    return own_package.losses.f(x)",
        "from own_package import losses\ndef uses(x):\n    return losses.f(x)",
        "def uses(x):\n    import own_package.losses as own\n    return own.f(x)",
        "def uses(x):\n    from own_package.losses import f\n    return f(x)",
        "from own_package.inner import uses",
    ],
)
def test_what_is_edited_in_a_file_of_ones_own_is_another(tmp_path, uses):
    """In a process each, as when the file is edited between two evenings."""
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text(
        "def uses(x):\n    from . import losses\n    return losses.f(x)"
    )
    (tmp_path / "user.py").write_text(uses)
    code = "from cl_helpers.identity import fingerprint_of\nimport user\n"
    code += "print(fingerprint_of(user.uses))"
    printed = []
    for factor in (1, 1, 2):
        (package / "losses.py").write_text(LOSSES.format(factor))
        environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        printed.append(done.stdout)
    assert printed[0] == printed[1] != printed[2]


class Documented(cl.EWC):
    """One of somebody's own, whose bases are in the package."""


def test_the_packages_code_counts_without_its_docstrings(monkeypatch):
    def digest():
        fingerprint_of_package.cache_clear()
        return fingerprint_of_package(Documented)

    def edited(before, after):
        source = inspect.getsource(ewc).replace(before, after)
        assert source != inspect.getsource(ewc)
        there = types.ModuleType(ewc.__name__)
        there.__package__ = ewc.__package__
        there.__file__ = ewc.__file__
        monkeypatch.setitem(sys.modules, ewc.__name__, there)
        exec(compile(source, "ewc.py", "exec"), vars(there))

    first = digest()
    assert first == digest() != fingerprint_of_package(cl.SI)
    edited("\n    def ", "\n    # a remark\n\n    def ")
    assert digest() == first
    edited('"""\n', ' And more."""\n')
    assert digest() == first
    edited("return ", "return 2 * ")
    assert digest() != first
