"""Data sets as checked tensors: MNIST, CIFAR-100, and digits that need no network.

Images stay bytes, as on disk, in one tensor for each half of a data set. Each batch is turned into
normalised floats when it is needed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import platformdirs
import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import one_of, shortened, warn
from ..files import replacing
from ..formats import format_tensor
from .download import DataError, Offline, download
from .own import checked, read

# MD5 of the files as published, unpacked.
_MNIST_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_CIFAR_ARRAYS = {
    "train_images": (50000, 32, 32, 3),
    "train_labels": (50000,),
    "test_images": (10000, 32, 32, 3),
    "test_labels": (10000,),
    "class_names": (100,),
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """All training and test images of a data set with their labels, on one device.

    One's own data come in by `from_tensors` or `from_dataset`.

    Args:
        name: "mnist", "digits", "cifar100", or the name of your own data.
        train_images, test_images: (N, C, H, W) uint8, 0 to 255; if `raw`, inputs (N, …).
        train_labels, test_labels: (N,) long, 0 to K − 1.
        class_names: K names, by label.
        mean, std: (C, 1, 1) float, of the training pixels scaled to [0, 1]; `normalise` uses them.
        raw: whether the inputs stay as they are: floats or whole numbers of any shape. Default
            False.

    Raises:
        ValueError: images or labels have another type or shape, there are more of the one than of
            the other, or a label has no class name.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    mean: Tensor
    std: Tensor
    raw: bool = False
    # For `source`: where `load` found it, and in which state its tensors then were.
    _source: tuple[str, str | None, int, int] | None = field(default=None, init=False, repr=False)
    _versions: tuple[int, ...] = field(default=(), init=False, repr=False)
    _checksum: int = field(default=0, init=False, repr=False)
    _copies: dict[torch.device, Dataset] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for half in ("train", "test"):
            images, labels = self.images(half), self.labels(half)
            if not self.raw and (images.dtype != torch.uint8 or images.ndim != 4):
                raise ValueError(
                    f"{half}_images are {format_tensor(images)}: give bytes (torch.uint8) from 0 "
                    "to 255, of shape (N, C, H, W), or use cl.Dataset.from_tensors"
                )
            if labels.dtype != torch.long or labels.shape != images.shape[:1]:
                raise ValueError(
                    f"{half}_labels are {format_tensor(labels)}: give {len(images):,} whole "
                    "numbers (torch.long), one an image"
                )
            if labels.device.type != "cpu":
                continue  # a GPU would have to wait, and its copies come from checked tensors
            wrong = labels[(labels < 0) | (labels >= len(self.class_names))]
            if len(wrong):
                raise ValueError(
                    f"{half}_labels hold {int(wrong[0])}, but there are {len(self.class_names)} "
                    f"class names: choose 0 to {len(self.class_names) - 1}, or name more classes"
                )

    @classmethod
    def from_tensors(
        cls,
        train_inputs: Any,
        train_labels: Any,
        test_inputs: Any,
        test_labels: Any,
        *,
        name: str = "mine",
        class_names: Iterable[str] | None = None,
    ) -> Dataset:
        """Make a data set of tensors, NumPy arrays or lists.

        Args:
            train_inputs, test_inputs: (N, …). Bytes, (N, H, W) or (N, C, H, W), are images from 0
                to 255 and are normalised like MNIST. Floats and whole numbers (vectors, images,
                sequences, tokens) stay as they are.
            train_labels, test_labels: (N,) whole numbers of any type, 0 or larger.
            name: of the data, for tables. Default "mine".
            class_names: K names, by label. None, the default, numbers them.

        A warning says which classes no training example has: between the smallest and the largest
        label, or with `class_names` those that only the test labels have.

        Raises:
            ValueError: an input is not finite, images have their channels last, a label is no whole
                number or has no name, or the two halves do not fit each other.
        """
        x, y = checked("train", train_inputs, train_labels)
        x_test, y_test = checked("test", test_inputs, test_labels)
        if x.shape[1:] != x_test.shape[1:] or x.dtype != x_test.dtype:
            raise ValueError(
                f"the training inputs are {format_tensor(x)}, those to test with "
                f"{format_tensor(x_test)}: give both alike"
            )
        if class_names is None:
            _check_labels(torch.cat([y, y_test]).unique())
        _check_classes(y, y_test, named=class_names is not None)
        names = map(str, range(1 + int(max(y.max(), y_test.max()))))
        names = names if class_names is None else map(str, class_names)
        if x.dtype == torch.uint8:
            return _dataset(name, names, x, y, x_test, y_test)
        none, one = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
        return cls(name, x, y, x_test, y_test, tuple(names), none, one, raw=True)

    @classmethod
    def from_dataset(cls, train: Any, test: Any, **options: Any) -> Dataset:
        """Make a data set of two PyTorch data sets, or of two pairs (inputs, labels).

        All examples are read once, into memory.

        Args:
            train, test: such as a `TensorDataset`, `torchvision.datasets.FashionMNIST(…)`, or any
                `torch.utils.data.Dataset` with a length whose items are pairs (tensor, array or PIL
                image; label).
            options: `name` and `class_names` of `from_tensors`.

        Raises:
            ValueError: they are something else, or as `from_tensors`.
        """
        return cls.from_tensors(*read("train", train), *read("test", test), **options)

    def images(self, half: Literal["train", "test"]) -> Tensor:
        """Return the images of one `half`, (N, C, H, W) uint8."""
        return self.train_images if half == "train" else self.test_images

    def labels(self, half: Literal["train", "test"]) -> Tensor:
        """Return the labels of one `half`, (N,) long."""
        return self.train_labels if half == "train" else self.test_labels

    @property
    def device(self) -> torch.device:
        """Device of the images and labels."""
        return self.train_images.device

    def normalise(self, images: Tensor) -> Tensor:
        """Turn bytes (B, C, H, W) into floats, (images / 255 − mean) / std for each channel.

        Raw inputs stay as they are.
        """
        if self.raw:
            return images
        return images.float().mul_(1 / (255 * self.std)).sub_(self.mean / self.std)

    def in_unit_range(self) -> Dataset:
        """Return the same data with pixels from 0 to 1, not normalised, as in some papers."""
        return replace(self, mean=torch.zeros_like(self.mean), std=torch.ones_like(self.std))

    def first(self, n_train: int, n_test: int) -> Dataset:
        """Return the first `n_train` training and `n_test` test images, without copying them.

        A warning says which classes have no training image any more.

        Raises:
            ValueError: a number is no whole number.
        """
        part = self._first(n_train, n_test)
        if lost := {*self.train_labels.unique().tolist()} - {*part.train_labels.unique().tolist()}:
            warn(
                f"the first {len(part.train_labels):,} training images of {self.name} have none of "
                f"class {_listed([self.class_names[c] for c in sorted(lost)])}: take more, or "
                "shuffle the data before"
            )
        return part

    def _first(self, n_train: int, n_test: int) -> Dataset:
        for name, n in {"n_train": n_train, "n_test": n_test}.items():
            if n is not None and not hasattr(n, "__index__"):
                raise ValueError(f"{name} is {n!r}: choose a whole number")
        part = replace(
            self,
            train_images=self.train_images[:n_train],
            train_labels=self.train_labels[:n_train],
            test_images=self.test_images[:n_test],
            test_labels=self.test_labels[:n_test],
        )
        return part if self.source is None else _from(self.source[:2], part)

    def only(self, classes: Iterable[int]) -> Dataset:
        """Return the images of some classes, whose labels then count from 0 in the order given.

        Pixels are normalised as in the whole data set.

        Args:
            classes: labels, each once.

        Raises:
            ValueError: there is no such class, or one is named twice, or none.
        """
        wanted = list(classes)
        n = len(self.class_names)
        if not wanted or len({*wanted}) < len(wanted) or not {*wanted} <= {*range(n)}:
            raise ValueError(
                f"classes is {shortened(wanted)}: name some of 0 to {n - 1}, each once"
            )
        new = torch.full((n,), -1, device=self.device)
        new[wanted] = torch.arange(len(wanted), device=self.device)
        changes: dict[str, Any] = {"class_names": tuple(self.class_names[c] for c in wanted)}
        for half in ("train", "test"):
            labels = new[self.labels(half)]
            changes[f"{half}_images"] = self.images(half)[labels >= 0]
            changes[f"{half}_labels"] = labels[labels >= 0]
        return replace(self, **changes)

    @property
    def source(self) -> tuple[str, str | None, int, int] | None:
        """Where the data can be loaded again: name, folder, number of training and test images.

        None if the data do not come from `load`, or were changed by `replace` or in place.
        """
        if self._source is None or self._versions != tuple(v._version for v in self._tensors()):
            return None
        return self._source if self._checksum == _checksum(self) else None  # NumPy counts none

    def fingerprint(self) -> object:
        """Return what identifies the data: where they can be loaded again, or all their content."""
        content = {k: v for k, v in vars(self).items() if k[0] != "_"}
        if self.source is None:
            return content
        known = ("train_images", "train_labels", "test_images", "test_labels")
        name, _, n_train, n_test = self.source
        return name, n_train, n_test, {k: v for k, v in content.items() if k not in known}

    def _tensors(self) -> list[Tensor]:
        return [v for v in vars(self).values() if isinstance(v, Tensor)]

    def __repr__(self) -> str:
        n, n_test = len(self.train_labels), len(self.test_labels)
        return f"<{self.name}: {n:,} training and {n_test:,} test images>"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # Another process gets only the source of the images, if `load` has them there too.
        if self.source is not None:
            return _once, self.source
        content = [getattr(self, f.name) for f in fields(self) if f.init]
        return Dataset, tuple(v.clone() if isinstance(v, Tensor) else v for v in content)

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        make, content = replace(self).__reduce__()  # `replace` has no source: content, cloned
        return make(*content)

    def to(self, device: torch.device) -> Dataset:
        """Return the data set on `device`; the same copy at every call."""
        if device == self.device:
            return self
        if device not in self._copies:
            moved: dict[str, Any] = {
                k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)
            }
            self._copies[device] = replace(self, **moved)
        return self._copies[device]


