"""The explorers: each slider is moved through its values, and the figure follows."""

import itertools
import json
from functools import cache, partial

import pytest
import torch
from explorer_page import Page
from matplotlib.colors import to_hex

from pixelar_lib import (
    attention_explorer,
    codes_explorer,
    diagonal_explorer,
    static_explorer,
    widgets,
)
from pixelar_lib.analysis import entropy, quantization_error
from pixelar_lib.context import neighbourhood, raster
from pixelar_lib.data import load_mnist
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN
from pixelar_lib.quantization import dequantize, quantize
from pixelar_lib.sampling import next_token_distribution

DIGIT = load_mnist("test").images[0]
PNG = b"\x89PNG\r\n\x1a\n"
VIEW = "application/vnd.jupyter.widget-view+json"


def every_value(slider):
    steps = round((slider.max - slider.min) / slider.step)
    return [slider.min + number * slider.step for number in range(steps + 1)]


@pytest.fixture
def unrendered(monkeypatch):
    """Leave the picture out, which takes most of the time, where only the figure is looked at."""
    for module in (widgets, static_explorer):
        monkeypatch.setattr(module, "png", sketch)


def sketch(figure):
    """Return what a figure shows, without drawing it: texts, images, bars and dots."""
    shown = [figure.get_suptitle()]
    for axis in figure.axes:
        shown += [axis.get_title(), *(text.get_text() for text in axis.texts)]
        shown += [image.get_array().tolist() for image in axis.images]
        shown += [patch.get_path().vertices.tolist() for patch in axis.patches]
        shown += [patch.get_transform().frozen().to_values() for patch in axis.patches]
        shown += [dots.get_offsets().tolist() for dots in axis.collections]
    return json.dumps(shown).encode()


def some_logits():
    return torch.linspace(-3, 2, 16)


def make_bins():
    return widgets.explore_bins(DIGIT)


def make_context():
    image = DIGIT[8:14, 10:17]
    return widgets.explore_context(CategoricalPixelPredictor(context_length=10), image)


def make_temperature():
    return widgets.explore_temperature(some_logits())


@cache
def figure_of(make, **values):
    """Draw what an explorer shows at some values, once for all tests."""
    return draw_of(make)(**values)


@cache
def draw_of(make):
    return make()._draw


def remembering(make):
    """Return an explorer that draws no figure that a test has drawn before."""
    explorer = make()
    explorer._draw = partial(figure_of, make)
    return explorer


def make_label():
    return widgets.explore_label(some_drawings())


def some_drawings():
    """Return two drawings for each of ten labels, all different."""
    return torch.linspace(0, 1, 10 * 2 * 3 * 3).view(10, 2, 3, 3)


def make_diagonals():
    return diagonal_explorer.explore_diagonals(DIGIT[8:14, 10:17], 3, 1)


def make_attention():
    image, names = DIGIT[8:14, 10:17], ["first head", "second head"]
    return attention_explorer.explore_attention(image, some_shares(), names, 3, 4)


def some_shares():
    """Return the attention of two heads over 6 x 7 places."""
    scores = torch.linspace(0, 40, 2 * 42 * 42).sin().view(2, 42, 42)
    return scores.masked_fill(torch.ones(42, 42, dtype=torch.bool).triu(1), -9).softmax(dim=-1)


def make_codes():
    return codes_explorer.explore_codes(paint, some_codes(), [5, 0, 9], 1, 2)


def some_codes():
    """Return the codes of two digits, on 2 x 3 places."""
    return torch.tensor([[[1, 2, 3], [4, 5, 6]], [[7, 8, 0], [2, 4, 0]]])


def paint(codes):
    """Decode: four pixels of the same grey for each code."""
    return (codes / 10).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)


each_explorer = pytest.mark.parametrize(
    "make",
    [
        *(make_bins, make_context, make_temperature, make_label, make_diagonals),
        *(make_attention, make_codes),
    ],
)


# What all explorers share


@each_explorer
def test_sliders_stand_above_the_picture(make):
    explorer = make()
    *sliders, picture = explorer.children
    assert sliders == list(explorer.sliders.values())
    assert bytes(picture.value).startswith(PNG)
    assert all(slider.description for slider in sliders)


@each_explorer
def test_the_picture_follows_each_slider(make):
    explorer = make()
    picture = explorer.children[-1]
    for slider in explorer.sliders.values():
        before, figure = picture.value, explorer.figure
        slider.value = slider.min if slider.value != slider.min else slider.max
        assert explorer.figure is not figure
        assert picture.value != before
        assert bytes(picture.value).startswith(PNG)


