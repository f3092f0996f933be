"""The contract of all pixel models, and what is particular to each."""

import pytest
import torch
from models_under_test import (
    MODELS,
    ToyModel,
    all_images,
    build,
    labels_for,
    pixel_probabilities,
    some_tokens,
)

from pixelar_lib.context import neighbourhood, raster
from pixelar_lib.evaluation import evaluate, nll
from pixelar_lib.models import CategoricalPixelPredictor, PixelModel, WindowModel, evaluating
from pixelar_lib.sampling import sample

SMALL, MNIST = (4, 5), (28, 28)
CORNERS_AND_EDGES = [
    *[(0, 0), (0, 1), (0, 13), (0, 27), (1, 0), (5, 0), (13, 0)],
    *[(13, 27), (14, 14), (27, 0), (27, 13), (27, 26), (27, 27)],
]

each_model = pytest.mark.parametrize("name", MODELS)
each_model_with_embedding = pytest.mark.parametrize(
    "name", [name for name in MODELS if type(build(name)).embed is not PixelModel.embed]
)


def every_pixel(size):
    return [(row, column) for row in range(size[0]) for column in range(size[1])]


# Causality


def assert_predictions_ignore_what_follows(model, size, pixels):
    """Change what is at or after each pixel: the pixel alone, the next one, all of it."""
    num_pixels = size[0] * size[1]
    image = some_tokens(1, size, model.num_bins, seed=1).flatten()
    others = (image + 1) % model.num_bins
    flat, variants = [row * size[1] + column for row, column in pixels], [image]
    for pixel in flat:
        for end in (pixel + 1, num_pixels):
            variants.append(torch.cat([image[:pixel], others[pixel:end], image[end:]]))
        following = min(pixel + 1, num_pixels - 1)
        variants.append(torch.where(torch.arange(num_pixels) == following, others, image))
    tokens = torch.stack(variants).view(-1, *size)
    labels = None if model.num_classes is None else torch.ones(len(tokens), dtype=torch.long)
    with torch.no_grad():
        logits = model(tokens, labels).flatten(2)  # (1 + 3 P, K, H W)
    for number, pixel in enumerate(flat):
        changed = logits[1 + 3 * number : 4 + 3 * number, :, pixel]
        torch.testing.assert_close(changed, logits[:1, :, pixel].expand(3, -1), rtol=0, atol=1e-5)


def influences(model, pixel, size):
    """Return bool (H, W): where the embedded tokens have any gradient from one prediction."""
    embedded = model.embed(some_tokens(1, size, model.num_bins, seed=2)).detach().requires_grad_()
    logits = model.predict(embedded, labels_for(model, 1))[0, :, pixel[0], pixel[1]]
    weights = torch.linspace(1, 2, model.num_bins)
    (gradient,) = torch.autograd.grad((logits * weights).sum(), embedded)
    return (gradient[0] != 0).any(dim=-1)


def assert_gradient_is_the_receptive_field(model, size, pixels):
    order = torch.arange(size[0] * size[1]).view(size)
    for row, column in pixels:
        seen = influences(model, (row, column), size)
        assert not seen[order >= row * size[1] + column].any(), "it sees what follows"
        field = model.receptive_field(row, column, *size)
        assert torch.equal(seen, field), f"at {(row, column)} it sees\n{seen}, not\n{field}"


@each_model
@pytest.mark.parametrize(
    ("size", "pixels"), [(SMALL, every_pixel(SMALL)), (MNIST, CORNERS_AND_EDGES)]
)
def test_tokens_at_or_after_a_pixel_leave_its_logits_unchanged(name, size, pixels):
    assert_predictions_ignore_what_follows(build(name, 3, size), size, pixels)


@each_model_with_embedding
@pytest.mark.parametrize(
    ("size", "pixels"), [(SMALL, every_pixel(SMALL)), (MNIST, CORNERS_AND_EDGES)]
)
def test_gradient_reaches_the_receptive_field_and_nothing_else(name, size, pixels):
    assert_gradient_is_the_receptive_field(build(name, 3, size), size, pixels)


