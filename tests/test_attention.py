"""What is particular to attention: the cache, the weights, a block; no place sees a later one."""

import pytest
import torch
import torch.nn.functional as F
from models_under_test import build as build_model
from models_under_test import some_tokens

from pixelar_lib.models import PixelCNN, PixelModel, evaluating
from pixelar_lib.models.attention import AttentionBlock, CausalAttention, KVCache
from pixelar_lib.models.state import State, can_advance

SIZE = (3, 4)


def some_places(num_images=2, channels=6):
    return torch.randn(num_images, *SIZE, channels, generator=torch.Generator().manual_seed(1))


def build(part, *arguments):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return part(*arguments)


def place_by_place(part, x):
    """Return what a part makes of (N, H, W, C) when it is shown one place after the other."""
    state, found = State(*x.shape[1:3]), []
    for pixel, place in enumerate(x.flatten(1, 2).unbind(dim=1)):
        state.advance(pixel)
        found.append(part(place, state))
    return torch.stack(found, dim=1).view_as(x), state


# The cache


def test_a_cache_hands_back_what_was_written_so_far():
    cache = KVCache(torch.zeros(2, 3, 4), num_places=5)
    assert cache.keys.shape == cache.values.shape == (2, 3, 5, 4)
    written = torch.randn(2, 5, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    for place in range(5):
        keys, values = cache.update(place, *written[:, place])
        assert keys.shape == values.shape == (2, 3, place + 1, 4)
        for found, expected in ((keys, written[0]), (values, written[1])):
            assert torch.equal(found, expected[: place + 1].movedim(0, 2))


def test_a_cache_makes_no_copy():
    cache = KVCache(torch.zeros(2, 3, 4), num_places=5)
    for place in (0, 4):
        keys, values = cache.update(place, torch.ones(2, 3, 4), torch.ones(2, 3, 4))
        assert keys.data_ptr() == cache.keys.data_ptr()
        assert values.data_ptr() == cache.values.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_cache_is_of_the_kind_of_what_it_keeps(dtype):
    cache = KVCache(torch.zeros(1, 1, 2, dtype=dtype), num_places=3)
    assert cache.keys.dtype == cache.values.dtype == dtype


@pytest.mark.parametrize("part", [CausalAttention, AttentionBlock])
@pytest.mark.parametrize("heads", [1, 2, 6])
def test_place_by_place_equals_the_whole_picture(part, heads):
    part, x = build(part, 6, heads), some_places()
    with torch.no_grad():
        found, state = place_by_place(part, x)
        torch.testing.assert_close(found, part(x))
    [cache] = state.values()
    assert cache.keys.shape == (2, heads, 12, 6 // heads)


def test_two_layers_keep_a_cache_each():
    first, second = build(CausalAttention, 6, 2), build(CausalAttention, 6, 3)
    with torch.no_grad():
        x = some_places()
        found, state = place_by_place(lambda place, state: second(first(place, state), state), x)
        torch.testing.assert_close(found, second(first(x)))
    assert len(state) == 2


# What it computes


def test_attention_is_softmax_of_products_times_values():
    attention, x = build(CausalAttention, 6, 2), some_places()
    query, key, value = (part.view(2, 12, 2, 3) for part in attention.ask(x).chunk(3, dim=-1))
    heads = []
    for head in range(2):
        rows = []
        for place in range(12):  # each looks at itself and what lies before
            scores = (key[:, : place + 1, head] * query[:, place, None, head]).sum(-1) / 3**0.5
            shares = scores.softmax(dim=1)[..., None]
            rows.append((shares * value[:, : place + 1, head]).sum(dim=1))
        heads.append(torch.stack(rows, dim=1))
    expected = attention.answer(torch.cat(heads, dim=-1)).view_as(x)
    torch.testing.assert_close(attention(x), expected)


def test_weights_are_what_forward_uses():
    attention, x = build(CausalAttention, 6, 2), some_places()
    weights, value = attention.weights(x), attention.split(x)[2]
    assert weights.shape == (2, 2, 12, 12)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, 12))
    assert not weights.triu(1).any()
    found = attention.answer((weights @ value).transpose(1, 2).reshape(x.shape))
    torch.testing.assert_close(found, attention(x))


