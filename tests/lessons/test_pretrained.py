"""Lesson 14: the stored runs as it shows them, and torchvision's network with drawn weights."""

import re

import numpy as np
import pytest
import torch
from scipy import stats

import cl_helpers as cl
from cl_helpers.data import download
from cl_helpers.lessons import pretrained


def cells(text):
    return [float(v) for v in re.findall(r"\d+\.\d+", text)]


def test_the_stored_table_has_mean_and_deviation_of_the_seeds():
    rows = cl.load_results("pretrained")["mnist"]
    table = pretrained.stored_table()
    assert list(table.index) == [row["name"] for row in rows]
    for row in rows:
        values = [100 * seed["average_accuracy"] for seed in row["seeds"]]
        assert len(values) == 3
        shown = cells(table.loc[row["name"], "MNIST"])
        assert shown[:2] == pytest.approx([np.mean(values), np.std(values, ddof=1)], abs=0.051)


@pytest.mark.parametrize("stream", ["mnist", "cifar100", "replay"])
def test_a_gain_is_within_seeds_where_a_paired_t_test_says_so(stream):
    rows = cl.load_results("pretrained")[stream]
    values = {r["name"]: [100 * s["average_accuracy"] for s in r["seeds"]] for r in rows}
    for one in values:
        for other in values:
            if one != other and len({*np.subtract(values[one], values[other])}) > 1:
                said = pretrained.gain(stream, one, other)
                p = stats.ttest_rel(values[one], values[other]).pvalue
                assert ("within seeds" in said) == (p >= 0.05)
                difference = np.mean(values[one]) - np.mean(values[other])
                shown = float(said.partition(": ")[2].split()[0])
                assert shown == pytest.approx(difference, abs=0.051)


def test_er_and_derpp_were_compared_with_as_many_examples():
    er, derpp, _ = cl.load_results("pretrained")["replay"]
    assert er["setting"]["memory"] == derpp["setting"]["memory"] == 200
    assert derpp["stored"]["exemplars"] == er["stored"]["exemplars"] == 200 * (784 * 4 + 16)
    assert derpp["stored"]["logits"] == 200 * 10 * 4
    assert derpp["passes"] == pytest.approx([3, 3], abs=0.1)
    table = pretrained.replay_table()
    assert list(table["stored, MB"]) == ["0.63", "0.64", "0.64"]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("CL_DATA", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    return tmp_path


def test_without_the_weights_it_says_so_and_asks_no_host(nowhere, few, capsys, monkeypatch):
    monkeypatch.setattr(download, "reachable", lambda urls: pytest.fail("it asked"))
    assert pretrained.imagenet(few) is None
    assert "resnet18-f37072fd.pth" in capsys.readouterr().out


def test_a_download_without_a_network_fails_fast(nowhere, few, capsys, monkeypatch):
    monkeypatch.setattr(pretrained, "URL", "http://127.0.0.1:9/none.pth")  # nobody listens
    assert pretrained.imagenet(few, get=True) is None
    assert "does not answer" in capsys.readouterr().out


def test_with_the_weights_its_features_are_those_of_torchvision(nowhere, few):
    from torchvision.models import resnet18
    from torchvision.transforms.v2 import functional as T

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = resnet18().eval()
    torch.save(theirs.state_dict(), nowhere / pretrained.FILE)
    part = few.first(60, 20)
    model = pretrained.imagenet(part).eval()
    with torch.no_grad():
        came = model.features(part.normalise(part.train_images[:4]))
        x = part.train_images[:4].expand(-1, 3, -1, -1).float() / 255
        x = T.normalize(x, list(pretrained.MEAN), list(pretrained.STD))
        x = torch.nn.functional.interpolate(x, size=64, mode="bilinear")
        theirs.fc = torch.nn.Identity()
        torch.testing.assert_close(came, theirs(x), rtol=1e-4, atol=1e-4)
    run = cl.train(cl.NCM(), cl.split(part, 5), model, progress=False)
    assert run.complete
