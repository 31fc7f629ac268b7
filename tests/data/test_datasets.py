"""Data from disk, over a real HTTP connection, and in every kind of trouble."""

import functools
import gzip
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
import torch
import torchvision
from sklearn.datasets import load_digits

import cl_helpers as cl
from cl_helpers.data import datasets as data

NAMES = tuple(data._MNIST_FILES)


@pytest.fixture
def copy_of_mnist(mnist_root, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in NAMES:
        shutil.copyfile(mnist_root / "MNIST" / "raw" / name, raw / name)
    return tmp_path


@pytest.fixture
def no_server(monkeypatch):
    """Every address of the data sets leads to a port where nobody listens."""
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(torchvision.datasets.CIFAR100, "url", "http://127.0.0.1:9/cifar.tar.gz")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on loopback for the folder that it returns, as MNIST's only mirror."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        mirror = f"http://127.0.0.1:{httpd.server_port}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror])
        yield folder
        httpd.shutdown()


def serve(folder, mnist_root, monkeypatch):
    resources = []
    for name in NAMES:
        packed = gzip.compress((mnist_root / "MNIST" / "raw" / name).read_bytes(), 1)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)


# --- what comes out ---


def test_mnist_is_the_published_bytes(mnist, mnist_root):
    raw = mnist_root / "MNIST" / "raw"
    for half, images, labels, n in (
        ("train", "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60000),
        ("test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10000),
    ):
        pixels = np.fromfile(raw / images, dtype=np.uint8, offset=16).reshape(n, 1, 28, 28)
        digits = np.fromfile(raw / labels, dtype=np.uint8, offset=8)
        assert np.array_equal(mnist.images(half), pixels)
        assert np.array_equal(mnist.labels(half), digits)
    assert mnist.train_images.dtype == torch.uint8
    assert mnist.train_labels.dtype == torch.long
    # The figures that everybody normalises MNIST with.
    assert mnist.mean.item() == pytest.approx(0.1307, abs=5e-5)
    assert mnist.std.item() == pytest.approx(0.3081, abs=5e-5)


def test_normalised_training_images_have_mean_0_and_deviation_1(digits):
    x = digits.normalise(digits.train_images).double()
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std().item() == pytest.approx(1, abs=1e-5)
    expected = (digits.train_images / 255 - digits.mean) / digits.std
    torch.testing.assert_close(x.float(), expected)


def test_digits_are_scikit_learns_enlarged(digits):
    small, labels = load_digits(return_X_y=True)
    images = torch.cat([digits.train_images, digits.test_images])
    assert images.shape == (1797, 1, 28, 28)
    assert sorted(torch.cat([digits.train_labels, digits.test_labels]).tolist()) == sorted(labels)
    shrunk = torch.nn.functional.interpolate(images.float(), size=8, mode="area").flatten(1)
    distance = torch.cdist(shrunk / 255, torch.tensor(small, dtype=torch.float32) / 16)
    nearest = distance.argmin(1)
    assert len(nearest.unique()) > 0.95 * 1797  # some originals hardly differ
    found = torch.tensor(labels)[nearest]
    assert torch.equal(found, torch.cat([digits.train_labels, digits.test_labels]))


def test_a_data_set_is_told_in_a_line(digits):
    """And so a task, as the last line of a notebook's cell, is no pages of bytes."""
    assert repr(digits.first(1000, 200)) == "<digits: 1,000 training and 200 test images>"
    assert repr(cl.rotated(digits, 2)[1]).count("\n") == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"train_images": torch.zeros(5, 1, 8, 8)},
            "train_images are torch.float32",
        ),
        ({"test_images": torch.zeros(2, 8, 8, dtype=torch.uint8)}, r"test_images .* \(2, 8, 8\)"),
        ({"train_labels": torch.zeros(4, dtype=torch.long)}, "give 5 whole numbers"),
        ({"train_labels": torch.zeros(5, dtype=torch.int32)}, "train_labels are torch.int32"),
        ({"test_labels": torch.tensor([0, 3])}, "test_labels hold 3, but there are 3 class names"),
        ({"train_labels": torch.tensor([0, 1, 2, -100, 0])}, "train_labels hold -100.* 0 to 2"),
    ],
)
def test_images_and_labels_that_are_none_are_named(changed, message):
    made = {
        f"{half}_{what}": torch.zeros(n, *shape, dtype=dtype)
        for half, n in (("train", 5), ("test", 2))
        for what, shape, dtype in (("images", (1, 8, 8), torch.uint8), ("labels", (), torch.long))
    }
    rest = {"name": "mine", "class_names": tuple("abc")}
    rest |= {"mean": torch.zeros(1, 1, 1), "std": torch.ones(1, 1, 1)}
    cl.Dataset(**made, **rest)
    with pytest.raises(ValueError, match=message):
        cl.Dataset(**made | changed, **rest)


