"""What is said of drawings by what a classifier reads in them, on sets with a known answer."""

import math

import pytest
import torch

from pixelar_lib.quality import class_entropy, confidence, coverage, features, frechet_distance


def points(count, seed=0, size=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=generator, dtype=torch.float64)


def with_moments(mean, covariance, count=400):
    """Return vectors whose mean and covariance are exactly those that are given."""
    some = points(count, seed=count, size=len(mean))
    some = some - some.mean(dim=0)
    white = some @ torch.linalg.inv(torch.linalg.cholesky(some.t().cov())).t()
    return white @ torch.linalg.cholesky(covariance).t() + mean


# Confidence, and the classes that are there


def test_confidence_is_one_of_a_sure_reading_and_one_tenth_of_a_blind_one():
    assert confidence(torch.eye(10)) == 1
    assert confidence(torch.full((4, 10), 0.1)) == pytest.approx(0.1)
    assert confidence(torch.tensor([[0.9, 0.1], [0.3, 0.7]])) == pytest.approx(0.8)


def test_entropy_of_one_class_of_two_and_of_ten():
    assert class_entropy(torch.full((50,), 7)) == 0
    assert class_entropy(torch.tensor([1, 4, 4, 1])) == pytest.approx(math.log(2))
    assert class_entropy(torch.arange(100) % 10) == pytest.approx(math.log(10))
    uneven = torch.tensor([0, 0, 0, 1])
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert class_entropy(uneven, num_classes=2) == pytest.approx(expected)


# The Fréchet distance


def test_of_the_same_set_twice_it_is_zero_in_any_order():
    some = points(50)
    assert frechet_distance(some, some) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(some, some.flip(0)) == pytest.approx(0, abs=1e-12)


def test_of_numbers_it_is_that_of_their_means_and_deviations():
    one, two = torch.tensor([[-1.0], [1.0]]), torch.tensor([[1.0], [7.0]])  # variances 2 and 18
    assert frechet_distance(one, two) == pytest.approx(4**2 + 2 + 18 - 2 * 6)


def test_of_known_gaussians():
    """Covariances that share their axes: the squared difference of the standard deviations."""
    mean = torch.tensor([1.0, -2.0, 0.5]).double()
    one = with_moments(torch.zeros(3).double(), torch.diag(torch.tensor([1.0, 4.0, 9.0]).double()))
    two = with_moments(mean, torch.diag(torch.tensor([4.0, 4.0, 1.0]).double()), count=300)
    expected = float(mean.square().sum()) + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert frechet_distance(one, two) == pytest.approx(expected)
    assert frechet_distance(two, one) == pytest.approx(expected)


def test_of_covariances_that_share_no_axis():
    """For 2 x 2 matrices, tr (A B)^(1/2) = (tr A B + 2 (det A B)^(1/2))^(1/2)."""
    a = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double()
    b = torch.tensor([[5.0, -2.0], [-2.0, 1.0]]).double()
    both = a @ b
    root = torch.sqrt(both.trace() + 2 * torch.linalg.det(both).sqrt())
    expected = float(a.trace() + b.trace() - 2 * root)
    zero = torch.zeros(2).double()
    found = frechet_distance(with_moments(zero, a), with_moments(zero, b, count=77))
    assert found == pytest.approx(expected)


def test_of_vectors_that_leave_an_axis_out():
    flat = points(60) * torch.tensor([1.0, 2.0, 0.0]).double()
    moved = flat + torch.tensor([0.0, 0.0, 2.0]).double()
    assert frechet_distance(flat, moved) == pytest.approx(4)


# Coverage


def test_the_same_set_covers_all_and_a_distant_one_nothing():
    some = points(40)
    assert coverage(some, some) == 1
    assert coverage(some, some + 100) == 0


def test_copies_of_one_cover_few():
    some = points(200)
    clones = some[:1].expand(200, -1)
    assert 0 < coverage(some, clones) < 0.15


def test_one_of_two_clusters_covers_half():
    one, other = points(50), points(50, seed=1) + 100
    real = torch.cat([one, other])
    assert coverage(real, points(400, seed=2)) == pytest.approx(0.5, abs=0.03)
    assert coverage(real, one) == 0.5


def test_another_set_of_the_same_distribution_covers_what_the_paper_expects():
    """1 - (N - 1) ... (N - k) / ((2 N - 1) ... (2 N - k)), in its analysis."""
    count, k = 1000, 5
    expected = 1 - math.prod((count - i) / (2 * count - i) for i in range(1, k + 1))
    assert expected == pytest.approx(1 - 2**-k, abs=0.001)
    assert coverage(points(count), points(count, seed=1), k) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_like_a_slow_loop(monkeypatch, neighbours):
    monkeypatch.setattr(features, "POINTS_PER_CHUNK", 7)
    real, drawn = points(30), 1.5 * points(20, seed=1)
    covered = 0
    for index, point in enumerate(real):
        others = torch.cat([real[:index], real[index + 1 :]])
        radius = (others - point).norm(dim=1).sort().values[neighbours - 1]
        covered += bool(((drawn - point).norm(dim=1) <= radius).any())
    assert 0 < covered < 30
    assert coverage(real, drawn, neighbours) == covered / 30


# Errors


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: confidence(torch.eye(3)[0]), ValueError, r"shape \(N, F\), N at least 1"),
        (lambda: confidence(torch.zeros(0, 10)), ValueError, "N at least 1"),
        (lambda: confidence(torch.ones(2, 2).long()), TypeError, "probabilities .* float tensor"),
        (lambda: class_entropy(torch.arange(11)), ValueError, "tokens range from 0 to 10"),
        (lambda: class_entropy(torch.arange(0)), ValueError, r"labels must have shape \(N,\)"),
        (lambda: class_entropy(torch.zeros(2, 2).long()), ValueError, r"\(2, 2\)"),
        (lambda: class_entropy(torch.rand(4)), TypeError, "float32"),
        (lambda: frechet_distance(points(9), points(9, size=4)), ValueError, "3 and 4 features"),
        (lambda: frechet_distance(points(9), points(3)), ValueError, "too few .* at least 4"),
        (lambda: frechet_distance(points(9), points(9) / 0), ValueError, "second set must be fin"),
        (lambda: frechet_distance([[1.0]], points(9)), TypeError, "first set must be a float"),
        (lambda: coverage(points(5), points(9)), ValueError, "no 5 neighbours; give at least 6"),
        (lambda: coverage(points(9), points(0)), ValueError, "second set .* at least 1"),
        (lambda: coverage(points(9), points(9), 0), ValueError, "neighbours is 0"),
        (lambda: coverage(points(9), points(9), 1.5), TypeError, "neighbours must be an int"),
        (lambda: coverage(points(9), points(9, size=2)), ValueError, "3 and 2 features"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
