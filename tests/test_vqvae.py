"""The VQ-VAE: codes and back, what its codebook does in training, and that `fit` trains it."""

import math

import pytest
import torch
from small_trainings import Killed, same_weights, seeded
from tiny_recipes import before_step

from pixelar_lib.data import load_mnist, missing_files
from pixelar_lib.models import VQVAE, Codebook, initialize, perplexity, straight_through
from pixelar_lib.models.vqvae import PIXEL_VARIANCE
from pixelar_lib.quantization import quantize
from pixelar_lib.training import fit

IMAGES = load_mnist("train").images[:96]


def small(grid=7, seed=0, **changes):
    arguments = {"num_codes": 24, "channels": 8, "code_size": 4} | changes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VQVAE(grid=grid, **arguments)


def in_use(grid=7, **changes):
    """Return one whose codes lie among the outputs: all but one die at the first step."""
    model = small(grid, **changes)
    with torch.no_grad():
        model.decoder[-1].bias.fill_(0.5)  # so that pictures are not all black
    model.training_loss(*model.prepare(IMAGES, None, seeded(9)))
    return model


def outputs(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


# Codes and back


@pytest.mark.parametrize("grid", [3, 7])
def test_images_become_codes_and_codes_become_images(grid):
    model = in_use(grid)
    tokens = model.encode(IMAGES)
    assert tokens.shape == (96, grid, grid) and tokens.dtype == torch.long
    assert 0 <= tokens.min() < tokens.max() < 24
    images = model.decode(tokens)
    assert images.shape == (96, 28, 28) and images.dtype == torch.float32
    assert 0 <= images.min() < images.max() <= 1
    assert not images.requires_grad and model.training  # as before
    assert model.encode(IMAGES[:0]).shape == (0, grid, grid)
    assert model.decode(tokens[:0]).shape == (0, 28, 28)


@pytest.mark.parametrize("grid", [3, 7])
def test_an_image_alone_is_what_it_is_in_a_batch(grid):
    model = in_use(grid)
    tokens = model.encode(IMAGES[:37])
    images = model.decode(tokens)
    for row in range(37):
        assert torch.equal(model.encode(IMAGES[row : row + 1])[0], tokens[row])
        assert torch.equal(model.decode(tokens[row : row + 1])[0], images[row])
    assert torch.equal(model.decode(model.encode(IMAGES[5:30])), images[5:30])


def test_levels_and_intensities_have_the_same_codes_and_any_integers_are_codes():
    model = in_use()
    tokens = model.encode(IMAGES)
    for kind in (torch.float32, torch.float64):
        assert torch.equal(model.encode(IMAGES.to(kind) / 255), tokens)
    assert torch.equal(model.decode(tokens.to(torch.uint8)), model.decode(tokens))


def test_codes_do_not_depend_on_the_mode():
    model = in_use()
    tokens, before = model.encode(IMAGES), model.codebook.vectors.clone()
    model.eval()
    assert torch.equal(model.encode(IMAGES), tokens) and not model.training
    assert torch.equal(model.codebook.vectors, before)


def test_each_code_describes_what_lies_around_its_place():
    model, images = small(), IMAGES[:1].repeat(2, 1, 1)
    images[1, :4, :4] = 255 - images[1, :4, :4]  # the corner of the first place
    found = model.outputs(images)
    changed = (found[0] != found[1]).any(dim=2)
    assert changed[0, 0] and not changed[4:].any() and not changed[:, 4:].any()


@pytest.mark.parametrize("grid", [3, 7])
@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (IMAGES[0], ValueError, r"\(N, 28, 28\), not \(28, 28\)"),
        (IMAGES[:, 1:], ValueError, r"\(N, 28, 28\), not \(96, 27, 28\)"),
        (IMAGES[None], ValueError, r"not \(1, 96, 28, 28\)"),
        (IMAGES.float(), ValueError, "Divide 8-bit levels by 255"),
        (IMAGES / 255 * math.nan, ValueError, "NaN"),
        (IMAGES.long(), TypeError, "give uint8 levels"),
        (quantize(IMAGES, 16), TypeError, "give uint8 levels"),
        ([1, 2], TypeError, "must be a torch.Tensor"),
    ],
)
def test_what_encode_refuses_and_fit_too(grid, images, error, words):
    with pytest.raises(error, match=words):
        small(grid).encode(images)
    if isinstance(images, torch.Tensor):
        with pytest.raises(error, match=words):
            fit(small(grid), images, steps=1, device="cpu")


