"""What stands in the figures: their data, their words, and marks that need no colour."""

import io
import itertools
from base64 import b64decode
from itertools import pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from IPython.core.pylabtools import select_figure_formats
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from PIL import Image

from pixelar_lib import plotting


def shown(axis):
    """Return the array of the image that an axis shows."""
    (image,) = axis.findobj(AxesImage)
    return torch.as_tensor(image.get_array().data)


def seven_levels(num_images=3):
    return torch.arange(num_images * 4, dtype=torch.uint8).view(num_images, 2, 2) * 20


def draw_each():
    """Return one figure of each kind."""
    grid = torch.rand(2, 3)
    return [
        plotting.image_grid(seven_levels(), "title"),
        plotting.contact_sheet(seven_levels(6).view(3, 2, 2, 2), ["a", "b", "c"], "title"),
        plotting.number_grids([grid], ["grid"], "title", [".1f"]),
        plotting.line_chart([1, 2], {"line": [3.0, 4.0]}, "title", "x", "y"),
        plotting.bar_chart({"bar": [1.0, 2.0]}, ["a", "b"], "title", "x", "y"),
        plotting.heat_maps([grid], ["map"], ["nats"], "title"),
        plotting.context_picture(grid, [grid > 0.5], ["title"], 1, 1),
        plotting.attention_picture(grid, [grid / grid.sum()], ["title"], 1, 1),
        plotting.code_picture(torch.rand(4, 4), torch.eye(2).long(), 0, 1, "title"),
        plotting.reliability_diagram(grid[0], grid[1], "title"),
        plotting.network([("box", "(N, 2)", 0), ("box", "(N, 3)", 9)], "title"),
    ]


# All of them


def test_each_figure_says_what_it_shows():
    for figure in draw_each():
        texts = {figure.get_suptitle()} | {axis.get_title() for axis in figure.axes}
        assert "title" in texts


def test_each_figure_is_sharp_and_shown_once():
    for figure in draw_each():
        assert figure.dpi == 200
        is_chart = not any(axis.images for axis in figure.axes)
        assert to_hex(figure.get_facecolor()) == ("#ffffff" if is_chart else plotting.CARD)
    assert plt.get_fignums() == []  # pyplot keeps none, so a notebook does not show it twice


def notes_of(figure):
    """Return what a figure notes in the PNG that a notebook stores."""
    formatter = DisplayFormatter()
    select_figure_formats(SimpleNamespace(display_formatter=formatter), ["png"])
    data, metadata = formatter.format(figure)
    png = Image.open(io.BytesIO(b64decode(data["image/png"])))
    assert png.width == round(figure.get_figwidth() * 200)
    assert metadata["image/png"]["width"] == round(figure.get_figwidth() * 110)
    return {name: float(png.text[name]) for name in ("Lettering", "Picture") if name in png.text}


def test_each_figure_can_be_read_on_a_phone_and_says_so():
    for figure in draw_each():
        notes = notes_of(figure)
        assert figure.get_figwidth() <= plotting.WIDTH
        assert notes["Lettering"] >= 0.028
        assert ("Picture" in notes) == any(axis.images for axis in figure.axes)


def test_a_figure_that_cannot_be_read_says_so():
    figure = plotting.image_grid(seven_levels(6), "title", columns=6)
    before = notes_of(figure)
    assert before["Picture"] == pytest.approx(1 / 6, rel=0.2)
    figure.axes[0].set_title("small", fontsize=5)
    assert notes_of(figure)["Lettering"] == pytest.approx(before["Lettering"] / 2, rel=0.01)
    figure.axes[0].set_position([0, 0, 0.05, 0.05])
    assert notes_of(figure)["Picture"] < 0.06


def test_a_long_title_is_broken_into_lines():
    title = "Ten pixels forget the seven, nearby pixels carry its stroke on, pixelcnn ends it"
    for figure in (
        plotting.image_grid(seven_levels(), title),
        plotting.bar_chart({"bar": [1.0, 2.0]}, ["a", "b"], title, "x", "y"),
        plotting.heat_maps([torch.rand(2, 2)], [title], ["nats"], ""),
    ):
        figure.draw_without_rendering()
        titles = [figure._suptitle, *(axis.title for axis in figure.axes)]
        assert " ".join(text.get_text() for text in titles).split() == title.split()
        boxes = [text.get_window_extent() for text in titles if text.get_text()]
        assert all(0 <= box.x0 < box.x1 <= figure.bbox.width for box in boxes)


