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

from experiments.assets import add_assets
from experiments.provenance import git_commit, machine
from experiments.recipes import RECIPES, Recipe
from experiments.trainables import FixedWindows, Redrawing, fixed_windows
from pixelar_lib import distributed, zoo
from pixelar_lib.classification import accuracy, label_nll
from pixelar_lib.data import Digits, load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import PixelModel, WindowModel
from pixelar_lib.optimization import PRECISIONS
from pixelar_lib.trainable import Trainable
from pixelar_lib.training import fit
from pixelar_lib.training_state import History
from pixelar_lib.zoo import DATA_KINDS, build_model, to_tokens

CHECKPOINTS = Path("checkpoints")
CHECKPOINT_EVERY = 500  # steps
RESTART_SEED = 1_000  # between the seeds of a training and its restart
HELD_OUT_LOOKS = 500  # images of the validation set that the curve is measured on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), help="of the products, if not the recipe's"
    )
    help_text = "take the first training from what ships"
    parser.add_argument("--restart", action="store_true", help=help_text)
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.name]
    if arguments.precision is not None:
        recipe = replace(recipe, fit={**recipe.fit, "precision": arguments.precision})
    first = shipped_first(arguments.name, recipe) if arguments.restart else None
    with distributed.processes():
        train(arguments.name, recipe, first)


def shipped_first(name: str, recipe: Recipe) -> dict:
    """Return the record of a recipe's first training, if its weights ship."""
    if not recipe.restarts or len(recipe.seeds) != 1:
        raise SystemExit(f"{name} has no restart, or several seeds; leave --restart out.")
    record = zoo.results().get(name, {})
    usual, wanted = (plain(some) for some in (Recipe(""), recipe.trainings[0]))  # for older records
    found = {key: record.get(key, usual[key]) for key in wanted}
    if {**found, "purpose": ""} != {**wanted, "purpose": ""}:
        raise SystemExit(
            f"what ships as {name} is not the result of its recipe's first training; "
            "leave --restart out, and all are run."
        )
    return record


def plain(recipe: Recipe) -> dict:
    """Return a recipe as a record has it."""
    return json.loads(json.dumps(asdict(recipe)))


def train(name: str, recipe: Recipe, first: dict | None = None) -> None:
    """Train with each seed and write the record, and the weights where they ship.

    With the record of a first training that ships, only what follows it is run.
    """
    writes = distributed.rank() == 0  # all processes compute the same figures, one writes them
    commit = git_commit()  # before: code may change while it runs
    runs, models = [], []
    for seed in recipe.seeds:
        model, run = run_once(name, recipe, seed, first and first["runs"][0])
        runs.append(run)
        models.append(model)
        if writes:
            print(f"seed {seed}: test {run['test']['nats_per_pixel']:.4f} nats/pixel")
    if not writes:
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
    if first is not None:
        origin = {key: first[key] for key in ("commit", "machine")}
        record["first_training"] = {**origin, "seconds": first["runs"][0]["seconds"]}
    contents = {f"records/trainings/{name}.json": (json.dumps(record, indent=1) + "\n").encode()}
    if recipe.ships_weights:
        contents[f"weights/{name}.safetensors"] = weights(models[0])
    add_assets(contents)
    for seed in recipe.seeds:
        for number in range(0 if first is None else 1, len(recipe.trainings)):
            checkpoint_of(name, seed, number).unlink()


def command(name: str, recipe: Recipe) -> str:
    """Return what makes the record again."""
    precision, usual = (some.fit.get("precision") for some in (recipe, RECIPES.get(name, recipe)))
    option = "" if precision == usual else f" --precision {precision}"
    return f"python -m experiments.train {name}{option}"


