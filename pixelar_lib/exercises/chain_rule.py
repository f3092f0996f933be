"""Checkers of chapter 1, Chain rule."""

from collections.abc import Callable

import torch

from pixelar_lib.exercises.checker import checker, expect

ROWS_TO_DRAW = 20_000


@checker
def check_count_pictures(count_pictures: Callable[[int, int, int], int]) -> str:
    """Check a function that counts the pictures of a given size.

    Args:
        count_pictures: Takes height, width and K; returns a whole number.
    """
    for height, width, num_bins in ((1, 1, 5), (3, 2, 4), (2, 2, 2), (2, 3, 16), (28, 28, 16)):
        count, pixels = count_pictures(height, width, num_bins), height * width
        right = num_bins**pixels
        case = f"For {height} x {width} pixels and K = {num_bins}"
        expect(
            isinstance(count, int),
            f"{case} you returned a {type(count).__name__}. Stay with Python's whole numbers: "
            "a float holds about 16 digits, a tensor's long about 19.",
        )
        expect(
            count == right or count != pixels * num_bins,
            f"{case} you say {count}. Each new pixel multiplies the number of pictures by K: "
            "the choices multiply, they do not add up.",
        )
        expect(
            count == right or count != pixels**num_bins,
            f"{case} you say {count}. That is the number of pixels to the power K; it is the "
            "other way round.",
        )
        expect(
            count == right,
            f"{case} that is not right. Start with one pixel: K pictures. A second pixel makes "
            "K pictures of each of them.",
        )
    return "There are K to the power (height x width) pictures: 4096 for 3 x 2 and four tokens."


@checker
def check_reverse_chain(reverse_chain: Callable[[torch.Tensor], list[torch.Tensor]]) -> str:
    """Check a function from a joint distribution of four pixels to its factors in reverse.

    Args:
        reverse_chain: Takes float64 (K, K, K, K); returns p(x3), p(x2 | x3), p(x1 | x2, x3)
            and p(x0 | x1, x2, x3), each of a shape that fits the joint's.
    """
    for num_bins in (2, 3):
        joint = _some_joint(num_bins)
        factors = [torch.as_tensor(factor).double() for factor in reverse_chain(joint)]
        expect(
            len(factors) == 4,
            f"There are four pixels, so there are four factors, but you returned {len(factors)}.",
        )
        tables = []
        for factor in factors:
            expect(
                factor.ndim == 4 and all(n in (1, num_bins) for n in factor.shape),
                f"A factor has shape {tuple(factor.shape)}. Keep all four directions, with size 1 "
                "where a pixel was summed away: keepdim=True does it.",
            )
            tables.append(factor.expand(joint.shape))
        for pixel, table in zip((3, 2, 1, 0), tables, strict=True):
            _check_reverse_factor(table, joint, pixel)
    return "Other factors, same product: the chain rule does not care about the order."


def _check_reverse_factor(table: torch.Tensor, joint: torch.Tensor, pixel: int) -> None:
    earlier, name = tuple(range(pixel)), f"The factor of x{pixel}"
    known = joint.sum(earlier, keepdim=True) if earlier else joint  # p(x_pixel, ..., x3)
    right = (known / known.sum(pixel, keepdim=True)).expand(joint.shape)
    for before in earlier:
        expect(
            torch.allclose(table, table.narrow(before, 0, 1)),
            f"{name} changes with x{before}. In reverse, x{before} comes later, so it is not "
            "known yet: sum over it.",
        )
    expect(
        pixel == 3 or not torch.allclose(table, known.expand(joint.shape)),
        f"{name} is a joint probability. Divide it by the probability of what is known.",
    )
    expect(
        torch.allclose(table.sum(pixel), torch.ones(()).double()),
        f"{name} does not sum to one over x{pixel}. A factor is a distribution of its pixel, "
        "whatever the known pixels are.",
    )
    expect(
        torch.allclose(table, right),
        f"{name} is a distribution of x{pixel}, but not the one that this joint gives. Which "
        "pixels are known when it is the turn of this one?",
    )