@pytest.mark.parametrize("part", [CausalAttention, AttentionBlock])
def test_no_place_sees_a_later_one_and_each_sees_all_before(part):
    part, x = build(part, 6, 2), some_places(1).requires_grad_()
    for place in range(12):
        found = part(x).flatten(1, 2)[0, place]
        (gradient,) = torch.autograd.grad((found * torch.arange(6)).sum(), x)
        seen = gradient.flatten(1, 2)[0].abs().sum(dim=-1) != 0
        assert torch.equal(seen, torch.arange(12) <= place)


def test_a_block_adds_to_what_was_there():
    block, x = build(AttentionBlock, 6, 2), some_places()
    for layer in (block.attention.answer, block.network[2]):
        torch.nn.init.zeros_(layer.weight), torch.nn.init.zeros_(layer.bias)
    assert torch.equal(block(x), x)


def test_norms_stand_before_and_leave_the_residual_stream_alone():
    block, x = build(AttentionBlock, 6, 2), some_places()
    halfway = x + block.attention(F.layer_norm(x, (6,)))
    expected = halfway + block.network(F.layer_norm(halfway, (6,)))
    torch.testing.assert_close(block(x), expected)


def test_dropout_is_on_in_training_alone():
    block, x = build(AttentionBlock, 6, 2, 0.5), some_places()
    assert not torch.equal(block.train()(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((6, 4), ValueError, "heads is 4, which does not divide 6 channels"),
        ((6, 0), ValueError, "heads is 0; it must be at least 1"),
        ((6, 2.0), TypeError, "heads must be an int, not float"),
        ((0, 1), ValueError, "channels is 0; it must be at least 1"),
        ((6, 2, 1.0), ValueError, "dropout is 1.0; choose a share from 0 to below 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        AttentionBlock(*arguments)


# Inside a PixelCNN


def test_a_pixelcnn_without_attention_is_what_it_was():
    plain, attentive = build(PixelCNN, 4, 8), PixelCNN(4, 8, attention_heads=2)
    names = {name for name, _ in plain.named_parameters()}
    added = {name for name, _ in attentive.named_parameters()} - names
    assert added and all(name.startswith("attention.") for name in added)
    with torch.random.fork_rng():
        torch.manual_seed(2)  # as build does
        attentive = PixelCNN(4, 8, attention_heads=2)
    same = attentive.state_dict()
    assert all(torch.equal(value, same[name]) for name, value in plain.state_dict().items())


@pytest.mark.parametrize(("blocks", "before"), [(1, 1), (2, 1), (3, 2), (6, 3)])
def test_attention_follows_the_middle_block(blocks, before):
    model, called = PixelCNN(4, 8, dilations=(1,) * blocks, attention_heads=2), []
    for name, layer in [*model.blocks.named_children(), ("attention", model.attention)]:
        told = layer.mix if name != "attention" else layer
        told.register_forward_hook(lambda *_, name=name: called.append(name))
    model(some_tokens(1, SIZE, 4))
    assert called.index("attention") == before and len(called) == blocks + 1


def test_a_pixelcnn_with_attention_is_advanced_place_by_place():
    model = build_model("pixelcnn with attention")
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, None)


def test_attention_lets_a_short_sighted_pixelcnn_see_far():
    far, near = (PixelCNN(4, 8, (1,), attention_heads=heads) for heads in (1, 0))
    fields = [model.receptive_field(20, 14, 28, 28) for model in (far, near)]
    assert bool(fields[0][0, 0]) and not bool(fields[1][0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention_heads": 5}, "heads is 5, which does not divide 48 channels"),
        ({"attention_heads": -1}, "attention_heads is -1; it must be at least 0"),
        ({"attention_heads": 2, "dilations": ()}, "number of dilations is 0; it must be at least"),
    ],
)
def test_a_pixelcnn_refuses_attention_that_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        PixelCNN(**arguments)
