import gc
from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from torchvision.transforms.v2 import functional as vision

import cl_helpers as cl
from cl_helpers.data.tasks import hold_out, joined


def test_the_first_permuted_task_is_the_identity_and_the_rest_are_permutations(few):
    tasks = cl.permuted(few, n_tasks=4, seed=3)
    plain = (few.test_images / 255 - few.mean) / few.std
    torch.testing.assert_close(tasks[0].test.x, plain)
    orders = set()
    for task in tasks[1:]:
        x = task.test.x
        assert x.shape == plain.shape
        assert x.dtype == torch.float32
        # The oracle finds the permutation by looking for each pixel's history over the test set.
        columns = {tuple(c.tolist()) for c in tasks[0].test.x.flatten(1).T}
        assert {tuple(c.tolist()) for c in x.flatten(1).T} == columns
        assert not torch.equal(x, plain)
        assert torch.equal(task.test.y, tasks[0].test.y)
        assert torch.equal(
            task.train.x.flatten(1).sort().values, tasks[0].train.x.flatten(1).sort().values
        )
        orders.add(tuple(task.train.transform.order.tolist()))
    assert len(orders) == 3


def test_training_and_test_images_of_a_task_are_permuted_alike(few):
    task = cl.permuted(few, 2)[1]
    order = task.train.transform.order
    assert sorted(order.tolist()) == list(range(784))
    for half, images in ((task.train, few.train_images), (task.test, few.test_images)):
        shown = few.normalise(images.flatten(2)[:, :, order].view_as(images))
        assert torch.equal(half.x, shown)


def test_permutations_follow_the_seed(few):
    a, b, c = (cl.permuted(few, 2, seed=s)[1].train.transform.order for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_all_channels_are_permuted_alike():
    images = torch.arange(3 * 4 * 4, dtype=torch.uint8).view(1, 3, 4, 4)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    shown = cl.tasks.Permute(order)(images)
    for channel in range(3):
        assert torch.equal(shown[0, channel].flatten(), images[0, channel].flatten()[order])


def test_rotated_turns_each_task_further(few):
    tasks = cl.rotated(few, 3, degrees=90)
    upright = tasks[0].test.x
    assert torch.equal(tasks[1].test.x, torch.rot90(upright, 1, (2, 3)))
    assert torch.equal(tasks[2].test.x, torch.rot90(upright, 2, (2, 3)))
    ten = cl.rotated(few, 2)[1].test.x
    bilinear = vision.rotate(few.test_images, 10.0, vision.InterpolationMode.BILINEAR)
    assert torch.equal(ten, few.normalise(bilinear))
    wide = few.test_images[:5, :, :12]
    theirs = vision.rotate(wide, -33.0, vision.InterpolationMode.BILINEAR)
    assert torch.equal(cl.tasks.Rotate(-33.0)(wide), theirs.float())


def test_no_task_copies_the_data_set(few):
    gc.collect()
    tasks = cl.permuted(few, 50) + cl.split(few) + cl.rotated(few, 5)
    assert all(t.train.dataset is few for t in tasks)
    small = (few.train_images.numel(),)
    owned = [v for t in tasks for v in vars(t.train).values() if torch.is_tensor(v)]
    assert sum(v.numel() for v in owned) < small[0]


def test_a_batch_is_the_rows_of_the_whole(few):
    for task in (cl.permuted(few, 2)[1], cl.split(few)[2], joined(cl.permuted(few, 3))):
        index = torch.tensor([5, 0, 17, 5])
        x, y = task.train.batch(index)
        assert torch.equal(x, task.train.x[index])
        assert torch.equal(y, task.train.y[index])
        parts = list(task.train.batches(23))
        assert torch.equal(torch.cat([x for x, _ in parts]), task.train.x)
        assert sum(len(y) for _, y in parts) == len(task.train)


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_split_gives_each_class_to_one_task(few, scenario):
    tasks = cl.split(few, 2, scenario=scenario)
    assert len(tasks) == 5
    assert sum(len(t.train) for t in tasks) == 300
    for t, task in enumerate(tasks):
        own = (2 * t, 2 * t + 1)
        original = few.train_labels[torch.isin(few.train_labels, torch.tensor(own))]
        seen = {"task": own, "domain": (0, 1), "class": tuple(range(2 * t + 2))}[scenario]
        assert task.active == seen
        if scenario == "domain":
            assert torch.equal(task.train.y, original - 2 * t)
            assert task.classes == (0, 1)
        else:
            assert torch.equal(task.train.y, original)
            assert task.classes == own


def test_split_order_can_be_shuffled(few):
    tasks = cl.split(few, 5, seed=1)
    assert sorted(tasks[0].classes + tasks[1].classes) == list(range(10))
    assert tasks[0].classes != (0, 1, 2, 3, 4)


def test_mask_leaves_only_active_outputs(few):
    logits = torch.arange(20.0).view(2, 10)
    masked = cl.split(few, 2, scenario="task")[1].mask(logits)
    assert torch.equal(masked.isfinite().nonzero()[:, 1], torch.tensor([2, 3, 2, 3]))
    assert torch.equal(masked[:, 2:4], logits[:, 2:4])
    assert cl.permuted(few, 1)[0].mask(logits) is logits
    with pytest.raises(ValueError, match=r"uses output 3.*give the model 4 outputs"):
        cl.split(few, 2, scenario="task")[1].mask(logits[:, :3])


def test_tasks_can_be_compared(few):
    tasks = cl.permuted(few, 3)
    assert tasks == list(tasks)
    assert tasks.index(tasks[2]) == 2
    assert tasks[1] not in cl.split(few, 2)


def test_fingerprints_tell_tasks_apart(few):
    from cl_helpers.data.tasks import fingerprint

    different = [
        cl.permuted(few, 2),
        cl.permuted(few, 2, seed=1),
        cl.permuted(few, 3),
        cl.rotated(few, 2),
        cl.rotated(few, 2, degrees=5),
        cl.split(few, 2, scenario="task"),
        cl.split(few, 2, scenario="class"),
        hold_out(cl.permuted(few, 2), 10),
        hold_out(cl.permuted(few, 2), 10, seed=1),
        [joined(cl.permuted(few, 2))],
    ]
    assert len({fingerprint(t) for t in different}) == len(different)
    assert fingerprint(cl.permuted(few, 2)) == fingerprint(different[0])


def test_joined_holds_all_examples_of_all_tasks(few):
    tasks = cl.permuted(few, 3)
    union = joined(tasks)
    assert len(union.train) == 900
    assert torch.equal(union.train.x[300:600], tasks[1].train.x)
    assert torch.equal(union.test.y, torch.cat([t.test.y for t in tasks]))


class Weighted(cl.Task):
    weight = 1.0

    def loss(self, logits, y):
        return self.weight * super().loss(logits, y)


def weighted(few, *weights):
    tasks = [Weighted(**vars(task)) for task in cl.permuted(few, len(weights))]
    for task, weight in zip(tasks, weights, strict=True):
        object.__setattr__(task, "weight", weight)
    return tasks


def test_joined_has_what_is_set_on_its_tasks(few):
    """Equal, and not the same: a copy of a tensor says the same."""
    union = joined(weighted(few, torch.tensor([3.0, 1.0]), torch.tensor([3.0, 1.0])))
    assert union.weight.tolist() == [3, 1]


@dataclass(frozen=True)
class Field(cl.Task):
    weight: float = 1.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda few: weighted(few, 1.0, 5.0), "^weight of permutation 1 is 1.0, of perm.* 2 5.0, "),
        (
            lambda few: [Field(**vars(t), weight=w) for w, t in enumerate(cl.permuted(few, 2), 2)],
            "^weight of permutation 1 is 2, of permutation 2 3, ",
        ),
        (
            lambda few: [cl.permuted(few, 1)[0], *weighted(few, 1.0)],
            "^permutation 1 is a Task and permutation 1 a Weighted, ",
        ),
        (lambda few: [*weighted(few, 1.0), cl.permuted(few, 2)[1]], "a Weighted and .* a Task, "),
    ],
)
def test_joint_training_takes_no_loss_for_that_of_all(few, make, words):
    with pytest.raises(ValueError, match=words + "but joint training has one loss for all: give"):
        cl.train(cl.Joint(), make(few), cl.MLP((784, 4, 10)), epochs=1, progress=False)
    assert cl.train(
        cl.Baseline(), make(few), cl.MLP((784, 4, 10)), epochs=1, progress=False
    ).complete


