"""The trained models that ship with the library, and the recorded results of all trainings."""

import json

import safetensors.torch
import torch
from torch import nn

from pixelar_lib import models
from pixelar_lib.context import neighbourhood
from pixelar_lib.data_kinds import DATA_KINDS
from pixelar_lib.data_kinds import to_tokens as to_tokens  # belongs to what `info` says
from pixelar_lib.digit_classifier import DigitClassifier
from pixelar_lib.runtime import ASSETS, read_asset

CLASSIFIER = "digit-classifier"


def list_pretrained() -> list[str]:
    """Return the names that `load_pretrained` knows.

    Returns:
        Names, sorted. Each model keeps the contract, on images of 28 x 28.
    """
    return sorted(name for name, record in results().items() if record["ships_weights"])


def load_pretrained(name: str) -> models.PixelModel:
    """Return a trained model, on the CPU and in eval mode.

    Args:
        name: One of `list_pretrained()`.

    Returns:
        The model, with the weights whose figures `info` gives.

    Raises:
        ValueError: If no model has that name, its file is truncated or altered, or its
            weights do not fit the architecture.
        FileNotFoundError: If the file is missing.
    """
    record = info(name)
    model = build_model(record["model"], record["arguments"])
    state = safetensors.torch.load(read_asset(f"weights/{name}.safetensors"))
    load_weights(model, state, name)
    return model.eval()


def info(name: str) -> dict:
    """Return what is recorded of a trained model: K, figures, recipe, machine, duration.

    Args:
        name: One of `list_pretrained()`.

    Returns:
        The record, with `num_bins` (K) and `mnist`, the kind of MNIST it was trained on.

    Raises:
        ValueError: If no model has that name.
    """
    if name not in list_pretrained():
        raise ValueError(f"no model is called {name!r}; there are {list_pretrained()}.")
    record = results()[name]
    num_bins = build_model(record["model"], record["arguments"]).num_bins
    description = DATA_KINDS[record["data"]].description.format(num_bins=num_bins)
    return {**record, "num_bins": num_bins, "mnist": description}


def results() -> dict[str, dict]:
    """Return the records of all trainings, by name.

    Returns:
        For each name the recipe, the runs (one a seed, with curve, figures on validation and test
        images, seconds; None if an older one was interrupted), the commit, the machine and the
        command that repeats it.

    Raises:
        ValueError: If a record is truncated or altered.
    """
    return _records("trainings")


def core_minutes(record: dict) -> float | None:
    """Return what a training took: minutes, times the threads of all its processes.

    Args:
        record: One of `results()`; of several seeds, the first counts.

    Returns:
        Minutes of one core. None if the record has no time: an older one was interrupted.
    """
    total, last = record["runs"][0]["seconds"], record["machine"]
    if total is None:
        return None
    first = record.get("first_training", {"seconds": 0, "machine": last})
    parts = (first["seconds"], first["machine"]), (total - first["seconds"], last)
    return sum(
        seconds / 60 * where["threads"] * where.get("processes", 1) for seconds, where in parts
    )


def load_vqvae(name: str) -> tuple[models.VQVAE, models.PixelModel]:
    """Return a trained autoencoder and the model that draws its codes, on the CPU, in eval mode.

    Args:
        name: One of those in `vqvae_results` that ship weights, such as "vqvae-7x7x128".

    Returns:
        The autoencoder, and its prior: a pixel model whose "pixels" are the codes. Both have the
        weights whose figures `vqvae_results` gives.

    Raises:
        ValueError: If there is none of that name, a file is truncated or altered, or weights do
            not fit the architecture.
        FileNotFoundError: If a file is missing.
    """
    records = vqvae_results()
    names = [other for other, record in records.items() if record["ships_weights"]]
    if name not in names:
        raise ValueError(f"no VQ-VAE is called {name!r}; there are {names}.")
    record = records[name]
    with torch.device("cpu"), torch.inference_mode(False):
        autoencoder = models.VQVAE(**record["autoencoder"]).float()
    prior = build_model(record["prior"], record["prior_arguments"])
    for file, model in ((name, autoencoder), (f"{name}-prior", prior)):
        load_weights(model, safetensors.torch.load(read_asset(f"weights/{file}.safetensors")), file)
    return autoencoder.eval(), prior.eval()