def test_both_causality_tests_catch_a_model_that_sees_the_pixel_itself():
    leaky = ToyModel(3, shift=0)
    with pytest.raises(AssertionError, match="not close"):
        assert_predictions_ignore_what_follows(leaky, SMALL, every_pixel(SMALL))
    with pytest.raises(AssertionError, match="sees what follows"):
        assert_gradient_is_the_receptive_field(leaky, SMALL, every_pixel(SMALL))


def test_gradient_test_catches_a_receptive_field_that_is_stated_too_wide():
    model = build("post")
    model.receptive_field = lambda row, column, height, width: PixelModel.receptive_field(
        model, row, column, height, width
    )
    with pytest.raises(AssertionError, match="not"):
        assert_gradient_is_the_receptive_field(model, SMALL, every_pixel(SMALL))


@each_model
def test_receptive_field_holds_only_earlier_pixels(name):
    model = build(name)
    order = torch.arange(20).view(SMALL)
    for row, column in every_pixel(SMALL):
        field = model.receptive_field(row, column, *SMALL)
        assert field.dtype == torch.bool and field.shape == SMALL
        assert not field[order >= order[row, column]].any()
    for row, column in [(4, 0), (0, 5), (-1, 0), (0, -1)]:
        with pytest.raises(ValueError, match=rf"pixel \({row}, {column}\) is outside .* 4 x 5"):
            model.receptive_field(row, column, *SMALL)


# The rest of the contract


@each_model
@pytest.mark.parametrize("size", [(1, 1), SMALL, MNIST])
def test_logits_have_one_row_of_bins_for_each_pixel(name, size):
    model = build(name, 4, size)
    logits = model(some_tokens(3, size, 4), labels_for(model, 3))
    assert logits.shape == (3, 4, *size)
    assert logits.is_floating_point() and bool(logits.isfinite().all())


@each_model
@pytest.mark.parametrize("num_bins", [2, 3])
def test_probabilities_of_all_images_sum_to_one(name, num_bins):
    size = (2, 2)
    model = build(name, num_bins, size)
    images = all_images(num_bins, size)
    assert len(images) == num_bins**4
    for label in range(model.num_classes) if model.num_classes else [None]:
        probabilities = pixel_probabilities(model, images, label).flatten(1).prod(dim=1)
        assert float(probabilities.sum()) == pytest.approx(1, abs=1e-5)


@each_model
def test_incremental_logits_equal_forward(name):
    model = build(name)
    images = some_tokens(3, SMALL, 3, seed=4)
    labels = labels_for(model, 3)
    buffer = torch.zeros_like(images)
    with torch.no_grad():
        expected = model(images, labels).flatten(2)
        logits_of = model.incremental_logits(buffer, labels)
        for pixel in range(20):
            torch.testing.assert_close(logits_of(pixel), expected[:, :, pixel], rtol=0, atol=1e-5)
            buffer.view(3, -1)[:, pixel] = images.view(3, -1)[:, pixel]


@each_model_with_embedding
def test_forward_equals_predict_after_embed(name):
    model = build(name)
    tokens, labels = some_tokens(2, SMALL, 3), labels_for(model, 2)
    torch.testing.assert_close(model(tokens, labels), model.predict(model.embed(tokens), labels))


@each_model
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_all_integer_dtypes_give_the_same_logits(name, dtype):
    model = build(name)
    tokens, labels = some_tokens(2, SMALL, 3), labels_for(model, 2)
    assert torch.equal(model(tokens.to(dtype), labels), model(tokens, labels))


def training_loss(model, tokens, labels):
    """Return the loss of a training step on these images."""
    batch = model.prepare(tokens, labels, torch.Generator().manual_seed(5))
    assert all(len(part) == len(tokens) for part in batch)  # so that processes can share it
    return model.training_loss(*batch)


@each_model
def test_training_loss_is_repeated_by_the_same_generator(name):
    model = build(name)
    tokens, labels = some_tokens(4, SMALL, 3), labels_for(model, 4)
    losses = [training_loss(model, tokens, labels) for _ in range(2)]
    assert losses[0].shape == () and bool(losses[0].isfinite())
    assert torch.equal(*losses)