@checker
def check_free_numbers(free_numbers: Callable[[int, int, int], int]) -> str:
    """Check a function that counts the free numbers of a chain of tables.

    Args:
        free_numbers: Takes K, D and k; returns how many numbers may be chosen freely if each
            of D pixels has a table of its own over the k pixels before it.
    """
    for num_bins, num_pixels, k in ((3, 4, 1), (2, 4, 0), (3, 4, 3), (2, 784, 3), (16, 9, 2)):
        count = free_numbers(num_bins, num_pixels, k)
        rows = [num_bins ** min(t, k) for t in range(num_pixels)]
        right, case = sum(rows) * (num_bins - 1), f"For K = {num_bins}, D = {num_pixels}, k = {k}"
        expect(
            count != sum(rows) * num_bins,
            f"{case} you count K numbers for each context. They sum to one, so the last of "
            "them follows from the others.",
        )
        expect(
            count == right or count != num_pixels * num_bins**k * (num_bins - 1),
            f"{case} you give every pixel K^k contexts. The first pixels have fewer: pixel t "
            "sees min(t, k) pixels.",
        )
        expect(
            count == right or count != num_bins ** (k + 1) - 1,
            f"{case} you count one table that all pixels share. Here each has its own.",
        )
        expect(
            count == right,
            f"{case} there are {right} free numbers, but you say {count}. Add up, pixel by pixel: "
            "number of contexts times free numbers of one distribution.",
        )
    return "K^k - 1 + (D - k) K^k (K - 1): with a short context it grows with D, not with K^D."


@checker
def check_sampler(draw_patches: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check a function that draws four pixels from their joint distribution.

    Args:
        draw_patches: Takes float64 (K, K, K, K) and uniform numbers (N, 4); returns tokens,
            long (N, 4).
    """
    generator = torch.Generator().manual_seed(0)
    for num_bins in (2, 3):
        joint = _some_joint(num_bins)
        uniform = torch.rand(ROWS_TO_DRAW, 4, generator=generator)
        tokens = torch.as_tensor(draw_patches(joint.clone(), uniform.clone()))
        expect(
            tokens.shape == uniform.shape,
            f"{ROWS_TO_DRAW} patches have tokens ({ROWS_TO_DRAW}, 4), but you returned "
            f"{tuple(tokens.shape)}.",
        )
        expect(
            not tokens.is_floating_point() and bool(((tokens >= 0) & (tokens < num_bins)).all()),
            f"For K = {num_bins} tokens are whole numbers from 0 to {num_bins - 1}.",
        )
        expect(
            torch.equal(tokens, torch.as_tensor(draw_patches(joint.clone(), uniform.clone()))),
            "The same random numbers gave other patches the second time. Let `uniform` alone "
            "decide.",
        )
        _check_frequencies(tokens, joint)
    return "Your patches come out as often as the joint says, for two tokens and for three."


def _check_frequencies(tokens: torch.Tensor, joint: torch.Tensor) -> None:
    num_bins = joint.shape[0]
    places = num_bins ** torch.arange(3, -1, -1)
    counts = torch.bincount(tokens.long() @ places, minlength=num_bins**4)
    frequencies = counts.view(joint.shape) / len(tokens)
    alone = [joint.sum([a for a in range(4) if a != t]) for t in range(4)]
    independent = torch.einsum("a,b,c,d->abcd", *alone)

    expect(
        int((counts > 0).sum()) > 1,
        "All patches are the same. Draw with the probabilities instead of taking the likeliest.",
    )
    expect(
        not _close(frequencies, independent),
        "Each pixel alone is right, but they do not go together: you ignore the pixels that "
        "were drawn before. Use p(x_t | x_<t).",
    )
    expect(
        _close(frequencies, joint),
        f"For K = {num_bins} your patches do not come out as often as the joint says. Does each "
        "pixel use its own column of `uniform`, and the row of its table that belongs to the "
        "pixels before?",
    )


def _close(frequencies: torch.Tensor, probabilities: torch.Tensor) -> bool:
    return float((frequencies - probabilities).abs().max()) < 0.015


def _some_joint(num_bins: int) -> torch.Tensor:
    """Return float64 (K, K, K, K), all above 0: neighbours tend to agree, order matters."""
    generator = torch.Generator().manual_seed(num_bins)
    pixels = torch.cartesian_prod(*[torch.arange(num_bins)] * 4).double()  # (K^4, 4)
    apart = (pixels[:, 1:] - pixels[:, :-1]).abs().sum(dim=1)
    weights = (0.5 + torch.rand(len(pixels), generator=generator).double()) * (-apart).exp()
    return (weights / weights.sum()).view([num_bins] * 4)
