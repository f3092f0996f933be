"""What a pointing PixelCNN adds to its logits is what its guesses and counts say."""

import pytest
import torch

from pixelar_lib.models import PixelCNN, PointingPixelCNN
from pixelar_lib.models.pointing_cnn import GUESSES, Pointer

LEFT, UP, PLANE, MIRRORED_PLANE, SLOPE = range(len(GUESSES))


def guessed(page, row, column):
    """Return what the guesses say of one place of a picture."""
    levels = torch.tensor([page])
    pointer = Pointer(16)
    logits = torch.zeros(1, *levels.shape[1:], 16 + len(GUESSES) + 1)
    found = []
    for guess in range(len(GUESSES)):
        logits.zero_()[..., 16 + guess] = 1
        with torch.no_grad():
            pointer.trust.zero_()
            added = pointer(logits, levels)[0, row, column]
        assert added.sum() == 1
        found.append(int(added.argmax()))
    return found


def test_guesses_are_those_of_the_pixels_around():
    page = [[0, 1, 0, 0], [2, 4, 9, 5], [3, 15, 15, 15]]
    assert guessed(page, 2, 1) == [3, 4, 3 + 4 - 2, 2 + 9 - 1, 4 + 5 - 9]


def test_guesses_stay_among_the_levels():
    page = [[0, 0, 0], [1, 15, 2], [14, 0, 0]]
    assert guessed(page, 2, 1)[PLANE] == 15  # 14 + 15 - 1
    page = [[0, 9, 0], [1, 15, 2], [14, 0, 0]]
    assert guessed(page, 2, 1)[MIRRORED_PLANE] == 0  # 1 + 2 - 9


def test_outside_the_picture_is_black():
    assert guessed([[3, 7], [5, 2]], 0, 0) == [0] * len(GUESSES)
    assert guessed([[3, 7], [5, 2]], 1, 0)[UP] == 3


def test_levels_of_the_rows_above_are_counted():
    pointer = Pointer(4)
    levels = torch.tensor([[[1, 1, 2], [3, 0, 0], [0, 0, 0]]])
    found = torch.zeros(1, 3, 3, 4 + len(GUESSES) + 1)
    with torch.no_grad():
        pointer.trust.copy_(torch.tensor([1.0, 10.0, 100.0, 1000.0]))
        added = pointer(found, levels)[0] / torch.tensor(2.0).log()  # softplus(0) is log 2
    ones, twos = torch.tensor([1.0, 2.0]).log1p()
    assert (added[0] == 0).all()
    below = torch.stack([torch.tensor(0.0), 10 * twos, 100 * ones, torch.tensor(0.0)])
    torch.testing.assert_close(added[1], below.expand(3, 4))
    last = torch.stack([twos, 10 * twos, 100 * ones, 1000 * ones])
    torch.testing.assert_close(added[2], last.expand(3, 4))


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 2])])
def test_without_trust_it_is_a_pixelcnn(labels):
    settings = {"channels": 4, "dilations": (1,), "num_classes": None if labels is None else 3}
    model = PointingPixelCNN(8, **settings).eval()
    plain = PixelCNN(8, **settings).eval()
    state = model.state_dict()
    del state["pointer.trust"]
    last = [name for name in state if name.startswith("head.3")]
    for name in last:
        state[name] = state[name][:8]
        model.state_dict()[name][8:] = 0
    plain.load_state_dict(state)
    with torch.no_grad():
        model.pointer.trust.zero_()
        tokens = torch.randint(8, (2, 4, 5), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(model(tokens, labels), plain(tokens, labels))


def test_the_loss_is_that_of_its_logits():
    model = PointingPixelCNN(8, channels=4, dilations=(1,))
    tokens = torch.randint(8, (2, 4, 5), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.training_loss(tokens), model.nll(tokens).mean())


def test_64_bit_numbers_keep_their_digits():
    pointer = Pointer(4).double()
    found = torch.zeros(1, 1, 1, 4 + len(GUESSES) + 1, dtype=torch.float64)
    found[..., 2] = 1 + 1e-12
    with torch.no_grad():
        assert float(pointer(found, torch.zeros(1, 1, 1, dtype=torch.long))[0, 0, 0, 2]) > 1