@each_model
def test_training_loss_estimates_the_loss_over_all_pixels(name):
    model = build(name)
    tokens, labels = some_tokens(4, SMALL, 3), labels_for(model, 4)
    model.windows_per_image = 5000
    loss = float(training_loss(model, tokens, labels).detach())
    assert loss == pytest.approx(evaluate(model, tokens, labels).nats_per_pixel, abs=0.01)


@each_model
def test_bad_tokens_are_refused_with_what_to_do(name):
    model = build(name)
    labels = labels_for(model, 2)
    tokens = some_tokens(2, SMALL, 3)
    for bad, error, message in [
        (tokens.float(), TypeError, "quantize"),
        (tokens.bool(), TypeError, "torch.bool"),
        (tokens.tolist(), TypeError, "not list"),
        (tokens[0], ValueError, r"\(4, 5\); tokens\[None\] makes a batch"),
        (tokens[:, :0], ValueError, "H and W at least 1"),
        (tokens + 1, ValueError, "they must be 0 to 2"),
        (tokens - 1, ValueError, "range from -1"),
    ]:
        with pytest.raises(error, match=message):
            model(bad, labels)


@each_model
def test_labels_are_required_by_conditional_models_and_refused_by_others(name):
    model = build(name)
    tokens = some_tokens(2, SMALL, 3)
    if model.num_classes is None:
        with pytest.raises(ValueError, match=f"{type(model).__name__} has no labels"):
            model(tokens, torch.tensor([0, 1]))
        with pytest.raises(ValueError, match=f"{type(model).__name__} has no labels"):
            model.incremental_logits(tokens, torch.tensor([0, 1]))(0)
        return
    for labels, error, message in [
        (None, ValueError, r"is conditional: give labels, a long tensor \(2,\).* 0 to 2"),
        ([0, 1], TypeError, r"must be a long tensor \(2,\), not list"),
        (torch.tensor([0.0, 1.0]), TypeError, "must be a long tensor .* not torch.float32"),
        (torch.tensor([0, 1, 2]), ValueError, r"shape \(2,\), not \(3,\)"),
        (torch.tensor([0, 3]), ValueError, "range from 0 to 3; this model's labels must be 0 to 2"),
        (torch.tensor([-1, 0]), ValueError, "labels must be 0 to 2"),
    ]:
        with pytest.raises(error, match=message):
            model(tokens, labels)


@pytest.mark.parametrize("name", [name for name in MODELS if "conditional" in name])
def test_labels_change_the_prediction_of_a_conditional_model(name):
    model, tokens = build(name), some_tokens(1, SMALL, 3)
    first, second = (model(tokens, torch.tensor([label])) for label in (0, 1))
    assert not torch.allclose(first, second)


@each_model
def test_held_out_loss_is_that_of_each_image(name):
    model = build(name)
    tokens, labels = some_tokens(5, SMALL, 3), labels_for(model, 5)
    found = model.held_out_loss(tokens, labels)
    torch.testing.assert_close(found, nll(model, tokens, labels).double().mean(dim=(1, 2)))


def test_model_of_one_image_size_refuses_another():
    model = build("frequencies", 3, (4, 5))
    with pytest.raises(ValueError, match=r"built for images of \(4, 5\), but .* \(5, 4\)"):
        model(some_tokens(2, (5, 4), 3))


@pytest.mark.parametrize("num_bins", [1, 0, -3])
def test_number_of_bins_is_checked(num_bins):
    with pytest.raises(ValueError, match="it must be at least 2"):
        CategoricalPixelPredictor(num_bins)


@each_model
def test_a_model_may_have_more_tokens_than_grey_levels(name):
    model = build(name, 300, (3, 3))
    tokens, labels = some_tokens(2, (3, 3), 300), labels_for(model, 2)
    assert int(tokens.max()) > 255
    assert nll(model, tokens, labels).isfinite().all()
    drawn = sample(model, 2, image_size=3, labels=labels)
    assert drawn.shape == (2, 3, 3) and int(drawn.max()) < 300


