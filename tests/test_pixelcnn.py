"""What is particular to the PixelCNN; the contract is tested in test_models.py."""

import pytest
import torch
from models_under_test import all_images, build, pixel_probabilities, some_tokens

from pixelar_lib.analysis import receptive_field
from pixelar_lib.models import PixelCNN, base, evaluating
from pixelar_lib.models.pixelcnn import VerticalConv
from pixelar_lib.sampling import sample

SIZE = (28, 28)


def seen_by(model, row, column):
    """Return bool (28, 28): which pixels have a gradient from one prediction."""
    embedded = model.embed(some_tokens(1, SIZE, model.num_bins)).detach().requires_grad_()
    model.predict(embedded)[0, :, row, column].square().sum().backward()
    return (embedded.grad[0] != 0).any(dim=-1)


@pytest.mark.parametrize("pixel", [(0, 1), (1, 0), (13, 17), (14, 0), (20, 27), (27, 27)])
def test_there_is_no_blind_spot_every_pixel_before_has_a_gradient(pixel):
    before = torch.arange(784).view(SIZE) < pixel[0] * 28 + pixel[1]
    assert torch.equal(seen_by(build("pixelcnn", 4), *pixel), before)


def test_receptive_field_of_a_single_block_is_where_its_convolutions_reach():
    field = PixelCNN(4, 8, dilations=(2,)).receptive_field(20, 14, 28, 28)
    rows = {row: field[row].nonzero().flatten().tolist() for row in range(28) if field[row].any()}
    # 3 pixels at once, and the same 2 and 4 further left
    assert rows.pop(20) == [14 - left for left in range(7, 0, -1)]
    # 3 rows above, and the block's 2 more; 2 columns aside, and the block's 4 more
    assert sorted(rows) == [15, 16, 17, 18, 19]
    assert rows[19] == rows[15] == [*range(8, 21)]


@pytest.mark.parametrize("dilations", [(6,), (4, 9), (1, 3)])
@pytest.mark.parametrize("pixel", [(3, 4), (12, 0), (20, 27)])
def test_receptive_field_of_large_dilations_is_where_the_gradient_is(dilations, pixel):
    model = PixelCNN(4, 8, dilations)
    assert torch.equal(receptive_field(model, *pixel, *SIZE), model.receptive_field(*pixel, *SIZE))


def test_receptive_field_with_gaps_counts_the_pixels_seen():
    assert int(PixelCNN(4, 8, (6,)).receptive_field(3, 4, *SIZE).sum()) == 48


def test_labels_change_every_prediction_even_that_of_the_first_pixel():
    model = build("conditional pixelcnn")
    tokens = some_tokens(1, (4, 5), 3).expand(2, -1, -1)
    with torch.no_grad():
        logits = model(tokens, torch.tensor([0, 1]))
    assert bool((logits[0] != logits[1]).any(dim=0).all())


def test_each_label_has_a_distribution_of_its_own():
    model = build("conditional pixelcnn", 2, (2, 2))
    images = all_images(2, (2, 2))
    one, other = (pixel_probabilities(model, images, label).flatten(1).prod(1) for label in (0, 2))
    assert float(one.sum()) == pytest.approx(1) == float(other.sum())
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("num_bins", [2, 256])
def test_cache_gives_the_logits_of_forward_on_whole_digits(num_bins):
    model = build("pixelcnn", num_bins)
    images = some_tokens(2, SIZE, num_bins)
    buffer = torch.zeros_like(images)
    with evaluating(model):
        expected = model(images).flatten(2)
        logits_of = model.incremental_logits(buffer)
        for pixel in range(784):
            torch.testing.assert_close(logits_of(pixel), expected[..., pixel], rtol=0, atol=1e-4)
            buffer.view(2, -1)[:, pixel] = images.view(2, -1)[:, pixel]