def test_the_style_of_the_reader_is_left_alone():
    before = dict(plt.rcParams)
    draw_each()
    assert dict(plt.rcParams) == before


# Images


def test_image_grid_shows_each_image_in_order():
    images = seven_levels(5)
    figure = plotting.image_grid(images, "five", columns=3, captions=list("abcde"))
    assert len(figure.axes) == 6
    for axis, image, caption in zip(figure.axes, images, "abcde", strict=False):
        assert torch.equal(shown(axis), image)
        assert [text.get_text() for text in axis.texts] == [caption]
    assert not figure.axes[5].images and not any(axis.axison for axis in figure.axes)


def test_image_grid_names_its_rows_above_them():
    figure = plotting.image_grid(seven_levels(4), "t", columns=2, row_names=["ten", "all"])
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["ten", "", "all", ""]
    with pytest.raises(ValueError, match="shorter"):
        plotting.image_grid(seven_levels(4), "t", columns=2, row_names=["ten"])


@pytest.mark.parametrize("columns", [0, 7])
def test_rows_that_a_phone_cannot_show_are_refused(columns):
    with pytest.raises(ValueError, match=f"columns must be 1 to 6, not {columns}; use more rows"):
        plotting.image_grid(seven_levels(7), "t", columns=columns)


def test_panels_lie_two_in_a_row():
    figure = plotting.heat_maps([torch.rand(2, 2)] * 3, list("abc"), [""] * 3, "title")
    figure.draw_without_rendering()
    boxes = [axis.get_window_extent() for axis in figure.axes if axis.get_title()]
    assert boxes[0].y0 == pytest.approx(boxes[1].y0) and boxes[2].y1 < boxes[0].y0


@pytest.mark.parametrize(("images", "white"), [(seven_levels(), 255), (torch.rand(3, 2, 2), 1)])
def test_black_and_white_do_not_depend_on_the_image(images, white):
    for axis in plotting.image_grid(images, "three").axes[:3]:
        assert axis.images[0].get_clim() == (0, white)
        assert axis.images[0].get_cmap().name == "gray"


def test_what_is_no_image_is_refused():
    with pytest.raises(TypeError, match="dequantize"):
        plotting.image_grid(torch.zeros(1, 2, 2, dtype=torch.long), "tokens")
    with pytest.raises(ValueError, match=r"an image has shape \(H, W\), not \(2,\)"):
        plotting.image_grid(seven_levels()[0], "one image is no batch")


def test_number_grids_write_every_number_in_its_format():
    grids = [torch.tensor([[0, 255]], dtype=torch.uint8), torch.tensor([[0.25], [0.75]])]
    figure = plotting.number_grids(grids, ["levels", "greys"], "two", ["d", ".2f"])
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("levels", "greys")
    assert [text.get_text() for text in left.texts] == ["0", "255"]
    assert [text.get_text() for text in right.texts] == ["0.25", "0.75"]
    assert [text.get_position() for text in left.texts] == [(0, 0), (1, 0)]
    assert [text.get_position() for text in right.texts] == [(0, 0), (0, 1)]
    for axis, grid in ((left, grids[0]), (right, grids[1])):
        assert torch.equal(shown(axis), grid)
        assert [text.get_color() for text in axis.texts] == ["white", "black"]  # on dark, on light


def test_number_grids_are_shaded_between_the_limits():
    grid = torch.tensor([[0.25, 0.75]])
    figure = plotting.number_grids([grid], ["greys"], "two", [".2f"], limits=[(0, 2)])
    (axis,) = figure.axes
    assert axis.images[0].get_clim() == (0, 2)
    assert [text.get_color() for text in axis.texts] == ["white", "white"]  # both are dark
    (axis,) = plotting.number_grids([grid], ["greys"], "two", [".2f"]).axes
    assert axis.images[0].get_clim() == (0.25, 0.75)