def test_fit_refuses_labels():
    with pytest.raises(ValueError, match="learns from images alone"):
        fit(small(), IMAGES, torch.zeros(96).long(), steps=1, device="cpu")


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        (torch.zeros(2, 3, 3).long(), ValueError, r"\(N, 7, 7\).*not \(2, 3, 3\)"),
        (torch.zeros(7, 7).long(), ValueError, r"not \(7, 7\)"),
        (torch.zeros(2, 28, 28).long(), ValueError, r"not \(2, 28, 28\)"),
        (torch.full((2, 7, 7), 24), ValueError, "range from 24 to 24.*0 to 23"),
        (torch.full((2, 7, 7), -1), ValueError, "-1"),
        (torch.zeros(2, 7, 7), TypeError, "float32"),
        (None, TypeError, "NoneType"),
    ],
)
def test_what_decode_refuses(tokens, error, words):
    with pytest.raises(error, match=words):
        small().decode(tokens)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"grid": 5}, ValueError, "grid is 5; choose 7"),
        ({"grid": 7.0}, TypeError, "grid must be an int"),
        ({"num_codes": 1}, ValueError, "num_codes is 1"),
        ({"channels": 1}, ValueError, "channels is 1"),
        ({"code_size": 0}, ValueError, "code_size is 0"),
        ({"commitment": -1}, ValueError, "commitment is -1"),
        ({"commitment": math.nan}, ValueError, "commitment is nan"),
    ],
)
def test_settings_that_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        small(**changes)


# The codebook


def test_nearest_is_the_smallest_of_all_distances_and_the_first_of_equal_ones():
    codebook = Codebook(9, 3)
    found = outputs(5, 4, 3)
    distances = (found[..., None, :] - codebook.vectors).square().sum(dim=-1)
    torch.testing.assert_close(codebook.distances(found), distances)
    assert torch.equal(codebook.nearest(found), distances.argmin(dim=-1))
    codebook.vectors[4] = codebook.vectors[2]
    assert int(codebook.nearest(codebook.vectors[4])) == 2


def test_distances_are_exact_where_products_have_16_bits():
    codebook = Codebook(200, 8)
    found = outputs(50, 8)
    expected = (found[:, None] - codebook.vectors).square().sum(dim=-1)
    with torch.autocast("cpu", torch.bfloat16):
        distances = codebook.distances(found)
        assert (found @ found.T).dtype == torch.bfloat16
    assert distances.dtype == torch.float32
    torch.testing.assert_close(distances, expected)


def test_gradient_goes_straight_through_the_choice():
    found, weights = outputs(6, 3).requires_grad_(), outputs(6, 3, seed=1)
    chosen = outputs(6, 3, seed=2)
    passed = straight_through(found, chosen)
    torch.testing.assert_close(passed, chosen)
    (passed * weights).sum().backward()
    assert torch.equal(found.grad, weights)


def test_encoder_learns_from_the_error_and_from_the_commitment():
    grads = {}
    for commitment in (0.0, 0.25, 0.5):
        model = small(commitment=commitment)
        model.eval().training_loss(*model.prepare(IMAGES, None, seeded())).backward()
        grads[commitment] = model.encoder[0].weight.grad
    assert grads[0.0].abs().max() > 0
    torch.testing.assert_close(grads[0.5] - grads[0.25], grads[0.25] - grads[0.0])
    assert (grads[0.5] - grads[0.0]).abs().max() > 0


def test_codes_are_moving_averages_of_the_outputs_that_chose_them():
    codebook = Codebook(5, 2, revive=False)
    first, second = outputs(40, 2), outputs(40, 2, seed=1)
    start = codebook.vectors.clone()
    counts, totals = torch.zeros(5), torch.zeros(5, 2)
    for found in (first, second):
        tokens = codebook.nearest(found)
        for code in range(5):
            mine = found[tokens == code]
            counts[code] = 0.99 * counts[code] + 0.01 * len(mine)
            totals[code] = 0.99 * totals[code] + 0.01 * mine.sum(dim=0)
        codebook.update(found, tokens, torch.rand(40))
        torch.testing.assert_close(codebook.count, counts)
        torch.testing.assert_close(codebook.total, totals)
        used = counts > 0
        torch.testing.assert_close(codebook.vectors[used], (totals / counts[:, None])[used])
        assert torch.equal(codebook.vectors[~used], start[~used])
    assert used.sum() >= 3


def test_dead_codes_restart_where_the_noise_is_largest():
    codebook = Codebook(4, 2)
    codebook.count.copy_(torch.tensor([5.0, 0.45, 0.46, 0.0]))  # 0.3 times 6 / 4 is 0.45
    codebook.total.copy_(codebook.vectors * codebook.count[:, None])
    found = codebook.vectors[0] + 0.01 * outputs(6, 2)
    tokens = torch.zeros(6).long()
    codebook.update(found, tokens, torch.tensor([0.1, 0.9, 0.2, 0.3, 0.8, 0.0]))
    assert torch.equal(codebook.vectors[1], found[1])
    assert torch.equal(codebook.vectors[3], found[4])
    assert codebook.count[1] == codebook.count[3] == 1.5
    assert torch.equal(codebook.total[1], 1.5 * found[1])
    assert codebook.count[2] == pytest.approx(0.99 * 0.46)  # alive


def test_many_dead_codes_share_few_outputs_and_without_revival_they_stay():
    for revive in (True, False):
        codebook = Codebook(7, 2, revive=revive)
        before, found = codebook.vectors.clone(), outputs(2, 2)
        codebook.update(found, torch.zeros(2).long(), torch.tensor([0.2, 0.7]))
        if revive:
            assert torch.equal(codebook.vectors, found[[1, 0, 1, 0, 1, 0, 1]])
        else:
            assert torch.equal(codebook.vectors[1:], before[1:])


