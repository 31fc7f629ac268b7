"""Texts from every Python, as windows of characters; tasks whose examples have many positions."""

import math
import re

import pytest
import torch
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.data import text
from cl_helpers.data.tasks import SequenceTask, Task

SOURCE = '''"""Says what it is."""
import re  # stays

# goes
TABLE = """
# a string that is no docstring
"""


class A:
    r\'\'\'Of a class.\'\'\'

    def f(self, x=""):
        """Of a
        method."""
        return """kept"""
'''


def test_code_loses_docstrings_and_comments_alone():
    code = text.code_of(SOURCE)
    assert not {"Says what", "goes", "Of a class", "method"} & {*re.findall(r"[\w ]+", code)}
    for stays in ("import re  # stays", "# a string that is no docstring", '"""kept"""', 'x=""'):
        assert stays in code
    compile(text.code_of(SOURCE.replace("return", "x\n        return")), "code", "exec")


def test_docstrings_are_found():
    told = [" ".join(each.split()) for each in text.docstrings_of(SOURCE)]
    assert told == ["Says what it is.", "Of a class.", "Of a method."]


def test_characters_survive_the_way_there_and_back():
    plain = "def f(x):\n\treturn x ** 2  # ~ \\ 100 %"
    assert text.decode(text.encode(plain)) == plain
    assert text.decode(text.encode("“it’s” – naïve")) == '"it\'s" - na?ve'
    assert text.encode(plain).max() < text.N_CHARACTERS


def test_parts_have_no_paragraph_in_common():
    english = {part: {*text.read("English", part).split("\n\n")} for part in ("train", "test")}
    assert not english["train"] & english["test"]
    sizes = [len(text.read("English", part)) for part in ("train", "held out", "test")]
    assert sizes[0] > 5 * max(sizes[1:])
    assert min(sizes) > 20_000
    assert len(text.read("Python")) > 500_000


def test_a_text_is_prose_and_the_other_is_code():
    english, python = text.read("English", "test"), text.read("Python", "test")
    assert english.count(" the ") > 20 * english.count("self.")
    assert python.count("self.") > 5 * python.count(" the ")


def test_windows_by_hand():
    characters = torch.arange(20, 31)
    windows = text.Windows(characters, length=4, stride=3)
    x, y = windows.batch(torch.tensor([2, 0]))
    assert len(windows) == 3  # from 0, 3 and 6; another would need characters 9 to 13
    assert x.tolist() == [[26, 27, 28, 29], [20, 21, 22, 23]]
    assert y.tolist() == [[27, 28, 29, 30], [21, 22, 23, 24]]
    assert windows.x.shape == windows.y.shape == (3, 4)
    assert len(text.Windows(characters[:4], length=4)) == 0


@pytest.mark.parametrize("wrong", [{"length": 0}, {"stride": 0}])
def test_lengths_are_checked(wrong):
    with pytest.raises(ValueError, match="is 0: choose a whole number, 1 or more"):
        text.text_task("English", n_train=1000, n_test=1000, **wrong)


def test_other_languages_and_parts_are_refused():
    with pytest.raises(ValueError, match="language is"):
        text.read("Latin")
    with pytest.raises(ValueError, match="part is"):
        text.read("English", "validation")


# --- tasks with several positions ---


def sequences(active=None):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (3, 5), generator=generator)
    x = torch.zeros(3, 5)
    halves = (text.Windows(torch.zeros(9), 4, 4),) * 2
    return SequenceTask("toy", "toy", *halves, tuple(range(4)), active), x, y, z


@pytest.mark.parametrize("active", [None, (0, 1, 2)])
def test_each_position_is_an_example_of_its_own(active):
    task, _, y, z = sequences(active)
    rows, labels = z.reshape(15, 4), y.reshape(15)
    one = Task("toy", "toy", task.train, task.test, task.classes, active)
    torch.testing.assert_close(task.loss(z, y), one.loss(rows, labels))
    k = 4 if active is None else 3
    by_hand = -torch.log_softmax(z[..., :k], -1).gather(-1, y[..., None]).mean()
    torch.testing.assert_close(task.loss(z, y), by_hand)
    each = one.log_likelihood(rows, labels).view(3, 5).sum(1)
    torch.testing.assert_close(task.log_likelihood(z, y), each)
    assert torch.equal(task.prediction(z).reshape(15), one.prediction(rows))
    right = one.score(one.prediction(rows), labels).view(3, 5).double().mean(1)
    torch.testing.assert_close(task.score(task.prediction(z), y).double(), right, rtol=1e-6, atol=0)


class Constant(torch.nn.Module):
    """Finds the same characters likely, whatever came before."""

    def __init__(self, p):
        super().__init__()
        self.log_p = torch.nn.Parameter(torch.tensor(p).log())

    def forward(self, x):
        return self.log_p.expand(*x.shape, -1)