def run_once(
    name: str, recipe: Recipe, seed: int, first: dict | None = None
) -> tuple[PixelModel, dict]:
    """Train with one seed and evaluate the weights as they ship."""
    train, held_out = training_digits(recipe)
    model, histories = build_model(recipe.model, recipe.arguments), []
    if first is not None:
        model.load_state_dict(zoo.load_pretrained(name).state_dict())
        histories.append(History(**first["curve"], seconds=first["seconds"]))
    for number in range(len(histories), len(recipe.trainings)):
        training = recipe.trainings[number]
        generator = torch.Generator().manual_seed(seed + RESTART_SEED * number)
        before, model = model, build_model(training.model, training.arguments)
        model.load_state_dict(before.state_dict())
        learner, inputs = learner_for(model, training, train, generator)
        history = fit(
            learner,
            inputs,
            labels_for(model, train),
            held_out=held_out and inputs_for(model, training, held_out),
            held_out_labels=held_out and labels_for(model, held_out),
            generator=generator,
            initialize=number == 0,
            checkpoint=checkpoint_of(name, seed, number),
            checkpoint_every=CHECKPOINT_EVERY,
            **training.fit,
        )
        histories.append(history)
        if recipe.ships_weights:
            model.load_state_dict(round_to_float16(model.state_dict()))
    curve = asdict(joined(histories))
    run = {"seed": seed, "seconds": round(curve.pop("seconds"), 3)}
    run |= {"precision": curve.pop("precision"), "curve": curve}
    if held_out:
        run["validation"] = figures(model, recipe, "validation", "full")
    run["test"] = figures(model, recipe, "test", "full")
    run["test_bundled"] = figures(model, recipe, "test", "bundled")
    run["test_200"] = figures(model, recipe, "test", "bundled", most=200)
    if model.num_classes is not None:
        if held_out:
            run["validation_accuracy"] = bayes_accuracy(model, recipe, "validation")
        run["test_accuracy"] = bayes_accuracy(model, recipe, "test")
    return model, run


def joined(histories: list[History]) -> History:
    """Return one history of trainings that followed each other."""
    whole = History(precision=histories[-1].precision)
    for history in histories:
        done = whole.steps[-1] if whole.steps else 0
        whole.steps += [done + step for step in history.steps]
        whole.training_loss += history.training_loss
        whole.held_out_loss += history.held_out_loss
        whole.seconds += history.seconds
    return whole


def training_digits(recipe: Recipe) -> tuple[Digits, Digits | None]:
    """Return what is trained on and the few images that are looked at, None if all are joined."""
    train, validation = (load_mnist(split, "full") for split in ("train", "validation"))
    if recipe.joined_split is None:
        few = slice(HELD_OUT_LOOKS)
        return train, Digits(validation.images[few], validation.labels[few])
    images = torch.cat([train.images, validation.images])
    return Digits(images, torch.cat([train.labels, validation.labels])), None


def learner_for(
    model: PixelModel, recipe: Recipe, digits: Digits, generator: torch.Generator
) -> tuple[Trainable, torch.Tensor]:
    """Return what `fit` trains in place of (or as) the model, and the inputs it trains on."""
    kind, inputs = DATA_KINDS[recipe.data], inputs_for(model, recipe, digits)
    if isinstance(model, WindowModel):
        model.windows_per_image = recipe.windows_per_image
    if recipe.num_windows is not None:
        return FixedWindows(model), fixed_windows(model, inputs, recipe, generator)
    if recipe.redraws:
        return Redrawing(model, kind, recipe.moved), inputs
    return model, inputs


def inputs_for(model: PixelModel, recipe: Recipe, digits: Digits) -> torch.Tensor:
    """Return what `fit` gets of digits: their tokens, or images that it draws tokens from."""
    if recipe.redraws:
        return digits.images
    return to_tokens(digits.images, model.num_bins, recipe.data).to(torch.uint8)


def labels_for(model: PixelModel, digits: Digits, most: int | None = None) -> torch.Tensor | None:
    """Return the labels of (the first) digits for a conditional model, None for another."""
    return None if model.num_classes is None else digits.labels[:most]


def checkpoint_of(name: str, seed: int, number: int = 0) -> Path:
    """Return the file that holds the state of a training; numbers from 1 are restarts."""
    return CHECKPOINTS / f"{name}-{seed}{f'-restart-{number}' if number else ''}.pt"


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
