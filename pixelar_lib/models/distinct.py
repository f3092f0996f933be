"""Equal windows, found exactly, so that a network computes each of them once."""

import torch

LARGEST_KEY = 2**63  # keys are long


def distinct_windows(contexts: torch.Tensor, num_values: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find which windows are equal: `contexts[first][rows]` equals `contexts`.

    A window is read as a number in base `num_values`. Where it has too many digits for a
    long, the number of its first part is replaced by its rank, and the reading goes on.

    Args:
        contexts: long (M, C), values 0 to num_values - 1.
        num_values: How many values an entry can have: K + 1, with the start token.

    Returns:
        first, long (U,), for each distinct window a place where it stands.
        rows, long (M,), for each window which of the distinct ones it is.
    """
    if contexts.device.type == "mps":  # there `unique` compares 32 bits of a long, not all 64
        found = distinct_windows(contexts.cpu(), num_values)
        return tuple(places.to(contexts.device) for places in found)
    num_windows, length = contexts.shape
    rows, num_rows, read = contexts.new_zeros(num_windows), 1, 0
    while read < length:
        digits = 1
        while read + digits < length and num_rows * num_values ** (digits + 1) < LARGEST_KEY:
            digits += 1
        powers = num_values ** torch.arange(digits, device=contexts.device)
        numbers = (contexts[:, read : read + digits] * powers).sum(dim=1)
        numbers += rows * num_values**digits
        found, rows = numbers.unique(return_inverse=True)
        num_rows, read = len(found), read + digits
    first = rows.new_empty(num_rows)
    first[rows] = torch.arange(num_windows, device=rows.device)
    return first, rows