def test_context_picture_marks_what_is_seen_and_what_is_predicted():
    image = torch.rand(3, 4)
    seen = torch.zeros(2, 3, 4, dtype=torch.bool)
    seen[0, 1, :2] = seen[1, 0, 3] = True
    figure = plotting.context_picture(image, list(seen), ["two", "one"], row=1, column=2)
    for axis, mask, title in zip(figure.axes, seen, ["two", "one"], strict=True):
        dots, square = axis.collections
        expected = [[column, row] for row, column in mask.nonzero().tolist()]
        assert dots.get_offsets().tolist() == expected
        assert square.get_offsets().tolist() == [[2, 1]]
        assert len(dots.get_paths()[0]) != len(square.get_paths()[0])  # a dot and a square
        assert torch.equal(shown(axis), image)
        assert axis.get_title() == title


def test_attention_picture_has_dots_whose_area_is_the_share():
    image, shares = torch.rand(3, 4), torch.zeros(2, 3, 4)
    shares[0, 1, :2] = torch.tensor([0.75, 0.25])
    shares[1, 0] = torch.tensor([0.999, 0.001, 0, 0])
    figure = plotting.attention_picture(image, list(shares), ["two", "one"], row=1, column=2)
    for axis, share, title in zip(figure.axes, shares, ["two", "one"], strict=True):
        dots, square = axis.collections
        places = [[column, row] for row, column in (share > 0.01).nonzero().tolist()]
        assert dots.get_offsets().tolist() == places
        areas = torch.tensor(dots.get_sizes())
        torch.testing.assert_close(areas / 600, share[share > 0.01].double(), check_dtype=False)
        assert square.get_offsets().tolist() == [[2, 1]]
        assert torch.equal(shown(axis), image)
        assert axis.get_title() == title


def outline(axis):
    """Return the rectangle that an axis marks: its corner, width and height."""
    (square,) = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    return [*square.get_xy(), square.get_width(), square.get_height()]


def test_image_grid_marks_the_same_square_on_each_image():
    figure = plotting.image_grid(torch.rand(3, 8, 8), "title", square=(2, 4, 3))
    for axis in figure.axes[:3]:
        assert outline(axis) == [3.5, 1.5, 3, 3]  # around the pixels, not through them
    plain = plotting.image_grid(torch.rand(3, 8, 8), "title")
    assert not any(axis.patches for axis in plain.axes)


def test_code_picture_writes_each_code_over_its_square():
    image, codes = torch.rand(12, 12), torch.tensor([[7, 0, 99], [1, 2, 3], [127, 5, 8]])
    figure = plotting.code_picture(image, codes, 1, 2, "title")
    pixels, numbers = figure.axes
    assert torch.equal(shown(pixels), image) and not pixels.texts
    for axis in (pixels, numbers):
        assert outline(axis) == [7.5, 3.5, 4, 4]
        assert {tuple(line.get_xdata()) for line in axis.lines} == {(0, 1), (3.5,) * 2, (7.5,) * 2}
    written = {text.get_position(): text.get_text() for text in numbers.texts}
    assert written == {
        (4 * j + 1.5, 4 * i + 1.5): str(int(codes[i, j])) for i in range(3) for j in range(3)
    }


# Charts


NAMES = ["first", "second", "third", "fourth"]
HEIGHTS = {name: [1.0 + place, 2.0, 3.0] for place, name in enumerate(NAMES)}


def test_lines_may_have_places_of_their_own():
    x = {"a": [1, 2], "b": [3, 5, 7]}
    figure = plotting.line_chart(x, {"a": [1.0, 2.0], "b": [3.0, 4.0, 5.0]}, "lines", "x", "y")
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [*x.values()]


def test_lines_with_places_of_their_own_on_an_axis_of_powers_of_ten():
    x = {"a": [1e3, 2e5], "b": [4e4]}
    figure = plotting.line_chart(x, {"a": [1.0, 2.0], "b": [3.0]}, "lines", "x", "y", log_x=True)
    (axis,) = figure.axes
    assert axis.get_xscale() == "log" and {1e3, 1e4, 1e5} <= {*axis.get_xticks()}


