"""Numbers about what a classifier reads in drawn images, and about the features it reads by.

Features say as much as the network knows: take one that has learned from digits, such as
`DigitClassifier`. A network trained on photographs says nothing about digits.
"""

import torch

from pixelar_lib.quantization import check_count, check_tokens

POINTS_PER_CHUNK = 500


def confidence(probabilities: torch.Tensor) -> float:
    """Return how sure a classifier is of what it reads, on average.

    Args:
        probabilities: float (N, L), N at least 1, of each label; each row sums to 1.

    Returns:
        The mean of each row's largest probability, 1 / L to 1.

    Raises:
        TypeError, ValueError: If it is not such a tensor.
    """
    return float(_vectors("probabilities", probabilities, 1).amax(dim=1).mean())


def class_entropy(labels: torch.Tensor, num_classes: int = 10) -> float:
    """Return how evenly labels are spread: 0 if all are the same, log L if each is as frequent.

    Args:
        labels: integer (N,), N at least 1, each 0 to L - 1.
        num_classes: L.

    Returns:
        Entropy of the labels' histogram, nats.

    Raises:
        TypeError: If labels are not integers.
        ValueError: If there is none, one is out of range, or the shape is wrong.
    """
    check_tokens(labels, num_classes)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"labels must have shape (N,), N at least 1, not {tuple(labels.shape)}.")
    shares = torch.bincount(labels, minlength=num_classes).double() / len(labels)
    return float(0 - torch.xlogy(shares, shares).sum())


def frechet_distance(features: torch.Tensor, others: torch.Tensor) -> float:
    """Compare two sets of vectors by their means and covariances.

    |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)): Dowson and Landau, The Fréchet Distance between
    Multivariate Normal Distributions, 1982; Heusel et al. 2017 judge pictures by it. Fewer vectors
    make it larger, so compare only figures that were made with as many.

    Args:
        features: float (N, F), N above F, for covariances of full rank.
        others: float (M, F), M above F.

    Returns:
        The squared distance, in squared units of the features; 0 for equal means and covariances.

    Raises:
        TypeError, ValueError: If they are not such tensors.
    """
    means, roots, total = [], [], 0.0
    for some in _alike(features, others):
        if len(some) <= some.shape[1]:
            raise ValueError(
                f"{len(some)} vectors of {some.shape[1]} features are too few for a covariance; "
                f"give at least {some.shape[1] + 1}."
            )
        values, vectors = torch.linalg.eigh(some.t().cov().view(2 * some.shape[1:]))
        values = values.clamp(min=0)  # rounding leaves some just below
        means.append(some.mean(dim=0))
        roots.append(vectors * values.sqrt() @ vectors.t())
        total += float(values.sum())
    # The eigenvalues of C C' are the squares of the singular values of C^(1/2) C'^(1/2).
    shared = torch.linalg.svdvals(roots[0] @ roots[1]).sum()
    return max(float((means[0] - means[1]).square().sum()) + total - 2 * float(shared), 0.0)


def coverage(real: torch.Tensor, drawn: torch.Tensor, neighbours: int = 5) -> float:
    """Return the share of real vectors that have a drawn one nearby.

    Nearby is what lies within the distance of the k-th nearest other real vector (Naeem et al.,
    Reliable Fidelity and Diversity Metrics for Generative Models, 2020). With as many vectors of
    the same distribution about 1 - 2^-k is expected, 0.97 for k = 5; more cover more.

    Args:
        real: float (N, F), N above k.
        drawn: float (M, F), M at least 1.
        neighbours: k, at least 1.

    Returns:
        The share, 0 to 1.

    Raises:
        TypeError, ValueError: If they are not such tensors.
    """
    k = check_count("neighbours", neighbours)
    real, drawn = _alike(real, drawn)
    if len(real) <= k:
        raise ValueError(f"{len(real)} real vectors have no {k} neighbours; give at least {k + 1}.")
    covered = 0
    for some in real.split(POINTS_PER_CHUNK):
        # The nearest one of all is the vector itself.
        radius = _distances(some, real).kthvalue(k + 1, dim=1).values
        covered += int((_distances(some, drawn).amin(dim=1) <= radius).sum())
    return covered / len(real)


def _vectors(name: str, some: torch.Tensor, fewest: int) -> torch.Tensor:
    """Return vectors (N, F) as float64 on the CPU, having checked them."""
    if not isinstance(some, torch.Tensor) or not some.is_floating_point():
        raise TypeError(f"{name} must be a float tensor, not {getattr(some, 'dtype', type(some))}.")
    if some.ndim != 2 or len(some) < fewest or not some.shape[1]:
        raise ValueError(
            f"{name} must have shape (N, F), N at least {fewest}, not {tuple(some.shape)}."
        )
    if not bool(some.isfinite().all()):
        raise ValueError(f"{name} must be finite; some value is infinite or NaN.")
    return some.detach().double().cpu()


def _alike(first: torch.Tensor, second: torch.Tensor) -> tuple:
    first, second = _vectors("the first set", first, 1), _vectors("the second set", second, 1)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"the sets have {first.shape[1]} and {second.shape[1]} features; they must have as "
            "many: read both with the same classifier."
        )
    return first, second


def _distances(some: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return all distances (N, M), exactly 0 between equal vectors."""
    return torch.cdist(some, others, compute_mode="donot_use_mm_for_euclid_dist")