@pytest.mark.parametrize("weight", [math.nan, 1e25])  # 1e25: finite, but its square is not
def test_a_loss_that_is_not_finite_moves_no_code(weight):
    model = small()
    before = {name: value.clone() for name, value in model.codebook.state_dict().items()}
    with torch.no_grad():
        model.encoder[-1].bias[0] = weight
    batch = model.prepare(IMAGES, None, seeded())
    assert not model.training_loss(*batch).isfinite()
    assert all(torch.equal(model.codebook.state_dict()[name], before[name]) for name in before)


def test_only_training_moves_codes_and_all_randomness_is_prepared():
    model = small()
    batch, state = model.prepare(IMAGES, None, seeded(4)), torch.get_rng_state()
    assert [len(part) for part in batch] == [96, 96]
    again = model.prepare(IMAGES, None, seeded(4))
    assert all(torch.equal(*pair) for pair in zip(batch, again, strict=True))
    before = model.codebook.vectors.clone()
    model.eval().training_loss(*batch)
    assert torch.equal(model.codebook.vectors, before)
    model.train().training_loss(*batch)
    assert not torch.equal(model.codebook.vectors, before)
    assert torch.equal(torch.get_rng_state(), state)


# How many codes are in use


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (torch.arange(8).repeat(3), 8),
        (torch.zeros(5, 7, 7).long(), 1),
        (torch.tensor([0, 0, 1, 2]), 2**1.5),
        (torch.tensor([3, 4], dtype=torch.uint8), 2),
    ],
)
def test_perplexity(tokens, expected):
    assert perplexity(tokens, 8) == pytest.approx(expected, rel=1e-12)


def test_perplexity_of_few_tokens_is_smaller():
    tokens = torch.randint(100, (50_000,), generator=seeded())
    assert perplexity(tokens[:49], 100) < 49 < 99 < perplexity(tokens, 100) <= 100


def test_what_perplexity_refuses():
    with pytest.raises(ValueError, match="no tokens"):
        perplexity(torch.zeros(0).long(), 8)
    with pytest.raises(ValueError, match="0 to 7"):
        perplexity(torch.tensor([8]), 8)
    with pytest.raises(TypeError):
        perplexity(torch.tensor([0.5]), 8)


# Training


def train(model, **changes):
    settings = {"steps": 300, "batch_size": 8, "learning_rate": 4e-3, "held_out": IMAGES[:32]}
    settings |= {"generator": seeded(1), "device": "cpu", "progress": False} | changes
    return fit(model, IMAGES, **settings)


@pytest.mark.parametrize("grid", [3, 7])
def test_fit_trains_it(grid):
    model = small(grid, channels=16, code_size=8)
    history = train(model)
    assert history.held_out_loss[-1] < 0.6 * history.held_out_loss[0]
    difference = model.decode(model.encode(IMAGES)) - IMAGES / 255
    errors = difference.square().mean(dim=(1, 2)) / PIXEL_VARIANCE
    torch.testing.assert_close(model.held_out_loss(IMAGES, None), errors)
    assert float(errors[:32].mean()) == pytest.approx(history.held_out_loss[-1])


def test_without_revival_most_codes_are_never_used():
    used = {}
    for revive in (True, False):
        model = small(num_codes=64, channels=16, code_size=8, revive=revive)
        train(model)
        used[revive] = len(model.encode(IMAGES).unique())
    assert used[True] > 48 and used[False] < 24


def test_initialize_draws_codes_too():
    model = small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, steps=2)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        initialize(model)
    assert not model.codebook.count.any() and not model.codebook.total.any()
    for name, value in model.state_dict().items():
        assert name.startswith("codebook.") or not torch.equal(value, before[name])
    assert not torch.equal(model.codebook.vectors, before["codebook.vectors"])


def test_weights_that_were_loaded_are_not_lost_unasked():
    model = small()
    model.load_state_dict(small(seed=1).state_dict())
    with pytest.raises(ValueError, match="was trained or loaded before"):
        train(model, steps=1)


def test_killed_training_resumes_to_the_same_codes(tmp_path):
    def kill():
        raise Killed

    arguments = {"steps": 12, "checkpoint": tmp_path / "training.pt", "checkpoint_every": 3}
    whole, broken = small(), small()
    expected = train(whole, steps=12)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        before_step(patch, VQVAE, 8, kill)
        train(broken, **arguments)
    resumed = small(seed=3)
    assert train(resumed, **arguments) == expected
    assert same_weights(resumed, whole)


def test_variance_is_that_of_the_training_images():
    if missing_files():
        pytest.skip("needs the full MNIST, see PIXELAR_DATA")
    intensities = load_mnist("train", "full").images.double() / 255
    assert float(intensities.var(correction=0)) == pytest.approx(PIXEL_VARIANCE, abs=1e-5)


def test_variance_is_near_that_of_the_bundled_training_images():
    intensities = load_mnist("train").images.double() / 255
    assert float(intensities.var(correction=0)) == pytest.approx(PIXEL_VARIANCE, rel=0.01)