def test_one_copy_per_device_and_views_for_a_part(digits):
    meta = torch.device("meta")
    assert digits.to(meta) is digits.to(meta)
    assert digits.to(digits.device) is digits
    part = digits.first(10, 5)
    assert len(part.train_labels) == 10
    assert part.train_images.data_ptr() == digits.train_images.data_ptr()


def test_cifar100_from_its_archive(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "train_images": rng.integers(0, 256, (50000, 1, 1, 3), dtype=np.uint8)
        .repeat(32, 1)
        .repeat(32, 2),
        "train_labels": rng.integers(0, 100, 50000, dtype=np.uint8),
        "test_images": np.zeros((10000, 32, 32, 3), dtype=np.uint8),
        "test_labels": np.zeros(10000, dtype=np.uint8),
        "class_names": np.array([f"class {i}" for i in range(100)]),
    }
    path = tmp_path / "cifar100.npz"
    np.savez(path, **arrays)
    cifar = cl.load("cifar100", tmp_path)
    assert cifar.train_images.shape == (50000, 3, 32, 32)
    assert np.array_equal(cifar.train_images[7, :, 3, 4], arrays["train_images"][7, 3, 4])
    assert cifar.class_names[99] == "class 99"
    colours = arrays["train_images"][:, 0, 0] / 255
    np.testing.assert_allclose(cifar.mean.flatten(), colours.mean(0), rtol=1e-5)
    np.testing.assert_allclose(cifar.std.flatten(), colours.std(0), rtol=1e-5)

    np.savez(path, **(arrays | {"test_labels": np.zeros(9)}))
    with pytest.raises(cl.DataError, match=r"cifar100.npz: test_labels is \(9,\), expected"):
        cl.load("cifar100", tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(cl.DataError, match=r"cifar100.npz is truncated or corrupted.* Delete"):
        cl.load("cifar100", tmp_path)


# --- trouble on disk ---


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trouble", ["missing", "truncated", "corrupted", "unreadable"])
def test_a_damaged_file_is_named_with_the_cure(copy_of_mnist, name, trouble):
    path = copy_of_mnist / "MNIST" / "raw" / name
    content = bytearray(path.read_bytes())
    path.unlink()
    if trouble == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif trouble == "corrupted":
        content[-5] ^= 1  # the right length, one wrong bit
        path.write_bytes(content)
    elif trouble == "unreadable":
        path.mkdir()
    for which in ("mnist", "auto"):  # damaged data is never passed over in silence
        with pytest.raises(cl.DataError, match=rf"{name} .*Delete .*MNIST/raw") as error:
            cl.load(which, copy_of_mnist)
        assert "\n" not in str(error.value)


def test_an_unknown_name():
    with pytest.raises(ValueError, match='data set is \'emnist\': choose "mnist", "digits"'):
        cl.load("emnist")


# --- the network ---


def test_offline_fails_or_falls_back_and_says_so(tmp_path, no_server, capsys):
    began = time.perf_counter()
    for name in ("mnist", "cifar100"):
        with pytest.raises(data.Offline, match=r"does not answer.*set CL_DATA"):
            cl.load(name, tmp_path)
    assert capsys.readouterr().err == ""
    assert cl.load("auto", tmp_path).name == "digits"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "embedded digits" in said
    assert time.perf_counter() - began < 120
    assert os.listdir(tmp_path) == []


def test_a_network_that_swallows_everything_does_not_hang(tmp_path, monkeypatch):
    """As when looking up a name, or the server, never answers: nothing in it heeds a time-out."""

    over = threading.Event()

    def swallow(url, timeout):
        over.wait(600)
        raise TimeoutError

    monkeypatch.setattr(urllib.request, "urlopen", swallow)
    began = time.perf_counter()
    assert cl.load("auto", tmp_path).name == "digits"
    assert time.perf_counter() - began < 120
    over.set()


def test_download_from_a_real_server(tmp_path, server, mnist, mnist_root, monkeypatch):
    serve(server, mnist_root, monkeypatch)
    root = tmp_path / "new" / "folder"
    downloaded = cl.load("mnist", root)
    assert torch.equal(downloaded.train_images, mnist.train_images)
    assert torch.equal(downloaded.test_labels, mnist.test_labels)
    assert os.listdir(root / "MNIST") == ["raw"]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert torch.equal(cl.load("mnist", root).test_images, mnist.test_images)


def test_a_download_that_breaks_off_is_never_taken_for_data(
    tmp_path, server, mnist_root, monkeypatch
):
    serve(server, mnist_root, monkeypatch)
    packed = server / f"{NAMES[2]}.gz"
    packed.write_bytes(packed.read_bytes()[:100_000])
    root = tmp_path / "root"
    with pytest.raises(data.Offline, match=r"download to .*raw broke off.*Try again"):
        cl.load("mnist", root)
    assert [str(p.relative_to(root)) for p in root.rglob("*")] == ["MNIST"]
    serve(server, mnist_root, monkeypatch)
    assert len(cl.load("mnist", root).train_labels) == 60000


def test_two_downloads_at_once_both_end_with_the_data(tmp_path, server, mnist_root, monkeypatch):
    """Another process finishes while ours is still at it."""
    serve(server, mnist_root, monkeypatch)
    raw, ours = tmp_path / "MNIST" / "raw", torchvision.datasets.MNIST

    class Slower(ours):
        def download(self):
            super().download()
            shutil.copytree(mnist_root / "MNIST" / "raw", raw)

    monkeypatch.setattr(torchvision.datasets, "MNIST", Slower)
    monkeypatch.setattr(Slower, "raw_folder", property(lambda self: f"{self.root}/MNIST/raw"))
    assert len(cl.load("mnist", tmp_path).train_labels) == 60000
    assert os.listdir(tmp_path / "MNIST") == ["raw"]


def test_a_folder_that_cannot_be_written(tmp_path, server):
    (tmp_path / "file").write_text("")
    with pytest.raises(cl.DataError, match=r"cannot be written .*Set CL_DATA"):
        cl.load("mnist", tmp_path / "file")


IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print(event, arguments, file=sys.stderr, flush=True)
        raise OSError("no network here")

sys.addaudithook(note)
import cl_helpers
for module in pkgutil.walk_packages(cl_helpers.__path__, "cl_helpers."):
    if module.name != "cl_helpers.__main__":
        importlib.import_module(module.name)
print("imported", file=sys.stderr, flush=True)
cl_helpers.load("auto")
"""


def test_nothing_is_downloaded_at_import(tmp_path):
    """By no module, in no thread. What is looked for afterwards is seen: the watch is awake."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        env=os.environ | {"CL_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = done.stderr.split("imported\n")
    assert "socket." not in before
    assert "socket." in after