@each_explorer
def test_a_slider_moves_the_figure_when_it_is_let_go(make, unrendered):
    assert all(not slider.continuous_update for slider in make().sliders.values())


@each_explorer
def test_one_bundle_holds_the_widget_and_what_stands_in_for_it(make, unrendered):
    explorer = remembering(make)
    bundle = explorer._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html", VIEW}
    assert bundle[VIEW]["model_id"] == explorer.model_id
    assert all(name in bundle["text/plain"] for name in explorer.sliders)
    assert json.dumps(bundle)


@each_explorer
def test_a_page_without_a_kernel_has_the_widgets_pictures(make):
    explorer = make()
    explorer._stops = {name: stops[:1] for name, stops in explorer._stops.items()}
    page = Page(explorer._repr_mimebundle_()["text/html"])
    for name, slider in explorer.sliders.items():
        slider.value = explorer._stops[name][0]
    assert [picture.png for picture in page.listed] == [explorer.children[-1].value]
    assert page.shown.png.startswith(PNG)


@each_explorer
def test_a_page_without_a_kernel_has_what_the_widget_shows_at_each_stop(make, unrendered):
    explorer = remembering(make)
    page = Page(explorer._repr_mimebundle_()["text/html"])
    assert [slider["label"] for slider in page.sliders] == [
        slider.description for slider in explorer.sliders.values()
    ]
    stops = itertools.product(*(slider["stops"] for slider in page.sliders))
    for picture, texts in zip(page.listed, stops, strict=True):
        for slider, text in zip(explorer.sliders.values(), texts, strict=True):
            slider.value = float(text)
            steps = (slider.value - slider.min) / slider.step
            assert steps == pytest.approx(round(steps))  # the widget stops there, too
        assert picture.png == explorer.children[-1].value


@each_explorer
def test_a_page_without_a_kernel_begins_where_the_widget_is(make, unrendered):
    explorer = remembering(make)
    for slider in explorer.sliders.values():
        slider.value = slider.max
    page = Page(explorer._repr_mimebundle_()["text/html"])
    assert page.shown.png == explorer.children[-1].value


def test_stops_of_the_context_are_each_place_at_the_edges_and_where_it_begins():
    model = CategoricalPixelPredictor(context=neighbourhood(3))
    stops = widgets.explore_context(model, DIGIT)._stops
    assert stops["row"] == stops["column"] == [0, 1, 2, 14, 25, 26, 27]
    stops = widgets.explore_context(model, DIGIT, 13, 17)._stops
    assert stops["row"] == stops["column"] == [0, 1, 2, 13, 17, 25, 26, 27]
    stops = widgets.explore_context(model, DIGIT[:1, :2])._stops
    assert stops == {"row": [0], "column": [0, 1]}


def test_the_context_begins_where_it_is_told(unrendered):
    explorer = widgets.explore_context(CategoricalPixelPredictor(context_length=10), DIGIT, 13, 0)
    assert {name: slider.value for name, slider in explorer.sliders.items()} == {
        "row": 13,
        "column": 0,  # not the middle, though 0 counts as false
    }
    assert explorer.figure.axes[0].get_title().startswith("pixel (13, 0) sees")


# Bins


def test_explore_bins_at_every_number_of_bins(monkeypatch):
    grids = []
    monkeypatch.setattr(widgets.plotting, "image_grid", lambda *given, **_: grids.append(given))
    monkeypatch.setattr(widgets, "png", lambda figure: b"")
    slider = make_bins().sliders["num_bins"]
    assert (slider.min, slider.value, slider.max) == (2, 16, 256)
    for num_bins in every_value(slider):
        slider.value = num_bins
        images, title = grids[-1]
        tokens = quantize(DIGIT, num_bins)
        assert title.startswith(f"{num_bins} bins: {len(tokens.unique())} of them")
        assert f"error {quantization_error(DIGIT, num_bins):.1f}" in title
        original, back, lost = images
        torch.testing.assert_close(original, DIGIT / 255)
        torch.testing.assert_close(back, dequantize(tokens, num_bins))
        amplified = (back - original).abs() * num_bins
        torch.testing.assert_close(lost, amplified, atol=1e-4, rtol=0)
        assert lost.max() > 0.49  # half a bin, mid-grey
        assert lost.max() < 1 or num_bins > 128  # else not cut off at white
    assert len(grids) == 256  # as made, then at 2, 3, ... 256


