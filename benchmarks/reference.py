"""What the library is measured against: the post's algorithm, pixel by pixel, image by image.

Written afresh from the post "Generating Pixels One by One" (sections "Training Data" and
"Generation"), with its loops, its order of operations and its calls of torch.
"""

import torch
import torch.nn.functional as F
from torch import nn

from pixelar_lib.models import CategoricalPixelPredictor


def windows_one_by_one(
    images: torch.Tensor, length: int, start_token: int, most: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut windows of earlier tokens out of images, one pixel at a time.

    Args:
        images: long (N, H, W).
        length: Tokens in a window.
        start_token: Stands before the first pixel.
        most: Stop after so many windows.

    Returns:
        Windows, long (M, length), and the tokens that follow them, long (M,).
    """
    contexts, targets = [], []
    for image in images:
        flat = image.flatten()
        padded = torch.cat([torch.full((length,), start_token, dtype=torch.long), flat])
        for pixel in range(len(flat)):
            if len(contexts) == most:
                break
            contexts.append(padded[pixel : pixel + length])
            targets.append(flat[pixel].unsqueeze(0))
    return torch.stack(contexts), torch.cat(targets)


def train_epochs(
    model: CategoricalPixelPredictor,
    contexts: torch.Tensor,
    targets: torch.Tensor,
    epochs: int = 15,
    batch_size: int = 512,
) -> None:
    """Train in place with the post's optimizer and batches, a new order each epoch.

    Args:
        model: Has `predict_windows`.
        contexts: long (M, length).
        targets: long (M,).
        epochs: Passes over all windows.
        batch_size: Windows in a step.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    criterion = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(contexts))
        for start in range(0, len(contexts), batch_size):
            chosen = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = criterion(model.predict_windows(contexts[chosen]), targets[chosen])
            loss.backward()
            optimizer.step()


def draw_one_by_one(
    model: CategoricalPixelPredictor, height: int = 28, width: int = 28
) -> torch.Tensor:
    """Draw one image, one pixel at a time: window, network, softmax, multinomial, new window.

    Args:
        model: With a raster context.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        Tokens, long (height, width).
    """
    model.eval()
    window = torch.full((1, model.context.length), model.start_token)
    drawn = []
    with torch.no_grad():
        for _ in range(height * width):
            probabilities = F.softmax(model.predict_windows(window), dim=-1).squeeze()
            token = torch.multinomial(probabilities, num_samples=1).item()
            drawn.append(token)
            window = torch.cat([window[:, 1:], torch.tensor([[token]])], dim=1)
    return torch.tensor(drawn).view(height, width)