def _check_labels(labels: Tensor) -> None:
    """Raise ValueError, or warn, where the different `labels` (n,) do not look like 0, 1, …"""
    n_classes = 1 + int(labels.max())
    if n_classes > max(10_000, 100 * len(labels)):
        raise ValueError(
            f"the labels go up to {n_classes - 1}, but only {len(labels)} occur: number them "
            "(np.unique(labels, return_inverse=True)), or give class_names"
        )
    if labels[0] == 1:
        warn("no example has the label 0; the first is 1: labels count from 0")


def _check_classes(y: Tensor, y_test: Tensor, named: bool) -> None:
    """Warn where training labels `y` lack classes, between others or that the test labels have."""
    trained, tested = {*y.unique().tolist()}, {*y_test.unique().tolist()}
    expected = tested if named else range(min(trained | tested), 1 + max(trained | tested))
    if missing := sorted({*expected} - trained):
        only_tested = tested - trained
        warn(
            f"no training example has the label {_listed(missing)}"
            + (f", but test examples have {_listed(sorted(only_tested))}" if only_tested else "")
            + ": give examples of all classes"
            + ("" if named else ", number the labels without gaps, or give class_names")
        )


def _listed(values: Sequence[object]) -> str:
    """Write `values`, the first eight of more than ten: 1, 2 or 3."""
    *some, last = values if len(values) <= 10 else [*values[:8], f"{len(values) - 8} more"]
    return f"{', '.join(map(str, some))} or {last}" if some else str(last)


