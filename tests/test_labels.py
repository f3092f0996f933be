"""What conditional models are given as labels: refused alike wherever labels are given."""

import copy

import pytest
import torch
from models_under_test import MODELS, build, some_tokens
from small_trainings import same_weights

from pixelar_lib.evaluation import evaluate, nll
from pixelar_lib.sampling import sample, sample_with_trace
from pixelar_lib.training import fit

SIZE = (4, 5)
TOKENS = some_tokens(3, SIZE, 3)
RIGHT = torch.tensor([0, 2, 1])
CONDITIONAL = [name for name in MODELS if build(name).num_classes is not None]
USES = {
    "forward": lambda model, labels: model(TOKENS, labels),
    "nll": lambda model, labels: nll(model, TOKENS, labels),
    "evaluate": lambda model, labels: evaluate(model, TOKENS, labels),
    "sample": lambda model, labels: sample(model, 3, image_size=SIZE, labels=labels),
    "sample_with_trace": lambda model, labels: sample_with_trace(
        model, 3, image_size=SIZE, labels=labels
    ),
    "incremental_logits": lambda model, labels: model.incremental_logits(TOKENS, labels),
    "fit": lambda model, labels: fit(model, TOKENS, labels, steps=1, progress=False),
    "fit, held out": lambda model, labels: fit(
        model, TOKENS, RIGHT, steps=1, held_out=TOKENS, held_out_labels=labels, progress=False
    ),
}
each_use = pytest.mark.parametrize("use", USES.values(), ids=USES)
each_model = pytest.mark.parametrize("name", CONDITIONAL)


@each_use
@each_model
def test_right_labels_are_taken(name, use):
    use(build(name), RIGHT)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, ValueError, r"give labels, a long tensor \(3,\) with values 0 to 2"),
        (RIGHT.int(), TypeError, r"must be a long tensor \(3,\), not torch.int32"),
        (RIGHT.float(), TypeError, r"must be a long tensor \(3,\), not torch.float32"),
        ([0, 2, 1], TypeError, r"must be a long tensor \(3,\), not list"),
        (2, TypeError, r"must be a long tensor \(3,\), not int"),
        (RIGHT[:2], ValueError, r"must have shape \(3,\), not \(2,\)"),
        (torch.tensor([0, 2, 1, 0]), ValueError, r"must have shape \(3,\), not \(4,\)"),
        (RIGHT[:, None], ValueError, r"must have shape \(3,\), not \(3, 1\)"),
        (torch.tensor(2), ValueError, r"must have shape \(3,\), not \(\)"),
        (RIGHT + 1, ValueError, "labels range from 1 to 3; this model's labels must be 0 to 2"),
        (RIGHT - 1, ValueError, "labels range from -1 to 1; this model's labels must be 0 to 2"),
    ],
    ids=str,
)
@each_use
@each_model
def test_wrong_labels_are_refused_with_what_would_be_right(name, use, labels, error, message):
    model = build(name)
    before = copy.deepcopy(model)
    with pytest.raises(error, match=message):
        use(model, labels)
    assert same_weights(model, before)


@each_use
def test_a_model_without_labels_refuses_them(use):
    with pytest.raises(ValueError, match="PixelCNN has no labels; call it with tokens alone"):
        use(build("pixelcnn"), RIGHT)
