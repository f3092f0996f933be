"""The first layer of the post's network as a table, so that it need not be multiplied out.

That layer is linear and each of its inputs one of a few embeddings. So what a token adds at each
place of the window can be worked out beforehand, and the layer becomes a sum of table rows.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

HIDDEN = [nn.Linear, nn.ReLU, nn.Dropout]  # one hidden layer of those that it stands for


def lookup_predictor(
    embedding: nn.Embedding, layers: nn.Sequential
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return a function that does what `embedding` and `layers` do to windows.

    Args:
        embedding: V vectors of length E.
        layers: One or more times `HIDDEN`, then linear; the first of them takes C E numbers.

    Returns:
        A function from windows, long (M, C), values 0 to V - 1, to logits (M, K); None where
        the layers are others.
    """
    parts, depth = [embedding, layers, *layers], len(layers) // len(HIDDEN)
    expected = [nn.Embedding, nn.Sequential, *depth * HIDDEN, nn.Linear]
    if not depth or [type(part) for part in parts] != expected:
        return None
    if any("forward" in vars(part) for part in parts):
        return None
    if embedding.max_norm is not None or any(layer.bias is None for layer in layers[::3]):
        return None
    if embedding.weight.device.type == "mps":  # early versions for Apple's GPUs lack embedding_bag
        return None
    first, *linear = layers[::3]
    by_place = first.weight.unflatten(1, (-1, embedding.embedding_dim))  # (H, C, E)
    table = torch.einsum("ve,hce->cvh", embedding.weight, by_place)  # (C, V, H)
    table[0] += first.bias  # each window has one token at place 0
    places = torch.arange(len(table), device=table.device) * table.shape[1]
    table = table.flatten(0, 1)
    rest = [(s, r.weight, r.bias) for s, r in zip(layers[2::3], linear, strict=True)]

    def predict(contexts: torch.Tensor) -> torch.Tensor:
        index = contexts + places
        if len(index) == 1:  # less ado for a single window
            hidden = table.index_select(0, index[0]).sum(dim=0, keepdim=True)  # (1, H)
        else:
            hidden = F.embedding_bag(index, table, mode="sum")  # (M, H)
        for silence, weight, bias in rest:
            hidden = hidden.relu_()
            if silence.training:  # calling it takes its time, even where it does nothing
                hidden = silence(hidden)
            hidden = F.linear(hidden, weight, bias)
        return hidden

    return predict
