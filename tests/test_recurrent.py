"""What is particular to the recurrent models; the contract is tested in test_models.py."""

import pytest
import torch
from models_under_test import all_images, build, pixel_probabilities, some_tokens
from torch import nn

from pixelar_lib.models import (
    DiagonalBiLSTM,
    PixelModel,
    RasterLSTM,
    base,
    diagonal_bilstm,
    evaluating,
)
from pixelar_lib.models.diagonals import by_diagonals, skew, unskew
from pixelar_lib.models.raster_lstm import LONGEST, RasterMemory
from pixelar_lib.models.state import can_advance
from pixelar_lib.sampling import sample

SIZE = (28, 28)
BOTH = ["raster lstm", "diagonal bilstm"]


def drawing(lines):
    """Return a picture (1, H, W, 1) of letters as numbers; 0 for a dot."""
    rows = [[0 if letter == "." else ord(letter) for letter in line.split()] for line in lines]
    return torch.tensor(rows)[None, ..., None]


def test_skew_shifts_each_row_by_one_place_more_than_the_row_above():
    picture = drawing(["a b c", "d e f", "g h i"])
    skewed = drawing(["a b c . .", ". d e f .", ". . g h i"])
    assert torch.equal(skew(picture), skewed)
    assert torch.equal(unskew(skewed), picture)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (3, 4), (4, 3), (28, 28)])
def test_unskew_undoes_skew_at_any_size(size):
    pictures = torch.randn(2, *size, 3)
    skewed = skew(pictures)
    assert skewed.shape == (2, size[0], size[0] + size[1] - 1, 3)
    assert torch.equal(unskew(skewed), pictures)
    assert skewed.count_nonzero() == pictures.count_nonzero()


def test_unskew_takes_only_what_lies_in_the_picture():
    skewed = torch.randn(1, 3, 6, 1)
    expected = torch.stack([skewed[:, row, row : row + 4] for row in range(3)], dim=1)
    assert torch.equal(unskew(skewed), expected)


def test_places_are_computed_diagonal_by_diagonal():
    order, lengths = by_diagonals(2, 3)
    assert order.tolist() == [0, 1, 3, 2, 4, 5]  # 0 1 2 above 3 4 5
    assert lengths == [1, 2, 2, 1]


@pytest.mark.parametrize(("size", "steps"), [((28, 28), 55), ((3, 3), 5), ((2, 6), 7)])
def test_a_layer_takes_one_step_for_each_diagonal(monkeypatch, size, steps):
    places, advance_cells = [], diagonal_bilstm.advance_cells

    def watched(gates, *others):
        places.append(gates.shape[2])  # of this diagonal, (2, N, places, 4 M)
        return advance_cells(gates, *others)

    monkeypatch.setattr(diagonal_bilstm, "advance_cells", watched)
    model = DiagonalBiLSTM(3, 4, num_layers=1)
    model(some_tokens(2, size, 3))
    assert len(places) == steps
    assert sum(places) == size[0] * size[1]  # nothing outside the picture is computed


