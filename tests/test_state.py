"""What draws is what scores: a fast path is used only where it gives what forward gives."""

from pathlib import Path

import pytest
import torch
from models_under_test import build, labels_for, some_tokens
from reader_settings import SETTINGS
from torch import nn

from pixelar_lib.evaluation import evaluate, nll
from pixelar_lib.models import CategoricalPixelPredictor, PixelCNN, PixelModel, base, evaluating
from pixelar_lib.models.pixelcnn import Block
from pixelar_lib.models.state import can_advance, light_copy
from pixelar_lib.sampling import sample, sample_with_trace

SIZE = (6, 9)


class SharpPredict(PixelCNN):
    """Overrides `predict` without a state."""

    def predict(self, embedded, labels=None):
        return super().predict(embedded, labels) * 5


class SharpState(PixelCNN):
    """Overrides `predict` with a state, and hands it on."""

    def predict(self, embedded, labels=None, state=None):
        return super().predict(embedded, labels, state) * 5


class SharpForward(PixelCNN):
    def forward(self, tokens, labels=None):
        return super().forward(tokens, labels) * 5


class Border(PixelCNN):
    """Its last column is always 0, which a small picture does not show."""

    def forward(self, tokens, labels=None):
        logits = super().forward(tokens, labels).clone()
        logits[:, 1:, :, 8:] -= 30
        return logits


class WarmEmbedding(PixelCNN):
    """Embeds by place, so that one pixel alone is embedded differently."""

    def embed(self, tokens):
        return super().embed(tokens) + torch.arange(tokens.shape[2])[:, None]


class SharpWindow(CategoricalPixelPredictor):
    def forward(self, tokens, labels=None):
        return super().forward(tokens, labels) * 5


class Gated(Block):
    """Another block, which keeps the rule: whatever looks beyond its place takes the state."""

    def look_left(self, horizontal, told, state=None):
        hidden = self.horizontal(horizontal, state) + told
        return horizontal + self.mix(hidden.tanh() * hidden.sigmoid())


class Stateless(Block):
    """Another block, which breaks the rule."""

    def look_left(self, horizontal, told, state=None):
        return horizontal + self.mix((self.horizontal(horizontal) + told).relu())


class StatelessAbove(Block):
    """Another block, which forgets the rows above where it should keep them."""

    def look_above(self, vertical, terms, state=None):
        vertical = vertical + self.vertical(vertical.relu())
        return vertical, self.link(vertical.relu())


class Hidden(CategoricalPixelPredictor):
    """Says that one token of its windows is another."""

    def contexts(self, tokens, labels=None, pixels=None):
        return super().contexts(tokens, labels, pixels).clamp(min=1)


class Warm(nn.Embedding):
    def forward(self, tokens):
        return super().forward(tokens) * 3


class Difference(nn.Module):
    """A layer that looks beyond its place, and knows no state."""

    def forward(self, x):
        return x - x.roll(1, dims=-2)


def of_class(model_class, **arguments):
    return with_change(lambda model: None, model_class, **arguments)


def with_change(change, model_class=PixelCNN, **arguments):
    def make():
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model = model_class(4, **arguments)
        change(model)
        return model.eval()

    return make


def put(place, part):
    """Return a change: put a part in a place, such as "head.0"."""

    def change(model):
        parent, _, name = place.rpartition(".")
        setattr(model.get_submodule(parent), name, part())

    return change


def hook(model):
    model.register_forward_hook(lambda module, inputs, logits: logits * 5)


def hook_layer(model):
    model.blocks[1].mix.register_forward_hook(lambda module, inputs, output: output * 3)


def hook_window_layer(model):
    model.layers[0].register_forward_hook(lambda module, inputs, output: output * 3)


def shadow(model):
    original = model.predict
    model.predict = lambda embedded, labels=None: original(embedded, labels) * 5