def test_cache_draws_what_the_slow_way_draws(monkeypatch):
    model = build("conditional pixelcnn")
    labels = torch.tensor([0, 1, 2])
    arguments = {"labels": labels, "image_size": (6, 7), "temperature": 0.8}
    known = torch.full((6, 7), -1)
    known[2, 3:] = 2
    drawn = sample(model, 3, **arguments), sample(model, 3, known=known, labels=labels)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: False)
    slowly = sample(model, 3, **arguments), sample(model, 3, known=known, labels=labels)
    assert torch.equal(drawn[0], slowly[0]) and torch.equal(drawn[1], slowly[1])


def test_cache_runs_the_vertical_stack_once_a_row_and_no_layer_on_a_whole_image(monkeypatch):
    shapes, forward = [], VerticalConv.forward

    def watched(self, x, state=None):
        shapes.append(tuple(x.shape[1:3]))
        return forward(self, x, state)

    model = build("pixelcnn")
    monkeypatch.setattr(VerticalConv, "forward", watched)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: True)
    sample(model, 2, image_size=(4, 5))
    assert shapes == [(1, 5)] * 4 * (1 + len(model.blocks))  # for each of the 4 rows


def test_cache_goes_through_an_image_once_and_in_order():
    logits_of = build("pixelcnn").incremental_logits(torch.zeros(1, 4, 5, dtype=torch.long))
    logits_of(0)
    for pixel in (0, 2):
        with pytest.raises(ValueError, match=f"pixel {pixel} was asked for, but 1 is the next"):
            logits_of(pixel)
    logits_of(1)


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 3, 1])])
def test_drawing_refuses_missing_and_unknown_labels(labels):
    with pytest.raises(ValueError, match="labels"):
        build("conditional pixelcnn").incremental_logits(some_tokens(3, (4, 5), 3), labels)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"channels": 0}, ValueError, "channels is 0; it must be at least 1"),
        ({"channels": 8.0}, TypeError, "channels must be an int, not float"),
        ({"dilations": (1, 0)}, ValueError, "a dilation is 0; it must be at least 1"),
        ({"num_classes": 0}, ValueError, "num_classes is 0; it must be at least 1"),
        ({"num_bins": 1}, ValueError, "num_bins is 1; it must be at least 2"),
        ({"dropout": 1.0}, ValueError, "dropout is 1.0; choose a share from 0 to below 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        PixelCNN(**arguments)


def test_a_network_without_blocks_sees_what_its_first_layers_see():
    field = PixelCNN(4, 8, dilations=()).receptive_field(3, 3, 6, 6)
    assert field.nonzero().tolist() == [
        *[[0, column] for column in range(1, 6)],
        *[[1, column] for column in range(1, 6)],
        *[[2, column] for column in range(1, 6)],
        *[[3, column] for column in range(3)],
    ]


def test_dilations_may_come_from_an_iterator():
    assert len(PixelCNN(4, 8, dilations=iter((1, 2))).blocks) == 2


def test_dropout_reaches_both_stacks_in_training_alone():
    torch.manual_seed(0)
    model, tokens = PixelCNN(3, 8, dilations=(1,), dropout=0.5), some_tokens(64, (4, 5), 3)
    told, mixed = [], []
    model.blocks[0].link.register_forward_pre_hook(lambda _, given: told.append(given[0]))
    model.blocks[0].mix.register_forward_pre_hook(lambda _, given: mixed.append(given[0]))
    model.train()(tokens)
    model.eval()(tokens)
    for in_training, in_use in (told, mixed):
        assert (in_training == 0).float().mean() > (in_use == 0).float().mean() + 0.1
    assert torch.equal(model(tokens), model(tokens))


def test_dropout_takes_whole_channels_and_keeps_the_rest_the_same_on_average():
    block = PixelCNN(3, 8, dilations=(1,), dropout=0.25).blocks[0].train()
    found = block.thin_out(torch.ones(10_000, 2, 3, 4))
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    assert float(found.mean()) == pytest.approx(1, abs=0.05)
    assert float((found == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
