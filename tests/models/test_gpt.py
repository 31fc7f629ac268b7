"""The small GPT against PyTorch's own transformer layer, in float64."""

import pytest
import torch
from torch import nn

import cl_helpers as cl
from cl_helpers.data import text
from cl_helpers.models.gpt import GPT, Attention, Block, made

SMALL = {"context": 9, "width": 12, "layers": 2, "heads": 3}


def small(seed=1):
    model = GPT(20, **SMALL, seed=seed).double()
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():  # biases and norms too
        p.data += 0.3 * torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return model


def characters(*shape, seed=0):
    return torch.randint(20, shape, generator=torch.Generator().manual_seed(seed))


def torchs_layer(block, width=12, heads=3):
    """PyTorch's transformer layer with the weights of our block."""
    with torch.random.fork_rng():
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        ).double()
    attention, mlp = block.attention, (block.up, block.down)
    pairs = {
        layer.self_attn.in_proj_weight: attention.queries_keys_values.weight,
        layer.self_attn.in_proj_bias: attention.queries_keys_values.bias,
    }
    modules = zip(
        (layer.self_attn.out_proj, layer.linear1, layer.linear2, layer.norm1, layer.norm2),
        (attention.out, *mlp, block.norm1, block.norm2),
        strict=True,
    )
    for theirs, ours in modules:
        pairs |= {theirs.weight: ours.weight, theirs.bias: ours.bias}
    for theirs, ours in pairs.items():
        theirs.data = ours.data
    return layer


def test_a_block_is_pytorchs_transformer_layer():
    block = small().blocks[0]
    x = torch.randn(4, 7, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    later = nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64)
    expected = torchs_layer(block).train()(x, src_mask=later, is_causal=True)
    torch.testing.assert_close(block(x), expected, rtol=1e-10, atol=1e-10)


def test_attention_is_the_formula():
    attention = small().blocks[0].attention
    x = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q, k, v = attention.queries_keys_values(x).split(12, -1)
    out = torch.zeros_like(x)
    for h in (slice(0, 4), slice(4, 8), slice(8, 12)):
        for t in range(5):
            past = slice(0, t + 1)
            scores = torch.einsum("bd,bsd->bs", q[:, t, h], k[:, past, h]) / 4**0.5
            out[:, t, h] = torch.einsum("bs,bsd->bd", scores.softmax(-1), v[:, past, h])
    torch.testing.assert_close(attention(x), attention.out(out), rtol=1e-10, atol=1e-10)


def test_a_later_character_changes_no_earlier_output():
    model, x = small(), characters(3, 9)
    before = model(x)
    for t in range(9):
        other = x.clone()
        other[:, t] = (x[:, t] + 1) % 20
        after = model(other)
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.isclose(after[:, t:], before[:, t:]).all(-1).any()


def test_each_row_is_read_alone():
    model, x = small(), characters(4, 9)
    alone = torch.cat([model(row[None]) for row in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-10, atol=1e-10)


def test_the_number_of_weights_in_closed_form():
    k, t, w, layers = 20, 9, 12, 2
    a_block = 2 * 2 * w + (3 * w * w + 3 * w) + (w * w + w) + (4 * w * w + 4 * w) + (4 * w * w + w)
    expected = k * w + t * w + layers * a_block + 2 * w + (w * k + k)
    assert sum(p.numel() for p in small().parameters()) == expected
    assert sum(p.numel() for p in GPT().parameters()) == 446_080


def test_a_seed_fixes_the_weights():
    a, b, c = (GPT(20, **SMALL, seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(a[n], b[n]) for n in a)
    assert not all(torch.equal(a[n], c[n]) for n in a)
    assert GPT(20, **SMALL).is_untouched()
    assert not small().is_untouched()


def test_writing_draws_from_the_predictions():
    """The share of each second character is its probability; a seed fixes the text."""
    model, start = small(), characters(4)
    rng = torch.Generator().manual_seed(0)
    drawn = torch.stack([model.write(start, 1, rng) for _ in range(3000)])[:, 0]
    chances = model(start[None])[0, -1].softmax(-1)
    shares = drawn.bincount(minlength=20) / 3000
    assert (shares - chances).abs().max() < 5 * (chances * (1 - chances) / 3000).sqrt().max()
    texts = [model.write(start, 30, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(texts[0], texts[1])
    assert not torch.equal(texts[0], texts[2])
    assert len(texts[0]) == 30  # longer than the context


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads is 5: choose a number that divides the width 12"):
        GPT(20, width=12, heads=5)


def test_the_pretrained_model_knows_english():
    """On text that it was not trained on, of whichever version of Python this is."""
    english = text.text_task("English", n_test=20_000)
    bits = cl.evaluation.bits_per_character(GPT.pretrained(), english)
    assert bits < 2.4
    assert made()["bits per character, test"] <= 2.2


def test_parts_of_the_network_can_be_used_alone():
    assert Attention(8, 2)(torch.zeros(1, 3, 8)).shape == (1, 3, 8)
    assert Block(8, 2)(torch.zeros(1, 3, 8)).shape == (1, 3, 8)