SMALL = {"channels": 8, "dilations": (1, 2)}
CHANGED = {
    "predict": of_class(SharpPredict, **SMALL),
    "predict with a state": of_class(SharpState, **SMALL),
    "forward": of_class(SharpForward, **SMALL),
    "last column": of_class(Border, **SMALL),
    "embed": of_class(WarmEmbedding, **SMALL),
    "forward of windows": of_class(SharpWindow),
    "activation": with_change(put("head.0", nn.Tanh), **SMALL),
    "block": with_change(put("blocks.1", lambda: Gated(8, 2)), **SMALL),
    "block that breaks the rule": with_change(put("blocks.1", lambda: Stateless(8, 2)), **SMALL),
    "forgetful block": with_change(put("blocks.1", lambda: StatelessAbove(8, 2)), **SMALL),
    "forgetful block, far away": with_change(
        put("blocks.0", lambda: StatelessAbove(8, 3)), channels=8, dilations=(3, 1)
    ),
    "contexts": of_class(Hidden),
    "embedding": with_change(put("embedding", lambda: Warm(5, 32)), CategoricalPixelPredictor),
    "first layer without a bias": with_change(
        put("layers.0", lambda: nn.Linear(320, 256, bias=False)), CategoricalPixelPredictor
    ),
    "layer that looks aside": with_change(put("head.0", Difference), **SMALL),
    "hook": with_change(hook, **SMALL),
    "hook on a layer": with_change(hook_layer, **SMALL),
    "hook on a window's layer": with_change(hook_window_layer, CategoricalPixelPredictor),
    "method of the object": with_change(shadow, **SMALL),
}


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("num_images", [1, 5])
def test_a_changed_model_is_drawn_as_it_is_scored(change, num_images):
    model = CHANGED[change]()
    known = some_tokens(num_images, SIZE, 4)
    trace = sample_with_trace(model, num_images, known=known)
    with torch.no_grad():
        plain = model(known).softmax(dim=1).gather(1, known[:, None])[:, 0]
    torch.testing.assert_close(trace.chosen_probability, plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(nll(model, known).neg().exp(), plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("change", ["predict with a state", "activation", "block"])
def test_what_keeps_the_rule_is_drawn_fast(change):
    model = CHANGED[change]()
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, None)


@pytest.mark.parametrize("change", ["forward of windows", "hook on a window's layer"])
def test_a_changed_window_model_is_trained_as_it_is_scored(change):
    model = CHANGED[change]()
    model.windows_per_image = 20_000
    tokens = some_tokens(3, SIZE, 4)
    with torch.no_grad():
        loss = model.training_loss(*model.prepare(tokens, None, torch.Generator().manual_seed(0)))
    assert float(loss) == pytest.approx(evaluate(model, tokens).nats_per_pixel, abs=0.02)


def test_a_light_copy_shares_its_tensors_and_computes_the_same():
    model, tokens = build("pixelcnn"), some_tokens(2, SIZE, 3)
    copy = light_copy(model)
    assert isinstance(copy, PixelCNN) and copy.embedding.weight is model.embedding.weight
    with torch.no_grad():
        assert torch.equal(copy(tokens), model(tokens))
        model.embedding.weight.zero_()
        assert torch.equal(copy(tokens), model(tokens))


def test_16_bit_models_are_advanced_too():
    model = build("pixelcnn").to(torch.bfloat16)
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, None)


def test_sample_draws_what_its_trace_holds_however_it_is_drawn(monkeypatch):
    model = build("conditional pixelcnn")
    labels, known = torch.tensor([2, 0]), torch.full(SIZE, -1)
    known[0] = 1
    arguments = {"labels": labels, "known": known, "temperature": 0.7, "top_k": 2, "top_p": 0.9}
    fast = sample(model, 2, **arguments)
    assert torch.equal(fast, sample_with_trace(model, 2, **arguments).tokens)
    monkeypatch.setattr(base, "can_advance", lambda *arguments: False)
    assert torch.equal(fast, sample(model, 2, **arguments))


# A reader's own settings


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("num_images", [1, 5])
@pytest.mark.parametrize(
    "name",
    [
        *("post", "pixelcnn", "k-gram", "frequencies", "conditional post"),
        *("raster lstm", "diagonal bilstm"),
    ],
)
def test_pictures_and_likelihoods_are_the_same_whatever_a_reader_has_set(name, num_images, setting):
    model = build(name, 3, SIZE)
    labels = labels_for(model, num_images)
    expected = sample_with_trace(model, num_images, image_size=SIZE, labels=labels)
    losses = nll(model, expected.tokens, labels)
    with SETTINGS[setting]():
        found = sample_with_trace(model, num_images, image_size=SIZE, labels=labels)
        assert torch.equal(nll(model, found.tokens, labels), losses)
    for part in ("tokens", "chosen_probability", "entropy"):
        assert torch.equal(getattr(found, part), getattr(expected, part))
        assert getattr(found, part).dtype == (torch.long if part == "tokens" else torch.float32)


# A model of one's own


def test_the_model_that_the_api_page_shows_is_short_and_drawn_fast():
    source = (Path(__file__).parent / "two_convolutions.py").read_text(encoding="utf8")
    lines = source.partition("class MaskedConv")[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) < 40
    model = build("two convolutions", 16)
    with evaluating(model):
        assert can_advance(model, PixelModel.forward, SIZE, None)
