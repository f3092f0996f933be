"""The fast paths give what the plain ones give: logits, losses, gradients, drawn images."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from models_under_test import MODELS, build, labels_for, some_tokens
from small_trainings import seeded

from pixelar_lib import sampling
from pixelar_lib.context import neighbourhood, raster, windows
from pixelar_lib.evaluation import KGramBaseline, nll
from pixelar_lib.models import CategoricalPixelPredictor, PixelModel, WindowModel, evaluating
from pixelar_lib.models.distinct import distinct_windows
from pixelar_lib.models.window import ROWS
from pixelar_lib.next_token import draw, next_token_distribution
from pixelar_lib.sampling import sample, sample_with_trace
from pixelar_lib.training import fit

WINDOW_MODELS = [name for name in MODELS if isinstance(build(name), WindowModel)]
CONTEXTS = {"raster": raster(10), "neighbourhood": neighbourhood(3)}


def network(context, num_bins=16, **arguments):
    """Return a network with random weights that are far from all alike, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = CategoricalPixelPredictor(num_bins, context=context, **arguments).eval()
        for layer in model.layers:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.data *= 2  # else all logits are nearly 0
    return model


def needs(what, is_there):
    return pytest.mark.skipif(not is_there, reason=f"needs {what}")


def digits_like(num_images, num_bins=16):
    """Return 28 x 28 images that are mostly background, as digits are."""
    tokens = some_tokens(num_images, (28, 28), num_bins)
    return tokens * (some_tokens(num_images, (28, 28), 8, seed=1) == 0)


# Equal windows


@given(st.data())
def test_distinct_windows_are_each_window_once(data):
    num_values = data.draw(st.sampled_from([2, 3, 17, 257]))
    length = data.draw(st.sampled_from([1, 2, 7, 8, 16, 24, 70]))
    used = data.draw(st.integers(1, num_values))
    count = data.draw(st.integers(1, 40))
    seed = data.draw(st.integers(0, 999))
    contexts = torch.randint(used, (count, length), generator=seeded(seed))
    contexts += num_values - used  # the largest values are those that overflow
    first, rows = distinct_windows(contexts, num_values)
    assert torch.equal(contexts[first][rows], contexts)
    assert len(first) == len(contexts.unique(dim=0))


@pytest.mark.parametrize(("num_values", "length"), [(257, 70), (17, 24), (2, 144)])
def test_windows_that_differ_in_one_place_are_told_apart(num_values, length):
    contexts = torch.full((length + 1, length), num_values - 1)
    contexts[torch.arange(length), torch.arange(length)] = num_values - 2
    first, _ = distinct_windows(contexts, num_values)
    assert len(first) == length + 1


class FromApple(torch.Tensor):
    """Says that it can go back to an Apple GPU."""

    def to(self, device):
        assert device.type == "mps"
        return self.as_subclass(OnApple)


class OnApple(torch.Tensor):
    """Says that it is on an Apple GPU, whose `unique` compared only 32 bits of a long."""

    device = torch.device("mps")

    def cpu(self):
        return self.as_subclass(FromApple)

    def unique(self, **options):
        return self.cpu().int().unique(**options)


def test_apple_gpus_tell_windows_apart_too():
    contexts = some_tokens(50, (1, 10), 17)[:, 0]
    contexts[1] = contexts[0]
    found = distinct_windows(contexts.as_subclass(OnApple), 17)
    assert [type(places) for places in found] == [OnApple] * 2
    first, rows = (places.as_subclass(torch.Tensor) for places in found)
    assert len(first) == 49
    assert torch.equal(contexts[first][rows], contexts)


