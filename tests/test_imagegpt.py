"""What is particular to ImageGPT; the contract is tested in test_models.py."""

import pytest
import torch
from models_under_test import build, labels_for, some_tokens

from pixelar_lib.models import ImageGPT, PixelModel, base, evaluating
from pixelar_lib.models.attention import KVCache
from pixelar_lib.models.state import can_advance
from pixelar_lib.sampling import sample

SIZE = (28, 28)
NAMES = ["imagegpt", "imagegpt with a stem", "conditional imagegpt"]

each_gpt = pytest.mark.parametrize("name", NAMES)


@each_gpt
def test_cache_gives_the_logits_of_forward_on_whole_digits(name):
    model, images = build(name, 16, SIZE), some_tokens(2, SIZE, 16)
    labels, buffer = labels_for(model, 2), torch.zeros_like(images)
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, labels)
        expected = model(images, labels).flatten(2)
        logits_of = model.incremental_logits(buffer, labels)
        for pixel in range(784):
            torch.testing.assert_close(logits_of(pixel), expected[..., pixel], rtol=0, atol=1e-4)
            buffer.view(2, -1)[:, pixel] = images.view(2, -1)[:, pixel]


@each_gpt
def test_cache_draws_what_the_slow_way_draws(name, monkeypatch):
    model, known = build(name, 3, (6, 7)), torch.full((6, 7), -1)
    known[2, 3:] = 2
    labels = labels_for(model, 3)
    drawn = [sample(model, 3, labels=labels, known=given) for given in (None, known)]
    monkeypatch.setattr(base, "can_advance", lambda *arguments: False)
    slowly = [sample(model, 3, labels=labels, known=given) for given in (None, known)]
    assert torch.equal(drawn[0], slowly[0]) and torch.equal(drawn[1], slowly[1])


def test_each_block_keeps_one_cache_and_writes_each_place_once(monkeypatch):
    places, update = [], KVCache.update

    def watched(self, place, key, value):
        places.append((id(self), place))
        return update(self, place, key, value)

    model = build("imagegpt")
    monkeypatch.setattr(KVCache, "update", watched)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: True)
    sample(model, 2)
    caches = dict.fromkeys(cache for cache, _ in places)
    assert len(caches) == len(model.blocks)
    for cache in caches:
        assert [place for kept, place in places if kept == cache] == [*range(20)]


def test_cache_goes_through_an_image_once_and_in_order():
    logits_of = build("imagegpt").incremental_logits(torch.zeros(1, 4, 5, dtype=torch.long))
    logits_of(0)
    with pytest.raises(ValueError, match="pixel 2 was asked for, but 1 is the next"):
        logits_of(2)


@each_gpt
def test_first_pixel_is_predicted_from_the_start_vector(name):
    model, tokens = build(name), some_tokens(1, (4, 5), 3)
    labels = labels_for(model, 1)
    before = model(tokens, labels)
    with torch.no_grad():
        model.shift.start += torch.arange(8)
    assert not torch.allclose(before[..., 0, 0], model(tokens, labels)[..., 0, 0])


def test_rows_and_columns_are_told_apart():
    model = build("imagegpt")
    places = model.positions().flatten(0, 1)
    assert len(places.unique(dim=0)) == 20
    one, other = (
        places.view(4, 5, 8)[1, 3],
        model.positions.rows.weight[1] + model.positions.columns.weight[3],
    )
    assert torch.equal(one, other)


def test_without_positions_attention_cannot_tell_the_order_of_what_came_before():
    model, tokens = ImageGPT(3, 8, 1, heads=2, image_size=(2, 3)).eval(), torch.tensor([[0, 1, 2]])
    tokens = torch.cat([tokens, torch.zeros_like(tokens)])[None]
    mixed = tokens.clone()
    mixed[0, 0, :2] = mixed[0, 0, :2].flip(0)
    last = [model(some)[0, :, 1, 2] for some in (tokens, mixed)]
    assert not torch.allclose(*last, atol=1e-5)
    with torch.no_grad():
        model.positions.rows.weight.zero_()
        model.positions.columns.weight.zero_()
    last = [model(some)[0, :, 1, 2] for some in (tokens, mixed)]
    torch.testing.assert_close(*last)


@each_gpt
def test_attention_is_what_each_block_computes_with(name):
    model, tokens = build(name), some_tokens(2, (4, 5), 3)
    labels = labels_for(model, 2)
    found = model.attention(tokens, labels)
    blocks, heads = len(model.blocks), model.blocks[0].attention.heads
    assert found.shape == (2, blocks, heads, 20, 20)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, blocks, heads, 20))
    x = model.first(model.embed(tokens), labels)
    for number, block in enumerate(model.blocks):
        assert torch.equal(found[:, number], block.attention.weights(block.before_attention(x)))
        x = block(x)


def test_attention_refuses_what_forward_refuses():
    with pytest.raises(ValueError, match="has no labels"):
        build("imagegpt").attention(some_tokens(1, (4, 5), 3), torch.tensor([0]))


def test_a_size_of_two_numbers_is_rows_and_columns():
    model = ImageGPT(3, 8, 1, heads=2, image_size=(4, 7))
    assert model.positions().shape == (4, 7, 8)
    assert sample(model, 2).shape == (2, 4, 7)


@pytest.mark.parametrize("size", [(5, 4), (8, 8)])
def test_another_image_size_is_refused(size):
    with pytest.raises(ValueError, match=r"built for images of \(4, 5\), but"):
        build("imagegpt")(some_tokens(2, size, 3))
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        sample(build("imagegpt"), 1, image_size=size)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"image_size": None}, ValueError, "image_size is None; give an int or a pair"),
        ({"heads": 5}, ValueError, "heads is 5, which does not divide 48 channels"),
        ({"channels": 0}, ValueError, "channels is 0; it must be at least 1"),
        ({"num_blocks": 0}, ValueError, "num_blocks is 0; it must be at least 1"),
        ({"num_blocks": 1.5}, TypeError, "num_blocks must be an int, not float"),
        ({"stem": "convolution"}, ValueError, r"stem 'convolution' .* \('shift', 'conv'\)"),
        ({"dropout": -0.1}, ValueError, "dropout is -0.1"),
        ({"num_classes": 0}, ValueError, "num_classes is 0; it must be at least 1"),
        ({"num_bins": 1}, ValueError, "num_bins is 1; it must be at least 2"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ImageGPT(**arguments)
