"""What recipes train in place of a pixel model: the batches it prepares, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from models_under_test import build, labels_for, some_tokens
from small_trainings import STRIPES, mlp, same_weights, seeded, train

from experiments.recipes import Recipe
from experiments.trainables import FixedWindows, Redrawing, Wrapped, fixed_windows
from pixelar_lib import data
from pixelar_lib.context import targets, windows
from pixelar_lib.evaluation import nll
from pixelar_lib.zoo import DATA_KINDS, to_tokens

SIZE = (4, 5)
GREY = some_tokens(9, SIZE, 256).to(torch.uint8)
RANDOM = [name for name, kind in DATA_KINDS.items() if kind.is_random]
PLAIN = ["post", "conditional post", "pixelcnn", "conditional pixelcnn", "toy"]


@pytest.mark.parametrize("name", PLAIN)
def test_a_wrapped_model_is_trained_as_the_model_is(name):
    one, other = build(name), build(name)
    tokens = some_tokens(9, SIZE, 3)
    data = {"inputs": tokens, "labels": labels_for(one, 9)}
    data |= {"held_out": tokens, "held_out_labels": data["labels"]}
    assert train(one, **data) == train(Wrapped(other), **data)
    assert same_weights(one, other)


# Images that become other tokens at each step


@pytest.mark.parametrize("data", RANDOM)
@pytest.mark.parametrize("name", PLAIN)
def test_images_are_redrawn_at_each_step_and_alike_at_each_look(name, data):
    model, kind = build(name, num_bins=2), DATA_KINDS[data]
    learner, labels = Redrawing(model, kind), labels_for(model, 9)
    learner.check_input(GREY, labels)
    one, other = (learner.prepare(GREY, labels, seeded(seed)) for seed in (1, 2))
    assert not torch.equal(one[0], other[0])
    generator = seeded(1)
    tokens = kind.to_tokens(GREY, 2, generator)
    expected = model.prepare(tokens, labels, generator)  # the model's own draws come after
    for found, part in zip(one, expected, strict=True):
        assert torch.equal(found, part)
    assert torch.equal(learner.training_loss(*one), model.training_loss(*expected))
    looked_at = [learner.held_out_loss(GREY, labels) for _ in range(2)]
    assert torch.equal(*looked_at)
    per_image = nll(model, to_tokens(GREY, 2, data), labels).double().mean(dim=(1, 2))
    torch.testing.assert_close(looked_at[0], per_image)


def test_redrawn_images_are_refused_where_the_model_refuses_their_tokens():
    learner = Redrawing(build("conditional pixelcnn", num_bins=2), DATA_KINDS["binarized"])
    with pytest.raises(ValueError, match="conditional: give labels"):
        learner.check_input(GREY)
    learner = Redrawing(build("pixelcnn", num_bins=2), DATA_KINDS["binarized"])
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        learner.check_input(GREY[0])


def test_a_share_of_the_images_is_moved():
    model, kind, images = (
        build("pixelcnn", num_bins=16),
        DATA_KINDS["grey"],
        data.load_mnist("test").images[:60],
    )
    for share, fewest, most in ((0.0, 0, 0), (0.5, 15, 45), (1.0, 60, 60)):
        learner = Redrawing(model, kind, share)
        (tokens,) = (part for part in learner.prepare(images, None, seeded()) if part is not None)
        moved = (tokens != to_tokens(images, 16, "grey")).flatten(1).any(dim=1)
        assert fewest <= int(moved.sum()) <= most
        one, other = (learner.held_out_loss(images[:2]) for _ in range(2))
        assert torch.equal(one, other)  # looks see them as they are
        torch.testing.assert_close(one, model.held_out_loss(to_tokens(images[:2], 16, "grey")))


# Windows that were cut beforehand


def test_windows_are_those_of_the_first_images_in_random_order():
    model, tokens = mlp(), some_tokens(9, SIZE, 3)
    pairs = fixed_windows(model, tokens, Recipe("", num_windows=50), seeded(3))
    order = torch.randperm(9, generator=seeded(3))[:3]  # 50 windows of 20 pixels each
    assert pairs.shape == (50, 5) and pairs.dtype == torch.uint8
    contexts = windows(tokens[order], model.context, model.start_token).flatten(0, 1)
    assert torch.equal(pairs[:, :-1].long(), contexts[:50])
    assert torch.equal(pairs[:, -1].long(), targets(tokens[order]).flatten()[:50])


def test_fixed_windows_are_trained_on_as_they_are():
    model, generator = mlp(dropout=0.0), seeded()
    learner, every = FixedWindows(model), Recipe("", num_windows=STRIPES.numel())
    pairs = fixed_windows(model, STRIPES, every, generator)
    before = generator.get_state()
    batch = learner.prepare(pairs, None, generator)
    assert torch.equal(generator.get_state(), before)  # nothing is random
    assert [part.dtype for part in batch] == [torch.long] * 2
    expected = F.cross_entropy(model(STRIPES), STRIPES)  # each of its windows is there once
    torch.testing.assert_close(learner.training_loss(*batch), expected)
    history = train(learner, inputs=pairs, held_out=STRIPES, steps=60, learning_rate=0.03)
    per_image = nll(model, STRIPES).double().mean(dim=(1, 2))
    torch.testing.assert_close(learner.held_out_loss(STRIPES), per_image)
    assert history.held_out_loss[-1] == pytest.approx(float(per_image.mean()))
    assert history.held_out_loss[-1] < 0.3 * history.held_out_loss[0]


def test_held_out_images_are_checked_beside_fixed_windows():
    learner = FixedWindows(mlp())
    with pytest.raises(ValueError, match="range from 0 to 9"):
        learner.check_input(torch.arange(20).view(1, *SIZE) % 10)