# Logits


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("num_bins", [2, 16, 256])
def test_looked_up_logits_equal_forward_at_all_positions(context, num_bins):
    model, tokens = network(context, num_bins), some_tokens(3, (28, 28), num_bins)
    tokens[0], tokens[1] = 0, num_bins - 1
    contexts = windows(tokens, context, num_bins).flatten(0, 1)
    with torch.no_grad():
        looked_up = model.key_predictor()(contexts)
        plain = model(tokens).flatten(2).transpose(1, 2).flatten(0, 1)
        assert plain.std() > 0.1
        torch.testing.assert_close(looked_up, plain, rtol=0, atol=1e-5)
        one = torch.cat([model.key_predictor()(window[None]) for window in contexts[:100]])
        torch.testing.assert_close(one, plain[:100], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", WINDOW_MODELS)
@pytest.mark.parametrize("num_images", [1, 5, 100])
def test_incremental_logits_equal_forward_at_all_positions(name, num_images):
    model = build(name)
    images = some_tokens(num_images, (4, 5), 3)
    images[num_images // 3 :] = images[0]  # so that windows repeat
    labels = labels_for(model, num_images)
    with torch.no_grad():
        plain = model(images, labels).flatten(2)
        for buffer in (images, images.permute(1, 2, 0).contiguous().permute(2, 0, 1)):
            logits_of = model.incremental_logits(buffer, labels)
            for pixel in range(20):
                torch.testing.assert_close(logits_of(pixel), plain[:, :, pixel], rtol=0, atol=1e-5)


def test_both_dropouts_are_on_while_training_and_off_otherwise():
    model, contexts = network(raster(10), dropout=0.5), some_tokens(50, (1, 10), 16)[:, 0]
    dropouts = [layer for layer in model.layers if isinstance(layer, torch.nn.Dropout)]
    with torch.no_grad():
        expected = model.key_predictor()(contexts)
        for dropout in dropouts:
            assert torch.equal(model.key_predictor()(contexts), expected)
            dropout.train()
            assert not torch.equal(model.key_predictor()(contexts), expected)
            dropout.eval()
    assert len(dropouts) == 2


class Cooler(CategoricalPixelPredictor):
    """Overrides `predict_windows` alone."""

    def predict_windows(self, contexts):
        return super().predict_windows(contexts) / 3


def test_a_changed_network_is_the_one_that_draws_and_is_measured():
    cooler, smooth, deeper = (
        kind(num_bins=4) for kind in (Cooler, *[CategoricalPixelPredictor] * 2)
    )
    smooth.layers[1] = torch.nn.GELU()
    deeper.layers.append(torch.nn.Tanh())
    contexts = some_tokens(40, (1, 10), 5)[:, 0]
    for model in (cooler, smooth, deeper):
        assert torch.equal(model.eval().key_predictor()(contexts), model.predict_windows(contexts))


@pytest.mark.parametrize("num_images", [1, 5])
def test_images_can_be_drawn_in_mixed_precision(num_images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert sample(network(raster(3)), num_images, image_size=4).shape == (num_images, 4, 4)


@pytest.mark.parametrize("name", WINDOW_MODELS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
def test_short_integers_give_what_long_ones_give(name, dtype):
    model, tokens = build(name), some_tokens(3, (4, 5), 3)
    short, labels = tokens.to(dtype), labels_for(model, 3)
    assert torch.equal(model.nll(short, labels), model.nll(tokens, labels))
    slow, fast = (model.incremental_logits(some, labels) for some in (tokens, short))
    for pixel in range(20):
        assert torch.equal(fast(pixel), slow(pixel))


# Losses and gradients


@pytest.mark.parametrize("name", WINDOW_MODELS)
def test_nll_equal_the_cross_entropy_of_forward(name):
    model = build(name, num_bins=5, size=(28, 28))
    tokens, labels = digits_like(9, 5), labels_for(model, 9)
    with torch.no_grad():
        plain = F.cross_entropy(model(tokens, labels), tokens, reduction="none")
        torch.testing.assert_close(model.nll(tokens, labels), plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_training_loss_and_gradient_are_those_of_the_drawn_windows(context):
    model, tokens = network(context, dropout=0.0).double(), digits_like(40)
    _, pixels = batch = model.prepare(tokens, None, seeded(5))
    assert pixels.shape == (40, model.windows_per_image)
    loss = model.training_loss(*batch)
    loss.backward()
    fast = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    logits = model.predict_windows(windows(tokens, context, 16, pixels))
    plain = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(1).gather(1, pixels).flatten())
    plain.backward()
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(fast, [parameter.grad for parameter in model.parameters()])


class Counting(WindowModel):
    """Counts the windows that reach it, and the most at a time; its logits are all 0."""

    def __init__(self, context):
        super().__init__(16, context)
        self.seen, self.most = 0, 0

    def predict_windows(self, contexts):
        self.seen += len(contexts)
        self.most = max(self.most, len(contexts))
        return torch.zeros(len(contexts), 16)


def test_equal_windows_reach_the_network_once():
    blank = torch.zeros(100, 28, 28, dtype=torch.long)
    model = Counting(raster(10))
    nll(model, blank)
    assert model.seen == 11  # 0 to 10 start tokens
    model = Counting(raster(10))
    logits_of = model.incremental_logits(blank)
    for pixel in range(784):
        logits_of(pixel)
    assert model.seen == 784
    model = Counting(raster(10))
    model.training_loss(*model.prepare(blank, None, seeded()))
    assert model.seen <= 11


def test_looking_for_equal_windows_rests_where_there_are_none():
    different = some_tokens(100, (28, 28), 16)
    model = Counting(raster(10))
    logits_of = model.incremental_logits(different)
    looks = 0

    def counting(*arguments):
        nonlocal looks
        looks += 1
        return distinct_windows(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelar_lib.models.window.distinct_windows", counting)
        for pixel in range(784):
            logits_of(pixel)
    assert 784 / 32 - 1 <= looks < 40


@pytest.mark.parametrize("num_images", [300, 600])
def test_memory_of_an_evaluation_does_not_grow_with_the_images(num_images, monkeypatch):
    images = []

    def counting(tokens, *arguments):
        images.append(len(tokens))
        return windows(tokens, *arguments)

    monkeypatch.setattr("pixelar_lib.models.window.windows", counting)
    model = Counting(raster(10))
    nll(model, some_tokens(num_images, (28, 28), 16))
    assert (max(images), model.most) == (256, ROWS)


# Drawn images


@pytest.mark.parametrize("num_images", [1, 4, 5, 40, 100])
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_drawn_images_are_those_of_the_slow_path(context, num_images):
    model = network(context, num_bins=4, hidden_size=32).double()  # float64 leaves no near ties
    size = (5, 7)
    fast = sample_with_trace(model, num_images, image_size=size, generator=seeded(1))
    slow = slow_sample(model, num_images, size, seeded(1))
    assert torch.equal(fast.tokens, slow)
    losses = nll(model, slow)
    torch.testing.assert_close(-fast.chosen_probability.log(), losses, rtol=0, atol=1e-5)


def slow_sample(model, num_images, size, generator):
    """Draw with the whole model for each pixel, one number of noise a pixel."""
    tokens = torch.zeros(num_images, *size, dtype=torch.long)
    noise = torch.rand(num_images, size[0] * size[1], generator=generator)
    with evaluating(model):
        for pixel in range(size[0] * size[1]):
            row, column = divmod(pixel, size[1])
            cumulative = model(tokens)[:, :, row, column].softmax(dim=1).cumsum(dim=1)
            tokens[:, row, column] = (cumulative <= noise[:, pixel, None]).sum(dim=1)
    return tokens


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": 0.7, "top_k": 2},
        {"top_p": 0.8},
        {"temperature": 1.3, "top_k": 3, "top_p": 0.9},
    ],
    ids=str,
)
def test_one_by_one_draws_what_all_together_draw(options, monkeypatch):
    model = network(neighbourhood(2), num_bins=4, hidden_size=32).double()
    known = torch.full((4, 9, 11), -1)
    known[1, :4], known[2, 3:6, 2:5], known[3] = 2, 0, some_tokens(1, (9, 11), 4)[0]
    few = sample_with_trace(model, 4, known=known, generator=seeded(2), **options)
    monkeypatch.setattr(sampling, "FEW", 0)
    together = sample_with_trace(model, 4, known=known, generator=seeded(2), **options)
    assert torch.equal(few.tokens, together.tokens)
    torch.testing.assert_close(few.chosen_probability, together.chosen_probability)
    torch.testing.assert_close(few.entropy, together.entropy)
    assert torch.equal(sample(model, 4, known=known, generator=seeded(2), **options), few.tokens)


def test_a_last_chunk_of_few_images_joins_the_others(monkeypatch):
    model = network(raster(2), num_bins=4, hidden_size=32).double()
    together = sample_with_trace(model, 9, image_size=(3, 5), generator=seeded(1))
    monkeypatch.setattr(sampling, "IMAGES_PER_CHUNK", 7)
    in_chunks = sample_with_trace(model, 9, image_size=(3, 5), generator=seeded(1))
    assert torch.equal(in_chunks.tokens, together.tokens)
    torch.testing.assert_close(in_chunks.chosen_probability, together.chosen_probability)
    torch.testing.assert_close(in_chunks.entropy, together.entropy)


def test_drawing_one_by_one_keeps_a_bounded_number_of_windows(monkeypatch):
    model = Counting(raster(2))
    monkeypatch.setattr(sampling, "KEYS_KEPT", 10)
    sample(model, 4, image_size=(10, 30))
    assert model.seen > 16**2 + 16 + 1  # more than there are: forgotten ones are computed anew


@pytest.mark.parametrize("num_images", [1, 5])
@pytest.mark.parametrize("options", [{"top_p": 1e-300}, {"temperature": 1e-300}], ids=str)
def test_the_smallest_numbers_give_the_likeliest_tokens(options, num_images):
    model = network(raster(2), num_bins=4)
    drawn, likeliest = (
        sample_with_trace(model, num_images, image_size=5, **some)
        for some in (options, {"temperature": 0})
    )
    assert torch.equal(drawn.tokens, likeliest.tokens)
    assert (drawn.chosen_probability == 1).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_draw_no_impossible_tokens(dtype):
    logits = 3 * torch.randn(2000, 16, generator=seeded())
    logits[:, 15] = -20
    logits = logits.to(dtype)
    distribution = next_token_distribution(logits)
    torch.testing.assert_close(distribution, logits.float().softmax(dim=1))
    assert (draw(distribution, torch.rand(2000, generator=seeded(1))) < 15).all()


@pytest.mark.parametrize("num_images", [1, 5])
def test_noise_above_a_rounded_sum_gives_the_last_possible_token(num_images, monkeypatch):
    model = network(raster(1), num_bins=4)
    highest = torch.full((num_images, 6), 1 - 2**-24)
    monkeypatch.setattr(torch, "rand", lambda *size, **options: highest)
    lost = torch.tensor([0.5, 0.25, 0.125, 0.0])  # as if rounding had lost an eighth
    monkeypatch.setattr(
        sampling, "next_token_distribution", lambda logits, **options: lost.expand(len(logits), -1)
    )
    assert (sample(model, num_images, image_size=(2, 3)) == 2).all()


@pytest.mark.parametrize("num_images", [1, 5, 100])
def test_a_broken_network_is_reported_however_many_are_drawn(num_images):
    model = network(raster(3), num_bins=4)
    model.layers[6].bias.data[1] = torch.nan
    for temperature in (0, 1):
        with pytest.raises(FloatingPointError, match="logits are not finite"):
            sample(model, num_images, image_size=(2, 3), temperature=temperature)


def test_a_model_of_its_own_kind_draws_through_its_forward():
    tokens = some_tokens(9, (4, 5), 3)
    model = KGramBaseline(tokens, 3, k=2)
    fast = sample(model, 6, image_size=(4, 5), generator=seeded())
    model.incremental_logits = lambda *arguments: PixelModel.incremental_logits(model, *arguments)
    assert torch.equal(sample(model, 6, image_size=(4, 5), generator=seeded()), fast)


# Accelerators


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize(
    "device",
    [
        pytest.param("cuda", marks=needs("a CUDA device", torch.cuda.is_available())),
        pytest.param("mps", marks=needs("an Apple GPU", torch.backends.mps.is_available())),
    ],
)
def test_an_accelerator_agrees_with_the_cpu(device, context):
    tokens = digits_like(40)
    results = {}
    for name in ("cpu", device):
        model = network(context, dropout=0.0).to(name)
        drawn = sample(model, 40, generator=seeded(1))
        losses = nll(model, tokens)
        history = fit(model, tokens, steps=20, generator=seeded(2), device=name, progress=False)
        results[name] = drawn, losses, torch.tensor(history.training_loss)
    for value, expected in zip(results[device][1:], results["cpu"][1:], strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-3)
    same = (results[device][0] == results["cpu"][0]).flatten(1).all(dim=1)
    assert same.float().mean() > 0.9  # a near tie may part two images for good
