"""Checkers of chapter 15, your own pictures."""

import math
from collections.abc import Callable, Sequence

import torch

from pixelar_lib.exercises.checker import checker, expect


@checker
def check_grey(grey_of: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Check a function that turns colours into grey levels.

    Args:
        grey_of: Takes uint8 (H, W, 3), red, green and blue; returns uint8 (H, W).
    """
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (4, 5, 3), generator=generator).to(torch.uint8)
    colours[0, 0], colours[0, 1] = torch.tensor([255, 255, 255]), torch.tensor([0, 255, 0])
    found = torch.as_tensor(grey_of(colours.clone()))
    right = colours.double() @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    expect(
        found.shape == (4, 5),
        f"From (4, 5, 3) you made {tuple(found.shape)}. Each pixel has three numbers and is to "
        "have one.",
    )
    green, white = float(found[0, 1]), float(found[0, 0])
    expect(
        abs(green - 85) > 1,
        f"Pure green becomes {green:g}, a third of white. That is the plain mean; the eye sees "
        "green as brighter than red, and blue as dark.",
    )
    expect(
        abs(white - 255) <= 1,
        f"White becomes {white:g}, and should stay 255. The three weights sum to 1. And mind the "
        "type: sums of uint8 start again at 0 above 255.",
    )
    expect(
        found.dtype == torch.uint8,
        f"You return {found.dtype}. Levels are uint8: round, then `.to(torch.uint8)`.",
    )
    gap = float((found.double() - right).abs().max())
    expect(gap <= 1, f"Somewhere you are off by {gap:.0f} levels. Which weight goes with which?")
    return "Three weights that sum to 1, and green counts for more than half."


@checker
def check_held_out(held_out: Callable[[Sequence[str], float], Sequence[bool]]) -> str:
    """Check a function that says which pictures to hold out, whole groups at a time.

    Args:
        held_out: Takes the group of each picture (a writer, a font) and a share; returns for each
            picture whether it is held out.
    """
    groups = [name for name in "abcdefghij" for _ in range(10)]
    for names in (groups, groups[::-1], [groups[37 * place % 100] for place in range(100)]):
        found = [bool(one) for one in held_out(list(names), 0.2)]
        expect(
            len(found) == len(names),
            f"For {len(names)} pictures you returned {len(found)} answers. Each needs one.",
        )
        chosen = {name for name, one in zip(names, found, strict=True) if one}
        kept = {name for name, one in zip(names, found, strict=True) if not one}
        both = sorted(chosen & kept)
        expect(
            not both,
            f"Group {both[0] if both else ''!r} is on both sides: some of its pictures are trained "
            "on, and others judge. Choose groups, not pictures.",
        )
        count = sum(found)
        expect(
            10 <= count <= 30,
            f"Of {len(names)} pictures in ten groups you hold out {count}. A share of 0.2 is "
            "about 20.",
        )
    return "Whoever is held out is held out with all pictures. No group is on both sides."


@checker
def check_baseline(baseline: Callable[[torch.Tensor, torch.Tensor, int], float]) -> str:
    """Check a function that says what new pictures cost if every pixel is by itself.

    Args:
        baseline: Takes tokens to count (N, H, W), new tokens (M, H, W) and K; returns bits per
            pixel of the new ones, each token counted once more than it occurs.
    """
    generator = torch.Generator().manual_seed(1)
    train = torch.randint(0, 3, (6, 4, 4), generator=generator) * 2  # 1 and 3 never occur
    new = torch.randint(0, 5, (5, 4, 4), generator=generator)
    found = float(baseline(train.clone(), new.clone(), 5))
    counts = torch.bincount(train.flatten(), minlength=5).double()
    of_new = torch.bincount(new.flatten(), minlength=5).double() / new.numel()
    share = (counts + 1) / (counts + 1).sum()
    right = -float((of_new * share.log2()).sum())
    own = torch.bincount(new.flatten(), minlength=5).double() + 1
    expect(
        math.isfinite(found),
        "Your answer is infinite: some tokens of the new pictures never occur in the others. "
        "Count each token once more.",
    )
    expect(
        not math.isclose(found, right * math.log(2), rel_tol=1e-4),
        f"You found {found:.4f}, which is the answer in nats. One bit is log 2 nats.",
    )
    entropy = -float((of_new * (own / own.sum()).log2()).sum())
    expect(
        not math.isclose(found, entropy, rel_tol=1e-4),
        f"You found {found:.4f}: you counted in the new pictures. Count in those that are trained "
        "on; the new ones are only to be paid for.",
    )
    expect(
        not math.isclose(found, right * new[0].numel(), rel_tol=1e-4),
        f"You found {found:.2f}, which is per picture. Divide by the number of pixels.",
    )
    expect(
        math.isclose(found, right, rel_tol=1e-3),
        f"You found {found:.4f}. Each pixel costs minus the logarithm of the share of its token.",
    )
    return "Counting alone. Whatever a network is worth, it is worth below this line."