def test_bits_per_character_in_closed_form():
    """Of probabilities ½, ¼, ⅛, ⅛: 1, 2, 3 and 3 bits; of K equal ones log₂ K."""
    characters = torch.tensor([3, 0, 1, 2, 0, 0, 1, 3, 0])
    task = text.sequence_task("toy", characters, characters, 4, length=4, stride=4)
    bits = [{0: 1, 1: 2, 2: 3, 3: 3}[c] for c in characters[1:].tolist()]
    found = cl.evaluation.bits_per_character(Constant([0.5, 0.25, 0.125, 0.125]), task)
    assert found == pytest.approx(sum(bits) / 8, rel=1e-6)
    assert cl.evaluation.bits_per_character(Constant([0.25] * 4), task) == pytest.approx(2)
    assert cl.metrics.bits(math.log(128)) == pytest.approx(7)


def test_bits_do_not_depend_on_the_batch():
    task = text.text_task("English", n_train=2_000, n_test=2_000)
    model = cl.GPT(width=8, layers=1, heads=2, seed=0)
    a, b = (cl.evaluation.bits_per_character(model, task, batch_size=n) for n in (100, 4))
    assert a == pytest.approx(b, rel=1e-6)


@pytest.fixture
def two():
    """Two texts of few characters: the second is the first with other numbers."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(1, 3, (2001,), generator=generator).cumsum(0)
    return [
        text.sequence_task(name, way, way[:401], 8, length=8, stride=8)
        for name, way in (("up", steps % 8), ("down", -steps % 8))
    ]


def tiny(seed=0):
    return cl.GPT(8, context=8, width=16, layers=1, heads=2, seed=seed)


HOW = {"epochs": 2, "batch_size": 16, "lr": 0.01, "device": "cpu", "progress": False}


@pytest.mark.parametrize(
    "name", ["baseline", "ewc", "mas", "si", "rwalk", "lwf", "er", "agem", "lora"]
)
def test_a_text_is_learned_by_the_course_s_methods(two, name):
    knobs = {"memory": 50} if name in ("er", "agem") else {}
    method = cl.METHODS[name](**knobs | ({"lam": 0.01} if name in ("ewc", "mas") else {}))
    run = cl.train(method, two, tiny(), **HOW)
    assert run.complete
    assert run.accuracy[0, 0] > 0.4  # guessing gives 1/8, knowing the rule 1/2
    if name == "baseline":
        assert run.accuracy[1, 0] < 0.2


def test_lwf_distils_each_position(two):
    """With the old network for a teacher, the gradient is that of the cross-entropy by hand."""
    method, model = cl.LwF(lam=1.0, temperature=2.0), tiny()
    cl.train(method, two[:1], model, **HOW)
    method.begin_task(model, two[1])
    x, y = two[1].train.batch(torch.arange(5))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1.1)
    z, old = model(x), method.teacher(x)
    by_hand = -(F.softmax(old / 2, -1) * F.log_softmax(z / 2, -1)).sum(-1).mean()
    expected = two[1].loss(z, y) + by_hand
    torch.testing.assert_close(method.loss(model, x, y), expected)


# --- a task that the model knew before ---


def test_no_step_is_taken_on_a_task_that_was_learned(two):
    model, twin = tiny(), tiny()
    run = cl.train(cl.Baseline(), two, model, learned=1, **HOW)
    alone = cl.train(cl.Baseline(), two[1:], twin, **HOW)
    assert {entry["task"] for entry in run.history} == {1}
    assert run.accuracy[0, 0] == run.initial[0]
    assert run.accuracy[1, 1] == alone.accuracy[0, 0] > 0.4
    events = [*cl.train_steps(cl.Baseline(), two, tiny(), learned=1, **_steps())]
    assert events[0].n_steps == events[-1].step == 2 * 16
    assert [e.kind for e in events if e.task == 0] == ["start", "task"]


def _steps():
    return {k: v for k, v in HOW.items() if k != "progress"}


def test_a_run_with_a_learned_task_goes_on_from_its_checkpoint(two, tmp_path):
    path, how = tmp_path / "run.checkpoint", _steps() | {"learned": 1}
    for event in cl.train_steps(cl.EWC(lam=0.1), two, tiny(), checkpoint=path, **how):
        if event.kind == "task":
            break
    again = cl.train(cl.EWC(lam=0.1), two, tiny(), checkpoint=path, progress=False, **how)
    whole = cl.train(cl.EWC(lam=0.1), two, tiny(), progress=False, **how)
    assert torch.equal(cl.flatten(again.model).theta, cl.flatten(whole.model).theta)


def test_ewc_measures_its_importance_on_a_learned_task(two):
    method, model = cl.EWC(lam=0.1), tiny()
    cl.train(method, two[:1], model, learned=1, **HOW)
    torch.testing.assert_close(method.omega, cl.EWC().importance_of(tiny(), two[0]))
    assert torch.equal(method.theta_star, cl.flatten(tiny()).theta)


def test_er_stores_examples_of_a_learned_task(two):
    method = cl.ER(memory=30)
    cl.train(method, two[:1], tiny(), learned=1, **HOW)
    assert method.n_stored == 30
    known = {tuple(row) for row in two[0].train.x.tolist()}
    assert {tuple(row) for row in method.x.tolist()} <= known
    for x, y in zip(method.x, method.y, strict=True):
        assert torch.equal(x[1:], y[:-1])


@pytest.mark.parametrize("learned", [-1, 0.5, "one"])
def test_the_number_of_learned_tasks_is_checked(two, learned):
    with pytest.raises(ValueError, match="learned is"):
        cl.train(cl.Baseline(), two, tiny(), learned=learned, **HOW)


def test_er_s_share_is_what_is_drawn_on_average():
    method = cl.ER(share=0.3)
    method.rng = torch.Generator().manual_seed(0)
    drawn = [method.n_drawn(4) for _ in range(4000)]
    assert {*drawn} == {1, 2}
    assert sum(drawn) / 4000 == pytest.approx(1.2, abs=0.03)
    assert cl.ER().n_drawn(4) == 4
    for wrong in (0, 1.5, "half"):
        with pytest.raises(ValueError, match="share is"):
            cl.ER(share=wrong)


def test_joined_texts_are_read_alike_on_both_kinds_of_device(two):
    """A GPU reads all positions of every view; that way is tried on the CPU."""
    joined = cl.tasks.joined(two).train
    index = torch.arange(len(joined)).flip(0)[:8]  # as many as a window has characters
    x, y = joined._everywhere(index)
    x_, y_ = joined.batch(index)
    assert torch.equal(x, x_)
    assert torch.equal(y, y_)
    assert torch.equal(y, joined.y[index])


@pytest.mark.parametrize("name", ["joint", "si", "rwalk"])
def test_what_is_made_of_steps_cannot_be_learned_before(two, name):
    with pytest.raises(ValueError, match="learned is 1"):
        cl.train(cl.METHODS[name](), two, tiny(), learned=1, **HOW)


def test_no_more_tasks_are_learned_before_than_there_are(two):
    with pytest.raises(ValueError, match="learned is 3, of 2 tasks"):
        cl.train(cl.Baseline(), two, tiny(), learned=3, **HOW)


@pytest.mark.parametrize("name", ["er", "derpp", "gem", "agem"])
@pytest.mark.parametrize("scenario", ["domain", "task"])
def test_replay_of_sequences_masks_at_every_position(two, name, scenario):
    halves = ((0, 1, 2, 3), (4, 5, 6, 7))
    tasks = [
        task.with_(scenario=scenario, active=own if scenario == "task" else None)
        for task, own in zip(two, halves, strict=True)
    ]
    method = cl.METHODS[name](memory=6)
    if scenario == "task":  # targets among the task's own outputs
        tasks = [replace_y(task, own[0]) for task, own in zip(tasks, halves, strict=True)]
    run = cl.train(method, tasks, tiny(), **HOW)
    assert run.complete
    z, of = run.model(method.x[:3]), method.of[:3]
    masked = method.mask_of(z, of)
    for n in range(3):
        own = tasks[int(of[n])].active or range(8)
        shown = masked[n].isfinite().all(0).nonzero()[:, 0].tolist()
        assert shown == [*own]
    loss = method.loss_of(run.model, method.x[:3], method.y[:3], of)
    by_hand = [
        -masked[n, t].log_softmax(0)[method.y[n, t]] for n in range(3) for t in range(z.shape[1])
    ]
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())


def replace_y(task, first):
    """The same task with numbers from `first` to `first` + 3."""
    views = {
        half: text.Windows(getattr(task, half).characters % 4 + first, 8, 8)
        for half in ("train", "test")
    }
    return task.with_(**views)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda two: cl.text.text_task("English", n_train=0), "n_train is 0"),
        (lambda two: cl.text.text_task("English", n_test=-5), "n_test is -5"),
        (lambda two: cl.text.text_task("English", n_train=1e4), "n_train is 10000.0"),
        (lambda two: cl.tasks.hold_out(two, 3), "not from permuted, rotated or split"),
    ],
)
def test_a_text_that_cannot_be_had_is_refused(two, wrong, why):
    with pytest.raises(ValueError, match=why):
        wrong(two)


def test_er_of_one_example_may_pass_over_what_was_learned(two):
    for seed in range(6):  # in some of them no example of a learned task is taken
        run = cl.train(cl.ER(memory=1), two, tiny(), learned=2, seed=seed, **HOW)
        assert run.complete


def test_scp_says_that_it_takes_no_sequences(two):
    with pytest.raises(ValueError, match="SCP slices the mean outputs"):
        cl.train(cl.SCP(), two, tiny(), **HOW)