def vqvae_results() -> dict[str, dict]:
    """Return what is recorded of the autoencoders and their priors, by name.

    Returns:
        For each name the recipe, the curves of both trainings, and for each split the squared
        error of the reconstructions, the perplexity of the codes, and what they cost.

    Raises:
        ValueError: If a record is truncated or altered.
    """
    return _records("autoencoders")


def _records(kind: str) -> dict[str, dict]:
    """Return the records of a kind, by name."""
    folder = f"records/{kind}"
    names = sorted(path.stem for path in (ASSETS / folder).glob("*.json"))
    return {name: json.loads(read_asset(f"{folder}/{name}.json")) for name in names}


def load_classifier() -> DigitClassifier:
    """Return the trained network that judges drawings, on the CPU and in eval mode.

    Returns:
        The classifier, with the weights whose figures `classifier_record` gives.

    Raises:
        ValueError: If its file is truncated or altered.
        FileNotFoundError: If the file is missing.
    """
    arguments = classifier_record()["arguments"]
    with torch.device("cpu"), torch.inference_mode(False):
        classifier = DigitClassifier(**arguments).float()
    state = safetensors.torch.load(read_asset(f"weights/{CLASSIFIER}.safetensors"))
    load_weights(classifier, state, CLASSIFIER)
    return classifier.eval()


def classifier_record() -> dict:
    """Return what is recorded of the classifier: accuracy, recipe, machine, duration.

    Returns:
        The record; `test_accuracy` has an entry for each kind of MNIST.

    Raises:
        ValueError: If it is truncated or altered.
    """
    return json.loads(read_asset(f"records/{CLASSIFIER}.json"))


def judged() -> dict:
    """Return how the drawings of each model were judged, beside real test images.

    Returns:
        The record: `protocol`, and in `rows` one entry for each model and for the real images of
        each kind of MNIST, with its likelihood and the figures of `pixelar_lib.quality`.

    Raises:
        ValueError: If it is truncated or altered.
    """
    return json.loads(read_asset("records/measurements/drawings_judged.json"))


def published() -> list[dict]:
    """Return what others have published about models of MNIST, each with its source.

    Returns:
        One entry a figure, with `mnist` (the kind, as in `info`), `model`, `bits_per_dim` or
        `nats_per_image`, `parameters` and `training` (None where the source does not say),
        `source`, and `cite`, its key in the book's references or None. `figure` says of what
        sort it is: an "exact" likelihood; that of an "ensemble" over orders of the pixels; an
        "upper bound" of a variational model's; or of a flow's on "dequantised" greys.

    Raises:
        ValueError: If the file is truncated or altered.
    """
    return json.loads(read_asset("records/published.json"))


def build_model(class_name: str, arguments: dict) -> models.PixelModel:
    """Build an untrained model from what a record says of it.

    Args:
        class_name: A class in `pixelar_lib.models`.
        arguments: Of its constructor; `neighbourhood` stands for a context of that radius.

    Returns:
        The model with random weights, float32, on the CPU.

    Raises:
        ValueError: If there is no such class.
    """
    model_class = getattr(models, class_name, None)
    if not (isinstance(model_class, type) and issubclass(model_class, models.PixelModel)):
        raise ValueError(f"no model class is called {class_name!r} in pixelar_lib.models.")
    arguments = dict(arguments)
    radius = arguments.pop("neighbourhood", None)
    if radius is not None:
        arguments["context"] = neighbourhood(radius)
    with torch.device("cpu"), torch.inference_mode(False):
        return model_class(**arguments).float()


def load_weights(model: nn.Module, state: dict, name: str) -> None:
    """Load weights into a model, as float32, or say why they do not fit.

    Args:
        model: The model to fill.
        state: Tensors by name.
        name: What to call the weights in an error.

    Raises:
        ValueError: If a tensor is missing, unknown, or of another shape.
    """
    try:
        model.load_state_dict({key: value.float() for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(
            f"the weights {name!r} are of another architecture than this "
            f"{type(model).__name__}: {error}"
        ) from error