def test_line_chart_holds_the_data():
    figure = plotting.line_chart([1, 2, 4], HEIGHTS, "lines", "bins K", "loss (nats)")
    (axis,) = figure.axes
    assert axis.get_xlabel() == "bins K" and axis.get_ylabel() == "loss (nats)"
    for line, (name, heights) in zip(axis.lines, HEIGHTS.items(), strict=True):
        assert line.get_label() == name
        assert line.get_xdata().tolist() == [1, 2, 4] and line.get_ydata().tolist() == heights
    assert [text.get_text() for text in axis.get_legend().get_texts()] == NAMES


def test_lines_are_told_apart_without_colour():
    (axis,) = plotting.line_chart([1, 2, 4], HEIGHTS, "lines", "x", "y").axes
    for what in ("get_linestyle", "get_marker", "get_color"):
        assert len({getattr(line, what)() for line in axis.lines}) == len(NAMES)


def test_line_chart_with_levels_on_a_doubling_axis():
    figure = plotting.line_chart(
        [2, 4, 8], {"loss": [3, 2, 1]}, "lines", "x", "y", levels={"to beat": 2.5}, log_x=True
    )
    (axis,) = figure.axes
    assert axis.get_legend() is None  # one line needs no legend
    assert axis.lines[1].get_ydata() == [2.5, 2.5]
    (name,) = axis.texts
    assert name.get_text() == "to beat" and name.get_position()[1] == 2.5
    assert axis.get_xscale() == "log"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["2", "4", "8"]


def test_error_bars_reach_as_far_up_as_down():
    errors = {"a": [0.5, 0.25]}
    lines = {"a": [2.0, 3.0], "b": [1.0, 1.0]}
    (axis,) = plotting.line_chart([1, 2], lines, "lines", "x", "y", errors=errors).axes
    (bars,) = (marks for marks in axis.collections)
    assert [part.tolist() for part in bars.get_segments()] == [
        [[1.0, 1.5], [1.0, 2.5]],
        [[2.0, 2.75], [2.0, 3.25]],
    ]
    assert to_hex(bars.get_color()[0]) == to_hex(axis.lines[0].get_color())
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]


def test_bar_chart_holds_the_data():
    figure = plotting.bar_chart(HEIGHTS, ["a", "b", "c"], "bars", "token", "probability")
    (axis,) = figure.axes
    assert axis.get_xlabel() == "token" and axis.get_ylabel() == "probability"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b", "c"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == NAMES
    edges = []
    for bars, heights in zip(axis.containers, HEIGHTS.values(), strict=True):
        assert [bar.get_height() for bar in bars] == heights
        for place, bar in enumerate(bars):
            assert abs(bar.get_x() + bar.get_width() / 2 - place) < 0.5  # above its own name
            edges.append((round(bar.get_x(), 6), round(bar.get_x() + bar.get_width(), 6)))
    edges.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(edges))  # no bar hides another


def test_bars_are_told_apart_without_colour():
    (axis,) = plotting.bar_chart(HEIGHTS, ["a", "b", "c"], "bars", "x", "y").axes
    assert len({bars[0].get_hatch() for bars in axis.containers}) == len(NAMES)
    assert len({bars[0].get_facecolor() for bars in axis.containers}) == len(NAMES)


def test_bars_of_very_different_heights_have_a_scale_of_powers_of_ten():
    heights = {"bar": [2.0, 369.0]}
    (axis,) = plotting.bar_chart(heights, ["a", "b"], "bars", "x", "y", log_y=True).axes
    assert axis.get_yscale() == "log" and axis.get_ylim()[0] == 1
    assert [bar.get_height() for bar in axis.containers[0]] == heights["bar"]
    (axis,) = plotting.bar_chart({"bar": [0.5, 9.0]}, ["a", "b"], "t", "x", "y", log_y=True).axes
    assert axis.get_ylim()[0] < 0.5  # a small bar is not cut off
    (axis,) = plotting.bar_chart(heights, ["a", "b"], "bars", "x", "y").axes
    assert axis.get_yscale() == "linear"


def test_one_kind_of_bar_needs_no_legend():
    (axis,) = plotting.bar_chart({"bar": [1.0]}, ["a"], "bars", "x", "y").axes
    assert axis.get_legend() is None


