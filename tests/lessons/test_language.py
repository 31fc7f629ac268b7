"""What lesson 13 shows: merged weights, a router, tables and the picture of the stored runs."""

import pytest
import torch
from torch import nn

import cl_helpers as cl
from cl_helpers.lessons import language
from cl_helpers.models.flat import flatten


def line(seed):
    return cl.MLP((6, 4), seed=seed)


@pytest.mark.parametrize("w", [0.0, 0.25, 1.0, 1.5])
def test_merged_is_on_the_line_and_leaves_both_ends(w):
    """A linear model's outputs are then on the line too."""
    a, b = line(1), line(2)
    ends = [flatten(m).theta.clone() for m in (a, b)]
    between, x = language.merged(a, b, w), torch.eye(6)
    torch.testing.assert_close(flatten(between).theta, (1 - w) * ends[0] + w * ends[1])
    torch.testing.assert_close(between(x), (1 - w) * a(x) + w * b(x), rtol=1e-4, atol=1e-5)
    for model, end in zip((a, b), ends, strict=True):
        assert torch.equal(flatten(model).theta, end)


class Likes(nn.Module):
    """Finds one of three characters likely, wherever."""

    def __init__(self, character):
        super().__init__()
        self.z = torch.zeros(3).index_fill(0, torch.tensor(character), 2.0)

    def forward(self, x):
        return self.z.expand(*x.shape, 3)


def test_a_text_goes_to_the_model_that_finds_its_beginning_likelier():
    x = torch.tensor([[2, 0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 0, 0, 0, 0]])
    assert language.routed([Likes(0), Likes(1)], x, n=4).tolist() == [0, 1]
    assert language.routed([Likes(0), Likes(1)], x, n=8).tolist() == [1, 0]


def row(method, seed, python, english, **more):
    before = {"English": 2.0, "Python": 4.0}
    after = {"English": english, "Python": python}
    return {"method": method, "seed": seed, "before": before, "after": after, **more}


@pytest.fixture
def results():
    rows = []
    for seed in (2, 0, 1):
        merged = {"0.5": {"English": 2.2, "Python": 3.2}}
        off = 0.01 * seed
        rows += [
            row("full", seed, 3.0 + off, 3.5, setting={"lr": 0.001}, merged=merged),
            row("LoRA", seed, 3.2 + off, 2.9 + off, setting={"lr": 0.01, "lam": 2.0}),
        ]
    return {"final": rows, "tried": rows[:2]}


def test_changes_are_counted_from_before(results):
    learned, lost = language.changes(results["final"])["full"]
    assert learned.tolist() == pytest.approx([1.0, 0.99, 0.98])
    assert lost.tolist() == pytest.approx([1.5] * 3)


def test_the_table_says_mean_spread_and_setting(results):
    table = language.table(results)
    assert table.loc["LoRA"].tolist() == ["lr 0.01, λ 2", "0.790 ± 0.010", "0.910 ± 0.010"]


def test_two_methods_are_compared_within_a_seed(results):
    said = language.compared(results, ("LoRA", "full")).data
    assert "**LoRA** learned 0.200 ± 0.000 bits less (beyond seeds)" in said
    assert "forgot 0.590 ± 0.025 bits less (beyond seeds) than **full**" in said
    results["final"] = results["final"][:2]
    assert language.compared(results, ("LoRA", "full")).data.startswith("One seed alone")


def test_the_least(results):
    assert language.least(results, ["full", "LoRA"]) == "LoRA"
    assert language.least(results, ["full", "LoRA"], k=0) == "LoRA"


def test_the_picture_has_every_run_and_says_the_means(results):
    figure = language.picture(results, {"full": (1.0, 1.4)})
    said = cl.plots.alt_text(figure)
    assert "full learned 0.99 and forgot 1.50; LoRA learned 0.79 and forgot 0.91" in said
    assert language.between(results).tolist()[:2] == [[0, 0], pytest.approx([0.8, 0.2])]


def test_l2_holds_each_weight_alike():
    method, model = language.L2(lam=2.0), line(0)
    method.omega = method.importance_of(model, None)
    method.theta_star = flatten(model).theta - 1
    method.tasks_held = 1
    assert method.penalty(model).item() == pytest.approx(len(method.omega) / 2)


def test_logits_are_what_a_model_of_transformers_returns():
    class Theirs(nn.Module):
        def forward(self, ids):
            return type("Output", (), {"logits": ids[..., None].float().expand(*ids.shape, 3)})()

    x = torch.arange(6).view(2, 3)
    assert language.Logits(Theirs())(x).shape == (2, 3, 3)


def test_writing_is_fixed_by_its_seed():
    model = cl.GPT(width=8, layers=1, heads=2, seed=0)
    texts = [language.writes(model, "def ", n=20, seed=s) for s in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("def ")
    assert len(texts[0]) == 24


def test_a_model_with_dropout_writes_and_is_asked_without_it():
    size = {"context": 8, "width": 16, "layers": 1, "heads": 2}
    model, other = cl.GPT(8, **size, seed=0, dropout=0.9), cl.GPT(8, **size, seed=1)
    model.train()
    start, rng = torch.arange(4), lambda: torch.Generator().manual_seed(1)
    written = model.write(start, 20, rng())
    x = torch.arange(8).repeat(5, 1)
    chosen = [language.routed([model, other], x, 8) for _ in range(3)]
    assert model.training
    model.eval()
    assert torch.equal(written, model.write(start, 20, rng()))
    assert all(torch.equal(chosen[0], again) for again in chosen)


def test_a_model_that_went_all_the_way_has_the_buffers_of_the_end():
    def normed(mean):
        net = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
        net[0].running_mean.fill_(mean)
        return net

    assert language.merged(normed(0.0), normed(4.0), 1.0)[0].running_mean.tolist() == [4.0] * 3
    assert language.merged(normed(0.0), normed(4.0), 0.25)[0].running_mean.tolist() == [1.0] * 3