def test_explore_bins_shows_three_images_under_their_title(unrendered):
    explorer = make_bins()
    for num_bins in (2, 5, 256):
        explorer.sliders["num_bins"].value = num_bins
        assert explorer.figure.get_suptitle().startswith(f"{num_bins} bins: ")
        assert [axis.texts[0].get_text() for axis in explorer.figure.axes] == [
            "original",
            "quantized",
            f"lost, × {num_bins}",
        ]
        original, back, lost = (
            torch.as_tensor(axis.images[0].get_array().data) for axis in explorer.figure.axes
        )
        torch.testing.assert_close(original, DIGIT / 255)
        torch.testing.assert_close(back, dequantize(quantize(DIGIT, num_bins), num_bins))
        amplified = (back - original).abs() * num_bins
        torch.testing.assert_close(lost, amplified, atol=1e-4, rtol=0)
        assert lost.max() > 0.49  # half a bin, mid-grey
        assert lost.max() < 1 or num_bins > 128  # else not cut off at white


# Context


def test_explore_blocks_at_every_number_of_blocks(unrendered):
    dilations = (1, 2, 4)
    explorer = widgets.explore_blocks(DIGIT, 13, 17, dilations)
    seen_before = 0
    for blocks in every_value(explorer.sliders["blocks"]):
        explorer.sliders["blocks"].value = blocks
        network = PixelCNN(2, 1, dilations[:blocks])
        seen = int(network.receptive_field(13, 17, 28, 28).sum())
        title = explorer.figure.axes[0].get_title().replace("\n", " ")
        assert f"{seen} of 381 pixels" in title and seen > seen_before
        dots = explorer.figure.axes[0].collections[0].get_offsets()
        assert len(dots) == seen
        seen_before = seen