class Counted(cl.Task):
    def __init__(self, *args):
        super().__init__(*args)

    @cached_property
    def n(self):
        return len(self.train)


def test_what_is_computed_is_computed_anew(few):
    tasks = [Counted(*vars(task).values()) for task in cl.permuted(few, 2)]
    assert tasks[0].n == 300  # and the other's is not computed yet
    assert joined(tasks).n == 600


def test_held_out_images_are_taken_from_training_and_never_trained_on(few):
    tasks = cl.permuted(few, 2)
    held = hold_out(tasks, 50)
    for before, after in zip(tasks, held, strict=True):
        assert len(after.train) == 250
        assert len(after.test) == 50
        rows = torch.cat([after.train.rows, after.test.rows]).sort().values
        assert torch.equal(rows, torch.arange(300))
        assert after.test.half == "train"
        assert torch.equal(after.test.x, before.train.x[after.test.rows])
    assert torch.equal(held[0].test.rows, held[1].test.rows)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: cl.permuted(d, 0), "n_tasks is 0"),
        (lambda d: cl.permuted(d, 2.5), "n_tasks is 2.5"),
        (lambda d: cl.permuted(d, 2, seed=0.5), "seed is 0.5"),
        (lambda d: cl.rotated(d, 2, degrees=float("nan")), "degrees is nan: choose a number"),
        (lambda d: cl.rotated(d, 2, degrees="10"), "degrees is '10': choose a number"),
        (lambda d: cl.split(d, 2.5), "classes_per_task is 2.5: choose 1 to 10"),
        (lambda d: cl.split(d, 0), "classes_per_task is 0: choose 1 to 10"),
        (lambda d: cl.split(d, 11), "classes_per_task is 11: choose 1 to 10"),
        (lambda d: cl.split(d, 4, n_tasks=3), "need 12 classes, but digits has 10"),
        (lambda d: cl.split(d, 2, scenario="none"), "scenario is 'none': choose"),
        (lambda d: hold_out(cl.permuted(d, 1), 300), "cannot hold 300 examples out of 300"),
    ],
)
def test_bad_arguments_are_named(few, call, message):
    with pytest.raises(ValueError, match=message):
        call(few)


def test_a_union_reads_the_same_whether_or_not_it_may_wait_for_the_number_of_examples(few):
    """On a GPU each split shows every position; on the CPU only its own."""
    for tasks in (cl.permuted(few, 3), cl.split(few, 3)):
        union = joined(tasks).train
        order = torch.randperm(len(union), generator=torch.Generator().manual_seed(0))
        x, y = torch.cat([t.train.x for t in tasks]), torch.cat([t.train.y for t in tasks])
        for ask in (union.batch, union._everywhere, union._where_it_is):
            got_x, got_y = ask(order)
            assert torch.equal(got_x, x[order])
            assert torch.equal(got_y, y[order])