def load(name: str = "auto", root: str | os.PathLike | None = None) -> Dataset:
    """Load a data set: from disk, else by download, else (for "auto") the embedded digits.

    Args:
        name: "mnist" (60,000 + 10,000 images, 28×28), "cifar100" (50,000 + 10,000, 32×32, colour),
            "digits" (scikit-learn's 1,797 8×8 digits, enlarged to 28×28; needs no network), or
            "auto", the default: MNIST if it is on disk or can be downloaded, else digits, and a
            line on stderr that says so.
        root: the folder with the data. None, the default, is $CL_DATA if that is set, else the
            user's cache folder.

    Raises:
        ValueError: there is no data set of that name.
        DataError: a file is missing, truncated or corrupted, or (`Offline`) cannot be downloaded.
    """
    one_of("data set", name, "mnist", "digits", "cifar100", "auto")
    if name == "digits":
        return _from(("digits", None), _digits())
    folder = data_folder(root)
    if name == "cifar100":
        return _from((name, str(folder.absolute())), _cifar100(folder))
    try:
        return _from(("mnist", str(folder.absolute())), _mnist(folder))
    except Offline as reason:
        if name == "mnist":
            raise
        print(
            f"No MNIST: {reason} Going on with scikit-learn's embedded digits, enlarged to 28×28.",
            file=sys.stderr,
        )
        return _from(("digits", None), _digits())


def _from(where: tuple[str, str | None], data: Dataset) -> Dataset:
    """Return `data` with the note that it is the first part of what `load(*where)` returns."""
    known = replace(data)
    source = (*where, len(data.train_labels), len(data.test_labels))
    object.__setattr__(known, "_source", source)  # `replace` does not take it along
    object.__setattr__(known, "_versions", tuple(v._version for v in known._tensors()))
    object.__setattr__(known, "_checksum", _checksum(known))
    return known


def _checksum(data: Dataset) -> int:
    """Of all bytes on the host: what is on another device was copied from there."""
    checksum = 0
    for tensor in data._tensors():
        if tensor.device.type == "cpu":
            checksum = zlib.crc32(tensor.contiguous().numpy().data, checksum)
    return checksum


