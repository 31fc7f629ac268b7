"""Data of one's own: what comes in is what is trained on, or it is refused in one line."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

import cl_helpers as cl

PAGE = Path(__file__).parents[2] / "site" / "own.md"
HOW = {"epochs": 1, "batch_size": 16, "lr": 1e-3, "progress": False}
X, Y = np.random.default_rng(0).standard_normal((40, 5)).astype("f"), np.arange(40) % 4


def made(x=X, y=Y, **options):
    return cl.Dataset.from_tensors(x[:30], y[:30], x[30:], y[30:], **options)


def test_the_page_runs_as_it_is(monkeypatch):
    monkeypatch.setenv("CL_PRESET", "quick")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert len(blocks) == 4
    names: dict = {"__name__": "__main__"}
    with torch.random.fork_rng(devices=[]):
        for block in blocks:
            assert len(block.splitlines()) <= 25
            exec(block, names)
    assert names["run"].complete
    assert all(run.complete for run in names["runs"])


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "i4", "i8", "u4", "?"])
def test_labels_are_whole_numbers_of_any_type(kind):
    labels = (Y % 2).astype(kind)
    data = made(y=labels)
    assert data.train_labels.dtype == torch.long
    np.testing.assert_array_equal(data.train_labels, labels[:30].astype(int))


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype("d"),
        X.astype("e"),
        torch.from_numpy(X).bfloat16(),
        X.tolist(),
        X[:, :, None].repeat(3, 2),  # sequences of vectors
        np.arange(200).reshape(40, 5),  # tokens
        np.asfortranarray(X),
    ],
    ids=["float32", "float64", "float16", "bfloat16", "lists", "sequences", "tokens", "by column"],
)
def test_inputs_stay_as_they_are(x):
    data = made(x)
    [task] = cl.permuted(data, 1)
    expected = torch.as_tensor(np.asarray(x) if not isinstance(x, torch.Tensor) else x)
    assert torch.equal(task.train.x.double(), expected[:30].double())
    assert torch.equal(task.test.batch(torch.arange(10))[0].double(), expected[30:].double())


@pytest.mark.parametrize("shape", [(40, 6, 6), (40, 3, 6, 6)])
def test_bytes_are_images_and_are_normalised_by_the_training_half(shape):
    x = np.random.default_rng(0).integers(256, size=shape, dtype="u1")
    [task] = cl.permuted(made(x), 1)
    ours = task.train.x
    wide = torch.from_numpy(x.reshape(40, -1, 6, 6) / 255)
    for c in range(ours.shape[1]):
        mean, std = wide[:30, c].mean(), wide[:30, c].std(correction=0)
        torch.testing.assert_close(ours[:, c].double(), (wide[:30, c] - mean) / std, rtol=1e-5,
                                   atol=1e-5)  # fmt: skip


def test_vectors_and_sequences_are_permuted():
    first, second = cl.permuted(made(), 2)
    assert not torch.equal(first.train.x, second.train.x)
    assert torch.equal(first.train.x.sort(1).values, second.train.x.sort(1).values)
    tokens = cl.permuted(made(np.arange(200).reshape(40, 5)), 2)[1].train.x
    assert tokens.dtype == torch.long


def test_every_kind_of_torchs_data_sets():
    pair = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))

    class Items:
        def __init__(self, make):
            self.make = make

        def __len__(self):
            return len(X)

        def __getitem__(self, i):
            return self.make(X[i]), int(Y[i])

    expected = torch.from_numpy(X)
    for data in (pair, (X, Y), Items(torch.from_numpy), Items(np.array), Items(list)):
        ours = cl.Dataset.from_dataset(data, data)
        assert torch.equal(ours.train_images, expected)
        assert ours.test_labels.tolist() == Y.tolist()
    colour = Items(lambda x: Image.new("RGB", (4, 3), (1, 2, 3)))
    ours = cl.Dataset.from_dataset(colour, colour, name="colour", class_names="abcd")
    assert ours.train_images.shape == (40, 3, 3, 4)
    assert ours.train_images[0, :, 0, 0].tolist() == [1, 2, 3]
    assert ours.class_names == ("a", "b", "c", "d")


class Scaled(TensorDataset):
    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x / 255, y % 2


def test_what_a_data_set_of_ones_own_does_to_an_item_is_done():
    theirs = Scaled(torch.from_numpy(X), torch.from_numpy(Y))
    ours = cl.Dataset.from_dataset(theirs, theirs)
    np.testing.assert_array_equal(ours.train_images, X / 255)
    np.testing.assert_array_equal(ours.test_labels, Y % 2)


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("mode", ["P", "transparent", "PA"])
def test_images_with_a_palette_become_their_colours(mode):
    images = [Image.new("RGB", (5, 6), c).quantize(2) for c in (RED, BLUE)]
    if mode == "transparent":
        for image in images:
            image.info["transparency"] = 1
    if mode == "PA":
        images = [image.convert("PA") for image in images]
    pairs = [(images[i % 2], i % 2) for i in range(4)]
    ours = cl.Dataset.from_dataset(pairs, pairs).train_images
    assert ours.shape == (4, 3, 6, 5)
    assert [tuple(x[:, 2, 2].tolist()) for x in ours] == [RED, BLUE, RED, BLUE]


@pytest.mark.filterwarnings("error")  # such as PyTorch's about arrays that are read-only
@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_images_are_bytes(mode):
    pairs = [(Image.new("L", (5, 6), 255 * (i % 2)).convert(mode), i % 2) for i in range(4)]
    ours = cl.Dataset.from_dataset(pairs, pairs).train_images
    assert (ours.dtype, ours.shape) == (torch.uint8, (4, 1, 6, 5))
    assert ours[:, 0, 0, 0].tolist() == [0, 255, 0, 255]


class Endless(IterableDataset):
    def __iter__(self):
        return iter(())


class Uneven:
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return torch.zeros(3 + i), 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: made(np.where(X[3, 2] == X, np.nan, X)), "train input 3 holds NaN or ∞"),
        (lambda: made(y=Y + 0.5), r"train labels are torch.float64 .*: give 30 whole numbers"),
        (lambda: made(y=Y.astype("f")), r"train labels are torch.float32"),
        (lambda: made(y=Y - 1), "train labels hold -1: choose 0, 1"),
        (lambda: made(y=np.eye(4)[Y]), r"train labels are .*shape \(30, 4\): give 30 whole"),
        (lambda: made(y=Y[:35]), r"test labels are .*shape \(5,\): give 10 whole numbers"),
        (lambda: made(y=Y, class_names="ab"), "train_labels hold 2, but there are 2 class names"),
        (lambda: made(X[:, 0]), r"train inputs are .*shape \(30,\): give \(N, …\)"),
        (lambda: made(X.astype("c8")), "train inputs are torch.complex64 .*: give dense real"),
        (lambda: made(np.array([["a"] * 2] * 40)), "train inputs are no numbers"),
        (lambda: made([[1, 2], [3]] * 20), "train inputs are no numbers"),
        (lambda: made(np.zeros((40, 8, 8, 3), "u1")), "give the channels before height and width"),
        (
            lambda: made(np.zeros((40, 28, 28, 1), "f")),
            r"float32 .*give the channels before height",
        ),
        (lambda: made(np.zeros((40, 20, 30, 3))), "give the channels before height and width"),
        (lambda: made(np.zeros((40, 20, 30, 4), int)), "torch.int64 .*give the channels before"),
        (lambda: cl.Dataset.from_tensors(X, Y, X[:, :4], Y), "those to test with .*: give both"),
        (lambda: cl.Dataset.from_tensors(X[:0], Y[:0], X, Y), "train labels are .*give 0 whole"),
        (lambda: cl.Dataset.from_dataset(Endless(), (X, Y)), "a Endless, which has no length"),
        (lambda: cl.Dataset.from_dataset(Uneven(), (X, Y)), "inputs 1 and 0 of the train data"),
        (lambda: cl.Dataset.from_dataset([1, 2, 3], (X, Y)), "item 0 of the train data is a int"),
        (lambda: cl.Dataset.from_dataset([(X[0], 0.5)] * 3, (X, Y)), "labels are torch.float64"),
        (lambda: cl.Dataset.from_dataset([(X[0], "a")] * 3, (X, Y)), "train labels are no numbers"),
        (lambda: cl.Dataset.from_tensors([1.0, np.nan], [0, 1], X, Y), r"shape \(2,\): give \(N"),
        (lambda: made(np.zeros((40, 5), "u1")), "give bytes as images, .* and vectors as floats"),
        (lambda: cl.rotated(made(), 2)[1].train.x, "only images .* can be turned"),
        (lambda: cl.Task.from_dataset(made(), scenario="all"), "scenario is 'all'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_line(make, words):
    with pytest.raises(ValueError, match=words) as refused:
        make()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["ewc", "si", "gem", "er", "lwf"])
def test_methods_learn_from_vectors(name):
    run = cl.train(cl.METHODS[name](), cl.permuted(made(), 2), **HOW)
    assert run.complete


def test_tokens_reach_an_embedding():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.utils.skip_init(nn.Embedding, 200, 8)
            self.out = nn.utils.skip_init(nn.Linear, 8, 4)
            for p in self.parameters():
                nn.init.constant_(p, 0.1)

        def forward(self, x):
            return self.out(self.table(x).mean(1))

    task = cl.Task.from_dataset(made(np.arange(200).reshape(40, 5)), "words")
    assert cl.train(cl.EWC(), [task, task], Tokens(), **HOW).complete


def test_a_channel_that_is_the_same_everywhere_stays_finite():
    x = np.random.default_rng(0).integers(256, size=(40, 4, 6, 6), dtype="u1")
    x[:, 3] = 255
    [task] = cl.permuted(made(x), 1)
    assert task.train.x.isfinite().all()
    assert not task.train.x[:, 3].any()


def test_what_numpy_gives_is_taken():
    assert torch.equal(made(X[:, ::-1]).train_images, torch.from_numpy(X[:30, ::-1].copy()))
    assert made(class_names=np.array(list("abcd"))).class_names == ("a", "b", "c", "d")


def test_what_may_be_images_with_their_channels_last_is_said_once():
    with pytest.warns(UserWarning, match="taken for 20 channels of height 30 and width 1") as said:
        made(np.zeros((40, 20, 30, 1), "f"))
    assert len(said) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 30), (8, 4, 4), (3, 4, 4)])
def test_channels_first_are_taken_without_a_word(shape):
    assert made(np.zeros((40, *shape), "f")).train_images.shape == (30, *shape)


GAP = np.array([0, 1, 2, 4, 5] * 8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: made(y=GAP), "^no training example has the label 3: give examples of all classes"),
        (
            lambda: cl.Dataset.from_tensors(X, Y % 2, X, Y % 2 + 2),
            "has the label 2 or 3, but test examples have 2 or 3: give",
        ),
        (
            lambda: cl.Dataset.from_tensors(X, Y % 2, X, Y, class_names="abcd"),
            "has the label 2 or 3, but test examples have 2 or 3: give examples of all classes$",
        ),
        (lambda: made(y=Y * 20), "has the label 1, 2, 3, 4, 5, 6, 7, 8 or 49 more: give"),
        (
            lambda: made(y=np.sort(Y)).first(15, 10),
            "the first 15 training images of mine have none of class 2: take more, or shuffle",
        ),
    ],
)
def test_classes_that_nothing_can_learn_are_named(make, words):
    with pytest.warns(UserWarning, match=words) as said:
        make()
    assert str(said[-1].message).count("\n") == 0
    assert len({str(each.message) for each in said if re.search(words, str(each.message))}) == 1
    assert said[-1].filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("y", "options"),
    [(Y, {}), (Y % 2 + 2, {}), (GAP, {"class_names": "abcdef"})],
    ids=["all", "those of a later task", "named"],
)
def test_classes_that_are_meant_to_be_missing_cost_no_word(y, options):
    made(y=y, **options).first(20, 5).only([2])


@pytest.mark.filterwarnings("error")
def test_the_known_data_lack_no_class(digits, mnist):
    for data in (digits, mnist):
        few = data.first(600, 200)
        cl.tasks.hold_out(cl.split(few), 20)
        cl.permuted(few, 2)


def test_a_task_with_fewer_classes_than_asked_is_named():
    data = made(y=GAP, class_names="abcdef")
    with pytest.warns(UserWarning, match="^c d has no training example of class d: ") as said:
        cl.split(data)
    assert len(said) == 1