def streams(which):
    """Return which places reach the middle of a 5 x 5 picture in one layer, by its gradient."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = diagonal_bilstm.TwoStreams(4)
    with torch.no_grad():
        layer.mix[1].weight.view(8, 2, 4)[:, 1 - which] = 0  # deaf to the other stream
    x = torch.randn(1, 5, 5, 8, requires_grad=True)
    (layer(x) - x)[0, 2, 2].square().sum().backward()
    return (x.grad[0] != 0).any(dim=-1).int().tolist()


def test_left_stream_sees_the_upper_left():
    assert streams(0) == [[1, 1, 1, 0, 0]] * 3 + [[0] * 5] * 2


def test_right_stream_sees_the_upper_right_from_the_row_above_on():
    assert streams(1) == [[0, 0, 1, 1, 1]] * 2 + [[0] * 5] * 3


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("pixel", [(0, 1), (1, 0), (13, 17), (14, 0), (27, 27)])
def test_every_pixel_before_has_a_gradient(name, pixel):
    model = build(name, 4)
    embedded = model.embed(some_tokens(1, SIZE, 4)).detach().requires_grad_()
    model.predict(embedded)[0, :, *pixel].square().sum().backward()
    before = torch.arange(784).view(SIZE) < pixel[0] * 28 + pixel[1]
    assert torch.equal((embedded.grad[0] != 0).any(dim=-1), before)


@pytest.mark.parametrize("name", [*BOTH, "raster lstm without a stem"])
def test_state_gives_the_logits_of_forward_on_whole_digits(name):
    model, images = build(name, 16), some_tokens(2, SIZE, 16)
    buffer = torch.zeros_like(images)
    with evaluating(model):
        expected = model(images).flatten(2)
        logits_of = model.incremental_logits(buffer)
        for pixel in range(784):
            torch.testing.assert_close(logits_of(pixel), expected[..., pixel], rtol=0, atol=1e-4)
            buffer.view(2, -1)[:, pixel] = images.view(2, -1)[:, pixel]


@pytest.mark.parametrize("name", [*BOTH, "raster lstm without a stem"])
def test_they_are_drawn_by_their_state(name):
    model = build(name)
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, None)


@pytest.mark.parametrize("name", ["conditional raster lstm", "conditional diagonal bilstm"])
def test_state_draws_what_the_slow_way_draws(monkeypatch, name):
    model, labels = build(name), torch.tensor([0, 1, 2])
    known = torch.full((6, 7), -1)
    known[2, 3:] = 2
    fast = sample(model, 3, known=known, labels=labels, temperature=0.8)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: False)
    assert torch.equal(fast, sample(model, 3, known=known, labels=labels, temperature=0.8))


@pytest.mark.parametrize("name", BOTH)
def test_drawing_runs_no_layer_on_a_whole_image(monkeypatch, name):
    model, ranks = build(name), []
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.forward = lambda x, whole=layer.forward: ranks.append(x.ndim) or whole(x)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: True)
    sample(model, 2, image_size=(4, 5))
    assert ranks.count(4) <= 4  # the stem's link, once a row


@pytest.mark.parametrize("name", ["conditional raster lstm", "conditional diagonal bilstm"])
def test_each_label_has_a_distribution_of_its_own(name):
    model, images = build(name, 2, (2, 2)), all_images(2, (2, 2))
    one, other = (pixel_probabilities(model, images, label).flatten(1).prod(1) for label in (0, 2))
    assert float(one.sum()) == pytest.approx(1) == float(other.sum())
    assert not torch.allclose(one, other)


def test_without_a_stem_the_cell_sees_the_pixel_before_and_nothing_else():
    model = build("raster lstm without a stem")
    embedded = model.embed(some_tokens(1, (3, 4), 3))
    seen, _ = model.remember(embedded)
    assert torch.equal(seen.flatten(1, 2)[:, 1:], embedded.flatten(1, 2)[:, :-1])
    assert not seen[0, 0, 0].any()


def test_the_cell_computes_what_torch_computes_step_by_step():
    memory, cell = RasterMemory(3, 4), nn.LSTMCell(3, 4)
    cell.load_state_dict({key.removesuffix("_l0"): v for key, v in memory.state_dict().items()})
    x = torch.randn(2, 2, 3, 3)
    found, kept = memory(x), None
    for place, seen in enumerate(x.flatten(1, 2).unbind(1)):
        kept = cell(seen, kept)
        torch.testing.assert_close(found.flatten(1, 2)[:, place], kept[0])


def test_gates_begin_by_forgetting_over_different_lengths_and_are_drawn_anew():
    memory = RasterMemory(3, 1000)
    first = memory.bias_ih_l0[1000:2000].detach().clone()
    share_kept = first.sigmoid()
    lengths = 1 / (1 - share_kept)  # after so many steps about a third is left
    assert 1 < float(lengths.min()) < 4
    assert LONGEST - 4 < float(lengths.max()) < LONGEST + 0.01  # rounding
    memory.reset_parameters()
    assert not torch.equal(memory.bias_ih_l0[1000:2000], first)


def test_dropout_hides_findings_in_training_alone():
    for model in (RasterLSTM(3, 8, 8, dropout=0.5), DiagonalBiLSTM(3, 4, 1, dropout=0.5)):
        tokens = some_tokens(1, (4, 5), 3)
        assert not torch.equal(model.train()(tokens), model(tokens))
        assert torch.equal(model.eval()(tokens), model(tokens))


@pytest.mark.parametrize(
    ("model", "arguments", "error", "message"),
    [
        (RasterLSTM, {"channels": 0}, ValueError, "channels is 0; it must be at least 1"),
        (RasterLSTM, {"hidden_size": 8.0}, TypeError, "hidden_size must be an int, not float"),
        (RasterLSTM, {"dropout": 1.0}, ValueError, "dropout is 1.0; choose a share from 0"),
        (RasterLSTM, {"num_classes": 0}, ValueError, "num_classes is 0; it must be at least 1"),
        (DiagonalBiLSTM, {"hidden_size": 0}, ValueError, "hidden_size is 0; it must be at least"),
        (DiagonalBiLSTM, {"num_layers": 1.5}, TypeError, "num_layers must be an int, not float"),
        (DiagonalBiLSTM, {"dropout": -1}, ValueError, "dropout is -1; choose a share from 0"),
        (DiagonalBiLSTM, {"num_bins": 1}, ValueError, "num_bins is 1; it must be at least 2"),
    ],
)
def test_bad_arguments_are_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model(**arguments)


HERE = torch.backends.cpu.get_cpu_capability()


@pytest.mark.parametrize("instructions", {"AVX2": 0, HERE: 0})
def test_trains_with_16_bits_also_where_torch_has_no_lstm_of_16_bits(monkeypatch, instructions):
    """As on a processor without AVX-512, and as on this one."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: instructions)
    model = build("raster lstm")
    with torch.autocast("cpu", torch.bfloat16):
        remembered = model.memory(torch.randn(2, 3, 3, model.memory.input_size))
        model.training_loss(some_tokens(2, (3, 3), model.num_bins)).backward()
    assert all(torch.isfinite(weights.grad).all() for weights in model.parameters())
    if instructions == "AVX2":
        assert remembered.dtype == torch.float32
