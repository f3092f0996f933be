"""A codebook: vectors that stand for all others, as the centres of k-means do.

Sources: van den Oord et al., Neural Discrete Representation Learning, 2017 (nearest codes, the
straight-through gradient, moving averages in the appendix); Razavi et al., Generating Diverse
High-Fidelity Images with VQ-VAE-2, 2019 (moving averages); Dhariwal et al., Jukebox: A Generative
Model for Music, 2020 (codes that nobody uses restart at outputs of the encoder).
"""

import torch
from torch import nn

from pixelar_lib import distributed
from pixelar_lib.quantization import check_count, check_tokens

DECAY = 0.99  # what a step leaves of the averages before
DEAD = 0.3  # a code that is chosen less often than this share of the mean of all codes restarts


class Codebook(nn.Module):
    """Vectors that follow, by moving averages, the outputs of an encoder.

    No gradient trains them: each is the mean of the outputs to which it was the nearest, recent
    ones counting more.

    Attributes:
        revive: Whether codes that are hardly ever chosen restart elsewhere.
        vectors: float (K, D), the codes.
        count: float (K,), moving average of how many outputs of a step choose each code.
        total: float (K, D), moving average of the sum of those outputs.
    """

    def __init__(self, num_codes: int, code_size: int, revive: bool = True) -> None:
        """Build K = `num_codes` random vectors of D = `code_size` numbers.

        Args:
            num_codes: K, at least 2.
            code_size: D, at least 1.
            revive: Whether codes that are hardly ever chosen restart elsewhere.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If a number is out of range.
        """
        super().__init__()
        num_codes = check_count("num_codes", num_codes, least=2)
        self.revive = bool(revive)
        self.register_buffer("vectors", torch.empty(num_codes, check_count("code_size", code_size)))
        self.register_buffer("count", torch.empty(num_codes))
        self.register_buffer("total", torch.empty_like(self.vectors))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new vectors; the averages begin at 0, so that the first step replaces them."""
        nn.init.normal_(self.vectors)
        self.count.zero_()
        self.total.zero_()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up the vectors (..., D) of codes, long (...), each 0 to K - 1."""
        return self.vectors[tokens]

    def distances(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return how far each output is from each code, squared.

        Args:
            outputs: float (..., D).

        Returns:
            float32 (..., K), whatever the precision of the products around it: with 16 bits,
            near codes could not be told apart.
        """
        with torch.autocast(outputs.device.type, enabled=False):
            outputs = outputs.to(self.vectors.dtype)
            products = outputs @ self.vectors.T  # (..., K)
            squares = outputs.square().sum(dim=-1, keepdim=True)
            return squares - 2 * products + self.vectors.square().sum(dim=1)

    def nearest(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the nearest code of each output (..., D), long (...); the first one if several."""
        return self.distances(outputs).argmin(dim=-1)

    @torch.no_grad()
    def update(self, outputs: torch.Tensor, tokens: torch.Tensor, noise: torch.Tensor) -> None:
        """Move the codes towards the outputs that chose them, and restart those that are dead.

        Within `distributed.processes` each process gives its share, and all of them update alike.

        Args:
            outputs: float (M, D), of a step.
            tokens: long (M,), the nearest code of each.
            noise: float (M,), 0 to 1: dead codes restart where it is largest.
        """
        outputs = distributed.all_rows(outputs.detach().to(self.vectors.dtype))
        tokens, noise = distributed.all_rows(tokens), distributed.all_rows(noise)
        # On a CPU index_add_ adds in the order of the rows, so the sums are the same each time.
        count = torch.zeros_like(self.count).index_add_(0, tokens, torch.ones_like(outputs[:, 0]))
        total = torch.zeros_like(self.total).index_add_(0, tokens, outputs)
        self.count.lerp_(count, 1 - DECAY)
        self.total.lerp_(total, 1 - DECAY)
        chosen = (count > 0)[:, None]  # what nobody chose stays where it is
        self.vectors.copy_(torch.where(chosen, self.total / self.count[:, None], self.vectors))
        if self.revive:
            self._restart(outputs[noise.argsort(descending=True)])

    def _restart(self, outputs: torch.Tensor) -> None:
        """Put dead codes where outputs (M, D) are, beginning with the first one."""
        fair = len(outputs) / len(self.count)
        dead = (self.count < DEAD * fair).nonzero().squeeze(1)
        # As if it had been chosen as often as the mean: many steps go by before it can die again.
        self.vectors[dead] = outputs[torch.arange(len(dead)) % len(outputs)]
        self.total[dead] = fair * self.vectors[dead]
        self.count[dead] = fair


def straight_through(outputs: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return the chosen codes, whose gradient is handed to the outputs as if they were the same.

    The nearest code is a step function of the output: its gradient is 0 wherever there is one.

    Args:
        outputs: float (..., D), of the encoder.
        chosen: float (..., D), the code of each.

    Returns:
        The values of `chosen` (but for rounding), with the gradient of `outputs`.
    """
    return outputs + (chosen - outputs).detach()


def perplexity(tokens: torch.Tensor, num_codes: int) -> float:
    """Return as how many codes, all equally frequent, these tokens are spread.

    It is the exponential of the entropy of their frequencies: 1 if all are the same code, K if all
    codes are equally frequent. Few tokens cannot show many codes, so measure it on a whole set.

    Args:
        tokens: integer tensor of any shape, not empty, 0 to K - 1.
        num_codes: K.

    Returns:
        The perplexity, 1 to K.

    Raises:
        TypeError: If tokens are not integers.
        ValueError: If a token is out of range, or there is none.
    """
    check_tokens(tokens, num_codes)
    if not tokens.numel():
        raise ValueError("there are no tokens, so they have no perplexity.")
    shares = tokens.flatten().long().bincount(minlength=num_codes).double() / tokens.numel()
    return float(torch.special.entr(shares).sum().exp())