def test_what_a_subclass_forgot_is_named():
    class Forgetful(PixelModel):
        pass

    class ForgetfulWindow(WindowModel):
        pass

    tokens = some_tokens(1, SMALL, 3)
    with pytest.raises(NotImplementedError, match="Forgetful does not implement embed"):
        Forgetful(3)(tokens)
    with pytest.raises(NotImplementedError, match="Forgetful does not implement predict"):
        Forgetful(3).predict(torch.zeros(1, 4, 5, 2))
    with pytest.raises(NotImplementedError, match="ForgetfulWindow does not implement"):
        ForgetfulWindow(3, raster(2))(tokens)


def test_device_is_that_of_parameters_or_buffers_else_the_cpu():
    assert build("uniform").device == torch.device("cpu")
    assert build("frequencies").to("meta").device == torch.device("meta")
    assert build("post").to("meta").device == torch.device("meta")


# Modes


def modes(model):
    return [module.training for module in model.modules()]


def half_frozen_model():
    model = build("post").train()
    model.layers[2].eval()  # one dropout layer off, the other on
    assert len(set(modes(model))) == 2
    return model


@pytest.mark.parametrize(
    "use",
    [
        lambda model: nll(model, some_tokens(2, SMALL, 3)),
        lambda model: sample(model, 2, image_size=SMALL),
    ],
    ids=["evaluation", "sampling"],
)
def test_dropout_is_off_in_use_and_each_module_gets_its_own_mode_back(use):
    model = half_frozen_model()
    before = modes(model)
    first, second = use(model), use(model)
    assert modes(model) == before
    assert torch.equal(first, second)
    assert torch.equal(first, use(model.eval()))


def test_modes_and_gradients_come_back_after_an_error():
    model = half_frozen_model()
    before = modes(model)
    with pytest.raises(KeyError), evaluating(model):
        assert not any(modes(model)) and not torch.is_grad_enabled()
        raise KeyError
    assert modes(model) == before and torch.is_grad_enabled()


def test_parameters_that_training_cannot_change_do_not_count():
    model = build("post")
    before = model.num_parameters
    model.embedding.requires_grad_(False)
    assert model.num_parameters == before - model.embedding.weight.numel()


# The post's network


def test_post_network_has_152624_parameters():
    embedding, first, second, last = 17 * 32, 320 * 256 + 256, 256 * 256 + 256, 256 * 16 + 16
    assert embedding + first + second + last == 152_624
    assert CategoricalPixelPredictor().num_parameters == 152_624


def test_context_overrides_context_length():
    model = CategoricalPixelPredictor(context_length=10, context=neighbourhood(3))
    assert model.context == neighbourhood(3)
    assert model.layers[0].in_features == 24 * 32


def test_first_pixel_is_predicted_from_start_tokens_alone():
    model = build("post")
    tokens = some_tokens(1, SMALL, 3)
    before = model(tokens)
    with torch.no_grad():
        model.embedding.weight[model.start_token] += 1
    after = model(tokens)
    assert model.start_token == 3
    assert not torch.allclose(before[..., 0, 0], after[..., 0, 0])
    assert torch.allclose(before[..., 3, 4], after[..., 3, 4])  # 19 pixels stand before it


def test_dropout_is_on_in_training_and_off_in_evaluation():
    model, tokens = build("post"), some_tokens(1, SMALL, 3)
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))


def test_printing_a_window_model_shows_its_context():
    assert "context=Raster(length=10), windows_per_image=8" in repr(build("post"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dropout": 1.0}, ValueError, "dropout is 1.0; choose a share from 0 to below 1"),
        ({"dropout": -0.1}, ValueError, "dropout is -0.1"),
        ({"dropout": float("nan")}, ValueError, "dropout is nan"),
        ({"embedding_dim": 0}, ValueError, "embedding_dim is 0; it must be at least 1"),
        ({"hidden_size": -1}, ValueError, "hidden_size is -1; it must be at least 1"),
        ({"hidden_size": 2.5}, TypeError, "hidden_size must be an int, not float"),
        ({"context_length": 0}, ValueError, "k is 0; it must be at least 1"),
        ({"context": 10}, TypeError, "context is 10; make one with raster or neighbourhood"),
        ({"num_bins": "16"}, TypeError, "num_bins must be an int, not str"),
        ({"num_classes": -2}, ValueError, "num_classes is -2; it must be at least 1"),
    ],
)
def test_post_network_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        CategoricalPixelPredictor(**arguments)