@pytest.mark.parametrize("context", [raster(30), neighbourhood(2)])
def test_explore_context_at_every_row_and_column(context, unrendered):
    image = DIGIT[8:14, 10:17]
    explorer = widgets.explore_context(CategoricalPixelPredictor(context=context), image)
    row, column = explorer.sliders["row"], explorer.sliders["column"]
    assert (row.min, row.max, column.min, column.max) == (0, 5, 0, 6)
    for i in every_value(row):
        row.value = i
        for j in every_value(column):
            column.value = j
            table = context.positions(6, 7)[i * 7 + j]
            expected = sorted([int(place) % 7, int(place) // 7] for place in table if place >= 0)
            (axis,) = explorer.figure.axes
            dots, square = axis.collections
            assert sorted(dots.get_offsets().tolist()) == expected
            assert square.get_offsets().tolist() == [[j, i]]
            noun = "pixel" if len(expected) == 1 else "pixels"
            assert axis.get_title() == f"pixel ({i}, {j}) sees {len(expected)} {noun}"


# Diagonals


def test_explore_diagonals_at_every_step(unrendered):
    explorer, computed = make_diagonals(), [set(), set()]
    slider = explorer.sliders["step"]
    assert (slider.min, slider.value, slider.max) == (1, 5, 12)  # of 6 x 7 places
    for step in every_value(slider):
        slider.value = step
        for number, axis in enumerate(explorer.figure.axes):
            dots, square = axis.collections
            assert square.get_offsets().tolist() == [[1, 3]]
            places = {(row, column) for column, row in dots.get_offsets().tolist()}
            for row, column in places:  # what a cell reads was computed a step before
                beside = (row, column + (1 if number else -1))
                for read in (beside, (row - 1, column)):
                    assert read in computed[number] or not (0 <= read[1] < 7 and 0 <= read[0] < 6)
            assert not places & computed[number]
            computed[number] |= places
        count = len(places)
        assert explorer.figure.get_suptitle().startswith(f"Step {step} of 12: {count} place")
    assert [len(places) for places in computed] == [42, 42]


def test_stops_of_the_diagonals_hold_both_steps_of_the_marked_pixel():
    stops = diagonal_explorer.explore_diagonals(DIGIT, 13, 17)._stops["step"]
    assert {1, 31, 24, 55} <= {*stops} and len(stops) < 25


# Attention


def test_explore_attention_at_every_row_and_column(unrendered):
    explorer, shares = make_attention(), some_shares().view(2, 42, 6, 7)
    row, column = explorer.sliders["row"], explorer.sliders["column"]
    assert (row.min, row.value, row.max) == (0, 3, 5)
    assert (column.min, column.value, column.max) == (0, 4, 6)
    for i in every_value(row):
        row.value = i
        for j in every_value(column):
            column.value = j
            for axis, expected in zip(explorer.figure.axes, shares[:, i * 7 + j], strict=True):
                dots, square = axis.collections
                areas = torch.zeros(6, 7)
                for (x, y), area in zip(dots.get_offsets().tolist(), dots.get_sizes(), strict=True):
                    areas[int(y), int(x)] = float(area) / 600
                torch.testing.assert_close(areas, expected, rtol=0, atol=0.002)
                assert square.get_offsets().tolist() == [[j, i]]


def test_stops_of_the_attention_are_where_it_begins_and_a_few_more():
    shares = torch.eye(784)[None]
    explorer = attention_explorer.explore_attention(DIGIT, shares, ["a head"], 13, 17)
    assert explorer._stops["row"] == [0, 10, 13, 20, 27]
    assert explorer._stops["column"] == [0, 10, 17, 20, 27]


# Codes


def test_explore_codes_at_every_place_of_every_digit(unrendered):
    explorer = make_codes()
    digit, row, column = (explorer.sliders[name] for name in ("digit", "row", "column"))
    assert (row.value, column.value) == (1, 2)
    for values in itertools.product(*map(every_value, (digit, row, column))):
        digit.value, row.value, column.value = number, i, j = values
        codes = some_codes()[number]
        own = int(codes[i, j])
        tried = [own, *(code for code in (5, 0, 9) if code != own)]
        axes = [axis for axis in explorer.figure.axes if axis.images]
        assert len(axes) == len(tried)
        for axis, code in zip(axes, tried, strict=True):
            codes[i, j] = code
            found = torch.tensor(axis.images[0].get_array())
            shown = (paint(codes[None])[0] * 16).round() / 16
            torch.testing.assert_close(found, shown)
            (square,) = axis.patches
            assert square.get_xy() == (2 * j - 0.5, 2 * i - 0.5) and square.get_width() == 2
        names = [axis.texts[0].get_text() for axis in axes]
        assert names == [f"its own, {own}", *map(str, tried[1:])]
    assert values == (1, 1, 2)


def test_the_codes_that_an_explorer_was_given_stay_as_they_were(unrendered):
    codes = some_codes()
    codes_explorer.explore_codes(paint, codes, [5, 0, 9], 1, 2)
    assert torch.equal(codes, some_codes())


def test_stops_of_the_codes_are_where_it_begins_and_one_step_from_the_edges():
    codes = torch.zeros(3, 7, 7, dtype=torch.long)
    explorer = codes_explorer.explore_codes(paint, codes, [1], 3, 4)
    assert explorer._stops == {"digit": [0, 1, 2], "row": [1, 3, 5], "column": [1, 4, 5]}


# Temperature


def test_explore_label_shows_the_drawings_of_every_label(unrendered):
    explorer, drawings = make_label(), some_drawings()
    for label in every_value(explorer.sliders["label"]):
        explorer.sliders["label"].value = label
        assert explorer.figure.get_suptitle() == f"Draw me a {label}"
        shown = torch.stack(
            [torch.tensor(axis.images[0].get_array()) for axis in explorer.figure.axes]
        )
        torch.testing.assert_close(shown, drawings[label])
    assert label == 9


def test_explore_temperature_at_every_temperature(unrendered):
    explorer = make_temperature()
    slider = explorer.sliders["temperature"]
    assert (slider.min, slider.value, slider.max) == (0, 1, 3)
    for temperature in every_value(slider):
        slider.value = temperature
        expected = next_token_distribution(some_logits(), temperature)
        (axis,) = explorer.figure.axes
        heights = [bar.get_height() for bar in axis.containers[0]]
        assert heights == pytest.approx(expected.tolist())
        assert to_hex(axis.containers[0][0].get_facecolor()) == "#0072b2"
        assert explorer.figure.get_suptitle() == (
            f"temperature {temperature:.1f}: entropy {float(entropy(expected)):.2f} nats"
        )


def test_explore_temperature_0_leaves_one_bar(unrendered):
    explorer = make_temperature()
    explorer.sliders["temperature"].value = 0
    heights = [bar.get_height() for bar in explorer.figure.axes[0].containers[0]]
    assert heights == [0] * 15 + [1]