@cache
def _once(name: str, folder: str | None, n_train: int, n_test: int) -> Dataset:
    """The data set from that source, loaded once in a process, from where this machine has it."""
    there = folder if folder is not None and Path(folder).exists() else None
    return load(name, there)._first(n_train, n_test)


def data_folder(root: str | os.PathLike | None = None) -> Path:
    """Return the folder of the data: `root`, else $CL_DATA, else the user's cache folder."""
    default = platformdirs.user_cache_dir("cl_helpers", appauthor=False)
    return Path(root or os.environ.get("CL_DATA") or default).expanduser()


def _dataset(name: str, class_names: Iterable[str], *arrays: Tensor) -> Dataset:
    x, y, x_test, y_test = arrays
    values = x.transpose(0, 1).flatten(1)
    # Exact and small: the mean and the mean square from how often each byte value occurs.
    counts = torch.stack([torch.bincount(v, minlength=256) for v in values]).double()
    level = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ level
    variance = (share @ level**2 - mean**2).clamp_min(0)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)  # a channel may be the same everywhere
    mean, std = (v.float().view(-1, 1, 1) for v in (mean, std))
    return Dataset(name, x, y.long(), x_test, y_test.long(), tuple(class_names), mean, std)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits  # here: a second and a half to import
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    images = torch.tensor(x, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    large = F.interpolate(images, size=28, mode="bilinear").mul(255).round().to(torch.uint8)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    labels = torch.tensor(y)
    return _dataset(
        "digits", map(str, range(10)), large[train], labels[train], large[test], labels[test]
    )


def _mnist(root: Path) -> Dataset:
    raw = root / "MNIST" / "raw"
    if not raw.exists():
        from torchvision.datasets import MNIST  # here: two seconds to import

        download(lambda to: MNIST(to, download=True), MNIST.mirrors, Path("MNIST/raw"), raw)
    halves = [
        torch.frombuffer(_published(raw / name, md5, cure=raw), dtype=torch.uint8)[header:]
        for (name, md5), header in zip(_MNIST_FILES.items(), (16, 8, 16, 8), strict=True)
    ]
    x, y, x_test, y_test = halves
    x, x_test = x.view(-1, 1, 28, 28), x_test.view(-1, 1, 28, 28)
    return _dataset("mnist", map(str, range(10)), x, y, x_test, y_test)


def _published(path: Path, md5: str, cure: Path) -> bytearray:
    """Read `path`; raise DataError unless it is, byte for byte, the published file."""
    again = f"Delete {cure} to have the data downloaded again."
    try:
        content = bytearray(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing. {again}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). {again}") from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} is truncated or corrupted ({len(content):,} bytes). {again}")
    return content


def _cifar100(root: Path) -> Dataset:
    path = root / "cifar100.npz"
    if not path.exists():
        from torchvision.datasets import CIFAR100 as cifar

        if (root / cifar.base_folder).exists():
            _pack_cifar100(root, path, cure=root / cifar.base_folder)
        else:

            def fetch(folder: Path) -> None:
                cifar(folder, download=True)
                _pack_cifar100(folder, folder / path.name, cure=folder)

            download(fetch, [cifar.url], Path(path.name), path)
    again = f"Delete {path} to have the data made again."
    try:
        with np.load(path, allow_pickle=False) as npz:
            arrays = {key: npz[key] for key in _CIFAR_ARRAYS}
    except Exception as error:
        raise DataError(f"{path} is truncated or corrupted ({error}). {again}") from error
    for key, shape in _CIFAR_ARRAYS.items():
        if arrays[key].shape != shape:
            raise DataError(f"{path}: {key} is {arrays[key].shape}, expected {shape}. {again}")

    *halves, names = arrays.values()
    x, y, x_test, y_test = map(torch.from_numpy, halves)
    x, x_test = (v.permute(0, 3, 1, 2).contiguous() for v in (x, x_test))
    return _dataset("cifar100", map(str, names), x, y, x_test, y_test)


def _pack_cifar100(root: Path, path: Path, cure: Path) -> None:
    """Write torchvision's CIFAR-100 files under `root` as one .npz, whole or not at all."""
    from torchvision.datasets import CIFAR100

    try:
        train, test = CIFAR100(root, train=True), CIFAR100(root, train=False)
    except Exception as error:
        raise DataError(
            f"{cure} is incomplete or corrupted ({error}). Delete it to have it downloaded again."
        ) from error
    try:
        with replacing(path) as file:
            np.savez(
                file,
                train_images=train.data,
                train_labels=np.array(train.targets, dtype=np.uint8),
                test_images=test.data,
                test_labels=np.array(test.targets, dtype=np.uint8),
                class_names=np.array(train.classes),
            )
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}).") from error
