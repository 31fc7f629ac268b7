"""The images of some classes of a data set, with labels that count from 0."""

import pytest
import torch

import cl_helpers as cl


def test_it_has_the_images_of_its_classes_in_their_order(few):
    part = few.only([7, 2])
    assert part.class_names == ("7", "2")
    for half in ("train", "test"):
        labels = few.labels(half)
        rows = [i for i, label in enumerate(labels.tolist()) if label in (7, 2)]
        assert torch.equal(part.images(half), few.images(half)[rows])
        assert part.labels(half).tolist() == [[7, 2].index(labels[i]) for i in rows]
    assert torch.equal(part.mean, few.mean)
    assert torch.equal(part.std, few.std)


def test_parts_are_a_stream_without_the_rest(few):
    tasks = cl.split(few.only(range(4, 10)))
    assert [task.active for task in tasks] == [(0, 1), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)]
    assert [task.name for task in tasks] == ["4 5", "6 7", "8 9"]


def test_its_runs_are_told_from_those_of_the_whole(few):
    how = {"epochs": 1, "progress": False}
    model = (784, 8, 10)
    runs = [cl.train(cl.Baseline(), cl.split(data, 2), cl.MLP(model), **how)
            for data in (few, few.only(range(10)), few.only(range(6)))]  # fmt: skip
    digests = [run.config["tasks_digest"] for run in runs]
    assert len({*digests[::2]}) == 2
    assert (runs[0].accuracy[-1] == runs[1].accuracy[-1]).all()


@pytest.mark.parametrize("wrong", [[], [3, 3], [10], [-1]])
def test_other_classes_are_refused(few, wrong):
    with pytest.raises(ValueError, match="name some of 0 to 9, each once"):
        few.only(wrong)
