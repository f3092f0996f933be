"""Explorers with sliders; they draw with `plotting`.

Each shows a figure at every value while a kernel runs. For pages without one, it also carries the
pictures at some values, with sliders that need no kernel. Only what ipywidgets 7 and 8 share is
used.
"""

from collections.abc import Callable, Sequence

import ipywidgets
import torch
from matplotlib.figure import Figure

from pixelar_lib import plotting
from pixelar_lib.analysis import entropy, quantization_error
from pixelar_lib.models import PixelCNN, PixelModel
from pixelar_lib.quantization import dequantize, quantize
from pixelar_lib.sampling import next_token_distribution
from pixelar_lib.static_explorer import png, static_explorer


class Explorer(ipywidgets.VBox):
    """Sliders above a figure that follows them.

    Attributes:
        sliders: The sliders, by the name of the argument that each one sets.
        figure: The figure on show.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        sliders: dict[str, ipywidgets.Widget],
        stops: dict[str, list[float]],
        caption: str,
    ) -> None:
        """Show the first figure and follow the sliders.

        Args:
            draw: Called with the value of each slider by name; returns the figure.
            sliders: By the names of the arguments of `draw`.
            stops: The values of each slider on a page without a kernel.
            caption: Says there what the pictures show.
        """
        self.sliders = sliders
        self.figure = None
        self._draw = draw
        self._stops = stops
        self._caption = caption
        self._screen = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        super().__init__([*sliders.values(), self._screen])
        for slider in sliders.values():
            slider.observe(self._follow, names="value")
        self._follow()

    def _values(self) -> dict[str, float]:
        return {name: slider.value for name, slider in self.sliders.items()}

    def _follow(self, change: dict | None = None) -> None:
        self.figure = self._draw(**self._values())
        self._screen.value = png(self.figure)

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        """Return the widget and, for pages without a kernel, HTML that does without."""
        # Built here, since ipywidgets 7 has nothing to inherit (and shows the view by itself).
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        labels = {name: slider.description for name, slider in self.sliders.items()}
        return {
            "text/plain": f"Explorer with {' and '.join(self.sliders)}",
            "text/html": static_explorer(
                self._draw, self._stops, self._values(), labels, self._caption
            ),
            "application/vnd.jupyter.widget-view+json": view,
        }


def explore_bins(image: torch.Tensor) -> Explorer:
    """Slide the number of bins and see one image with that many greys.

    Args:
        image: uint8 levels or float intensities (H, W), as for `quantize`.

    Returns:
        The explorer; its slider is "num_bins", 2 to 256.
    """
    original = quantize(image, 256) / 255  # with 256 bins each level is a token

    def draw(num_bins: int) -> Figure:
        tokens = quantize(image, num_bins)
        back = dequantize(tokens, num_bins)
        lost = (back - original).abs() * num_bins  # too faint to see as it is; 1 is a whole bin
        return plotting.image_grid(
            torch.stack([original, back, lost]),
            f"{num_bins} bins: {len(tokens.unique())} of them occur, "
            f"error {quantization_error(image, num_bins):.1f} of 255",
            columns=3,
            captions=["original", "quantized", f"lost, × {num_bins}"],
        )

    return Explorer(
        draw,
        {"num_bins": _slider("bins K", 16, 2, 256)},
        {"num_bins": [2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256]},
        "The original, the same with K bins, and what is lost between the two, amplified K times.",
    )


def explore_context(
    model: PixelModel, image: torch.Tensor, row: int | None = None, column: int | None = None
) -> Explorer:
    """Move over the image and see which pixels the model sees there.

    Args:
        model: Keeps the contract; its stated receptive field is shown.
        image: uint8 (H, W).
        row: Where to begin; default: in the middle.
        column: The same for the columns.

    Returns:
        The explorer; its sliders are "row" and "column".
    """
    height, width = image.shape
    begin = height // 2 if row is None else row, width // 2 if column is None else column

    def draw(row: int, column: int) -> Figure:
        seen = model.receptive_field(row, column, height, width)
        count = int(seen.sum())
        title = f"pixel ({row}, {column}) sees {count} pixel{'' if count == 1 else 's'}"
        return plotting.context_picture(image, [seen], [title], row, column)

    sliders = {
        "row": _slider("row", begin[0], 0, height - 1),
        "column": _slider("column", begin[1], 0, width - 1),
    }
    return Explorer(
        draw,
        sliders,
        {"row": _stops(height, *begin), "column": _stops(width, *begin)},
        "The square marks the pixel to predict, the dots mark what the model sees there.",
    )


def explore_blocks(
    image: torch.Tensor, row: int, column: int, dilations: Sequence[int]
) -> Explorer:
    """Add blocks to a PixelCNN one at a time, and see how far a prediction sees.

    Args:
        image: uint8 (H, W).
        row: Row of the predicted pixel.
        column: Its column.
        dilations: Of the blocks that can be added, in their order.

    Returns:
        The explorer; its slider is "blocks", 0 to the number of dilations.
    """
    before = row * image.shape[1] + column

    def draw(blocks: int) -> Figure:
        network = PixelCNN(2, 1, dilations[:blocks])
        seen = network.receptive_field(row, column, *image.shape)
        title = f"{blocks} block{'' if blocks == 1 else 's'}: {int(seen.sum())} of {before} pixels"
        return plotting.context_picture(image, [seen], [title], row, column)

    return Explorer(
        draw,
        {"blocks": _slider("blocks", 0, 0, len(dilations))},
        {"blocks": list(range(len(dilations) + 1))},
        "The square marks the pixel to predict, the dots mark what the network sees there.",
    )


def explore_label(drawings: torch.Tensor) -> Explorer:
    """Ask a conditional model for a digit, and see what it draws.

    Args:
        drawings: float (L, M, H, W), 0 to 1: M drawings for each of L labels.

    Returns:
        The explorer; its slider is "label", 0 to L - 1.
    """
    num_labels, num_drawings = drawings.shape[:2]

    def draw(label: int) -> Figure:
        return plotting.image_grid(drawings[label], f"Draw me a {label}", num_drawings)

    return Explorer(
        draw,
        {"label": _slider("label", 0, 0, num_labels - 1)},
        {"label": list(range(num_labels))},
        "Each place has the same random numbers under every label.",
    )


def explore_temperature(logits: torch.Tensor) -> Explorer:
    """Slide the temperature and see the distribution that a pixel is drawn from.

    Args:
        logits: float (K,), a model's prediction for one pixel.

    Returns:
        The explorer; its slider is "temperature", 0 to 3.
    """
    names = [str(token) for token in range(len(logits))]

    def draw(temperature: float) -> Figure:
        probabilities = next_token_distribution(logits, temperature)
        return plotting.bar_chart(
            {"probability": probabilities.tolist()},
            names,
            f"temperature {temperature:.1f}: entropy {entropy(probabilities):.2f} nats",
            xlabel="token",
            ylabel="probability",
        )

    slider = ipywidgets.FloatSlider(
        value=1.0,
        min=0.0,
        max=3.0,
        step=0.1,
        description="temperature",
        continuous_update=False,
        style={"description_width": "initial"},
    )
    return Explorer(
        draw,
        {"temperature": slider},
        {"temperature": [fifth / 5 for fifth in range(16)]},
        "The distribution that one pixel is drawn from: the probability of each token.",
    )


def _slider(name: str, value: int, smallest: int, largest: int) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        value=value, min=smallest, max=largest, description=name, continuous_update=False
    )


def _stops(size: int, *more: int) -> list[int]:
    """Return each place at the edges that cut a context off, and what is asked for between.

    Sliders of equal size have equal stops, so that equal numbers stand at equal places.
    """
    edges = {0, 1, 2, size - 3, size - 2, size - 1}
    return sorted((edges | {*more}) & {*range(size)})
