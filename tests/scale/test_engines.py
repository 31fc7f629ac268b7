"""What a worker has imported anew is what was asked for, values too; else it refuses."""

import importlib
import sys
from dataclasses import replace

import pytest
import torch

import cl_helpers as cl
from cl_helpers.scale import engines
from cl_helpers.scale.stored_runs import Member
from cl_helpers.scale.sweep import Chunk
from cl_helpers.training.settings import Settings

OWN = """
import cl_helpers as cl
STRENGTH = 1.0
class Scaled(cl.methods.Quadratic):
    name, label, gain, calls = "scaled", "Scaled", 1.0, [0]
    def __init__(self, lam=1.0): self.lam = lam
    def importance_of(self, model, task):
        self.calls[0] += 1
        return STRENGTH * self.gain * cl.flat.flatten(model).theta.abs()
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_of_a_test.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("own_of_a_test")
    del sys.modules["own_of_a_test"]


def asked_elsewhere(thing):
    """What another process that asks for `thing` has noted."""
    return replace(engines.code_of(thing), home="elsewhere")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda own: setattr(own, "STRENGTH", 500.0), "own_of_a_test.Scaled.importance_of: STR"),
        (lambda own: setattr(own.Scaled, "gain", 3.0), "own_of_a_test.Scaled: gain"),
        (lambda own: setattr(own.Scaled, "more", 3.0), "own_of_a_test.Scaled: more"),
    ],
)
def test_a_worker_with_other_values_refuses_and_names_them(few, own, change, named):
    how = Settings.of({"epochs": 1, "batch_size": 32, "device": "cpu"})
    chunk = Chunk([Member(own.Scaled(), 0)], cl.permuted(few, 2), cl.MLP((784, 8, 10)), how)
    chunk = replace(chunk, code=asked_elsewhere(chunk.all_code))
    for _ in range(2):  # what training itself has changed since, `calls`, is no difference
        assert len(chunk.train(lambda part: None)) == 1
    change(own)
    other = replace(chunk, code=asked_elsewhere(chunk.all_code))
    importlib.reload(own)  # as a worker does
    chunk = replace(other, members=[Member(own.Scaled(), 0)])
    with pytest.raises(engines.OtherCode, match=named) as error:
        chunk.train(lambda part: None)
    assert "engine=1" in str(error.value)
    assert "a knob" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_process_is_not_compared_with_itself(own):
    code = engines.code_of(own.Scaled)
    own.Scaled.gain = 5.0
    engines.must_be_the_same(code, own.Scaled)


def test_what_has_no_fingerprint_and_what_is_installed_is_not_compared(own):
    own.Scaled.lock = open(__file__)  # noqa: SIM115
    code = asked_elsewhere((own.Scaled, cl.EWC, torch.nn.Linear))
    own.Scaled.lock.close()
    own.Scaled.lock = open(__file__)  # noqa: SIM115
    engines.must_be_the_same(code, (own.Scaled, cl.EWC, torch.nn.Linear))
    own.Scaled.lock.close()
    assert not any("lock" in name or "EWC" in name for name in code.values)


def test_values_that_an_optimizer_finds_count(own):
    exec("def make(theta, lr): return STRENGTH", vars(own))
    assert [*engines.code_of(own.make).values] == ["own_of_a_test.make: STRENGTH"]


def test_other_code_is_looked_for_in_new_processes_once(monkeypatch):
    tries = []

    def finished(executor, work):
        tries.append(1)
        raise engines.OtherCode
        yield

    monkeypatch.setattr(engines, "_finished", finished)
    with pytest.raises(engines.OtherCode):
        list(engines.Workers(2, lambda n: None, local=True).each([[1], [2]], print))
    assert len(tries) == 2


def test_processes_do_not_train_with_values_set_after_the_import(few, own):
    own.STRENGTH = 500.0
    how = {"epochs": 1, "batch_size": 32, "progress": False, "engine": 2}
    with pytest.raises(engines.OtherCode, match="STRENGTH"):
        cl.sweep(own.Scaled(), cl.permuted(few, 2), cl.MLP((784, 8, 10)), seeds=[0, 1], **how)


def test_a_stored_run_of_other_code_of_the_package_says_so(few, tmp_path, capsys):
    def sweep(note):
        if note is not None:
            run.config["versions"]["cl_helpers"] = note
        else:
            del run.config["versions"]["cl_helpers"]
        run.save(path)
        capsys.readouterr()
        cl.sweep(cl.EWC(), tasks, model, **how)
        return capsys.readouterr().out

    tasks, model = cl.permuted(few, 2), cl.MLP((784, 8, 10))
    how = {"epochs": 1, "batch_size": 32, "progress": False, "engine": 1, "folder": tmp_path}
    [run] = cl.sweep(cl.EWC(), tasks, model, **how)
    [path] = tmp_path.iterdir()
    ours = run.config["versions"]["cl_helpers"]
    code, _, python = ours.partition(" on ")
    for silent in (ours, f"{'0' * len(code)} on 2.7", None):
        assert sweep(silent) == ""
    words = "1 of 1 runs are there, trained with other code of cl_helpers' EWC: delete ewc-*.json"
    assert words in sweep(f"{'0' * len(code)} on {python}")
