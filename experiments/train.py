"""Train one recipe on full MNIST and write its record: python -m experiments.train NAME

Evaluates on the last 10,000 training images, then once on the test set. Writes
records/trainings/NAME.json below pixelar_lib/assets, and weights/NAME.safetensors where the recipe
ships its weights. A killed training resumes: its state lies in the folder checkpoints/.
Under torchrun several processes train together, as README.md tells.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import safetensors.torch
import torch

from experiments.assets import add_asset
from experiments.provenance import git_commit, machine
from experiments.recipes import RECIPES, Recipe
from experiments.trainables import FixedWindows, Redrawing
from pixelar_lib import distributed
from pixelar_lib.classification import accuracy, label_nll
from pixelar_lib.context import targets, windows
from pixelar_lib.data import Digits, load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelModel, WindowModel
from pixelar_lib.optimization import PRECISIONS
from pixelar_lib.training import fit
from pixelar_lib.zoo import DATA_KINDS, build_model, load_pretrained, load_weights, to_tokens

CHECKPOINTS = Path("checkpoints")
CHECKPOINT_EVERY = 500  # steps
HELD_OUT_LOOKS = 500  # images of the validation set that the curve is measured on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), help="of the products, if not the recipe's"
    )
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.name]
    if arguments.precision is not None:
        recipe = replace(recipe, fit={**recipe.fit, "precision": arguments.precision})
    with distributed.processes():
        train(arguments.name, recipe)


def train(name: str, recipe: Recipe) -> None:
    """Train with each seed and write the record, and the weights where they ship."""
    first = distributed.rank() == 0  # all processes compute the same figures, one writes them
    commit = git_commit()  # before: code may change while it runs
    runs, models = [], []
    for seed in recipe.seeds:
        model, run = run_once(name, recipe, seed)
        runs.append(run)
        models.append(model)
        if first:
            print(f"seed {seed}: test {run['test']['nats_per_pixel']:.4f} nats/pixel")
    if not first:
        return
    record = {
        "name": name,
        **asdict(recipe),
        "runs": runs,
        "parameters": models[0].num_parameters,
        "commit": commit,
        "machine": machine(),
        "command": command(name, recipe),
    }
    if recipe.ships_weights:
        add_asset(f"weights/{name}.safetensors", weights(models[0]))
    add_asset(f"records/trainings/{name}.json", (json.dumps(record, indent=1) + "\n").encode())
    for seed in recipe.seeds:
        checkpoint_of(name, seed).unlink()


def command(name: str, recipe: Recipe) -> str:
    """Return what makes the record again."""
    precision, usual = (some.fit.get("precision") for some in (recipe, RECIPES.get(name, recipe)))
    option = "" if precision == usual else f" --precision {precision}"
    return f"python -m experiments.train {name}{option}"


def run_once(name: str, recipe: Recipe, seed: int) -> tuple[PixelModel, dict]:
    """Train with one seed and evaluate the weights as they ship."""
    generator = torch.Generator().manual_seed(seed)
    train, validation = (load_mnist(split, "full") for split in ("train", "validation"))
    model, kind = build_model(recipe.model, recipe.arguments), DATA_KINDS[recipe.data]
    learner, inputs, held_out = model, train.images, validation.images[:HELD_OUT_LOOKS]
    if kind.is_random:
        learner = Redrawing(model, kind)
    else:
        inputs, held_out = (
            to_tokens(images, model.num_bins, recipe.data).to(torch.uint8)
            for images in (inputs, held_out)
        )
    if isinstance(model, WindowModel):
        model.windows_per_image = recipe.windows_per_image
    if recipe.num_windows is not None:
        learner, inputs = FixedWindows(model), fixed_windows(model, inputs, recipe, generator)
    if recipe.start is not None:
        start_from(model, recipe.start)
    history = fit(
        learner,
        inputs,
        labels_for(model, train),
        held_out=held_out,
        held_out_labels=labels_for(model, validation, HELD_OUT_LOOKS),
        generator=generator,
        initialize=recipe.start is None,
        checkpoint=checkpoint_of(name, seed),
        checkpoint_every=CHECKPOINT_EVERY,
        **recipe.fit,
    )
    if recipe.ships_weights:
        model.load_state_dict(round_to_float16(model.state_dict()))
    curve = asdict(history)
    run = {"seed": seed, "seconds": round(curve.pop("seconds"), 3)}
    run |= {"precision": curve.pop("precision"), "curve": curve}
    run["validation"] = figures(model, recipe, "validation", "full")
    run["test"] = figures(model, recipe, "test", "full")
    run["test_bundled"] = figures(model, recipe, "test", "bundled")
    run["test_200"] = figures(model, recipe, "test", "bundled", most=200)
    if model.num_classes is not None:
        run["validation_accuracy"] = bayes_accuracy(model, recipe, "validation")
        run["test_accuracy"] = bayes_accuracy(model, recipe, "test")
    return model, run


def labels_for(model: PixelModel, digits: Digits, most: int | None = None) -> torch.Tensor | None:
    """Return the labels of (the first) digits for a conditional model, None for another."""
    return None if model.num_classes is None else digits.labels[:most]


def start_from(model: PixelModel, name: str) -> None:
    """Give a model the weights of a shipped one of the same class.

    What that one lacks, such as labels, begins at 0. Where it has more tokens, those of the model
    begin as the ones nearest to them between paper and full ink.
    """
    start = load_pretrained(name)
    nearest = torch.linspace(0, start.num_bins - 1, model.num_bins).round().long()
    state, given = model.state_dict(), start.state_dict()
    for key, value in state.items():
        found = given.get(key, torch.zeros_like(value))
        fits = found.shape == value.shape
        state[key] = found if fits else found[nearest]
    load_weights(model, state, name)


def checkpoint_of(name: str, seed: int) -> Path:
    """Return the file that holds the state of a training."""
    return CHECKPOINTS / f"{name}-{seed}.pt"


def fixed_windows(model, tokens, recipe, generator) -> torch.Tensor:
    """Return the first windows of images in random order, each with its target, uint8."""
    num_images = -(-recipe.num_windows // tokens[0].numel())
    chosen = tokens[torch.randperm(len(tokens), generator=generator)[:num_images]]
    contexts = windows(chosen, model.context, model.start_token)
    pairs = torch.cat([contexts, targets(chosen)[..., None]], dim=2)  # (N, H W, C + 1)
    return pairs.flatten(0, 1)[: recipe.num_windows].to(torch.uint8)


def figures(
    model: PixelModel, recipe: Recipe, split: str, source: str, most: int | None = None
) -> dict:
    """Evaluate a model on one split, or on so many images of it as anybody can in a moment."""
    digits = load_mnist(split, source)
    tokens = to_tokens(digits.images[:most], model.num_bins, recipe.data)
    found = evaluate(model, tokens, labels_for(model, digits, most))
    return {
        **asdict(found),
        "bits_per_dim": found.bits_per_dim,
        "nats_per_image": found.nats_per_image,
    }


def bayes_accuracy(model: PixelModel, recipe: Recipe, split: str) -> dict:
    """Return how often the label under which an image costs least is its own."""
    digits = load_mnist(split, "full")
    costs = label_nll(model, to_tokens(digits.images, model.num_bins, recipe.data))
    return asdict(accuracy(costs.argmin(dim=1), digits.labels))


def round_to_float16(state: dict) -> dict:
    """Round weights as they will be stored."""
    return {key: value.half().float() for key, value in state.items()}


def weights(model: PixelModel) -> bytes:
    """Return the weights as the bytes of a safetensors file, float16."""
    state = model.state_dict()
    return safetensors.torch.save({k: v.half().contiguous() for k, v in state.items()})


if __name__ == "__main__":
    main()