def test_more_series_than_can_be_told_apart_are_refused():
    many = {str(number): [1.0, 2.0] for number in range(6)}
    with pytest.raises(ValueError, match=r"6 series.*only 5"):
        plotting.line_chart([1, 2], many, "lines", "x", "y")
    del many["5"]
    with pytest.raises(ValueError, match=r"5 series.*only 4"):
        plotting.bar_chart(many, ["a", "b"], "bars", "x", "y")


# Maps


def test_heat_maps_hold_the_data_each_with_its_scale():
    maps = [torch.rand(3, 4), torch.rand(3, 4) * 5]
    figure = plotting.heat_maps(maps, ["drawn", "entropy"], ["", "nats"], "two maps")
    panels, bars = figure.axes[:2], figure.axes[2:]
    assert figure.get_suptitle() == "two maps"
    for axis, values, title in zip(panels, maps, ["drawn", "entropy"], strict=True):
        assert axis.get_title() == title
        assert torch.equal(shown(axis), values)
        limits = pytest.approx((float(values.min()), float(values.max())))
        assert axis.images[0].get_clim() == limits
    assert [axis.images[0].get_cmap().name for axis in panels] == ["gray", "viridis"]
    assert [bar.get_xlabel() for bar in bars] == ["grey", "nats"]


def test_heat_maps_can_share_a_scale():
    maps = [torch.rand(2, 2), torch.rand(2, 2)]
    limits = [(0, 2), (0, 2)]
    figure = plotting.heat_maps(maps, ["one", "two"], ["nats", "nats"], "two maps", limits)
    assert [axis.images[0].get_clim() for axis in figure.axes[:2]] == limits


def test_reliability_diagram_holds_the_data_beside_the_diagonal():
    confidence, accuracy = torch.tensor([0.3, 0.6, 0.9]), torch.tensor([0.2, 0.6, 0.95])
    (axis,) = plotting.reliability_diagram(confidence, accuracy, "honest").axes
    diagonal, model = axis.lines
    assert (diagonal.get_xdata() == [0, 1]).all() and (diagonal.get_ydata() == [0, 1]).all()
    assert torch.equal(torch.as_tensor(model.get_xdata()), confidence)
    assert torch.equal(torch.as_tensor(model.get_ydata()), accuracy)
    assert diagonal.get_linestyle() != model.get_linestyle()
    assert axis.get_xlim() == axis.get_ylim() == (0, 1.02)
    assert "confidence" in axis.get_xlabel() and "accuracy" in axis.get_ylabel()


# The network


def test_network_draws_its_parts_from_top_to_bottom():
    boxes = [("window", "(N, 10)", 0), ("table", "(N, 10, 32)", 544), ("layer", "(N, 256)", 82_176)]
    figure = plotting.network(boxes, "three parts")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    extents = [box.get_window_extent() for box in axis.patches]
    words = {text.get_text(): text.get_window_extent() for text in axis.texts if text.get_text()}
    sizes = ["no parameters", "544 parameters", "82,176 parameters"]
    for (name, shape, _), size, extent in zip(boxes, sizes, extents, strict=True):
        for word in (name, shape, size):
            letters = words.pop(word)
            assert extent.x0 < letters.x0 < letters.x1 < extent.x1
            assert extent.y0 < letters.y0 < letters.y1 < extent.y1
    assert not words
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(extents))
    assert sum(text.get_text() == "" for text in axis.texts) == 2  # an arrow between each two


def test_contact_sheet_puts_each_image_at_its_place_beside_its_name():
    images = torch.arange(24, dtype=torch.uint8).view(3, 2, 2, 2)
    (axis,) = plotting.contact_sheet(images, ["a", "b", "c"], "title").axes
    sheet = axis.images[0].get_array()
    assert sheet.shape == (6, 4)
    for row, column in itertools.product(range(3), range(2)):
        place = sheet[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert place.tolist() == images[row, column].tolist()
    names = zip(
        axis.get_yticks(), [label.get_text() for label in axis.get_yticklabels()], strict=True
    )
    assert [*names] == [(1, "a"), (3, "b"), (5, "c")]
