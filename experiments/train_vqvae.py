"""Train an autoencoder and the prior over its codes: python -m experiments.train_vqvae NAME

Evaluates both on the last 10,000 training images, then once on the test set. Writes
records/autoencoders/NAME.json below pixelar_lib/assets, and weights/NAME.safetensors and
weights/NAME-prior.safetensors where the recipe ships them. A killed training resumes: the states
of both lie in the folder checkpoints/.
"""

import argparse
import json
import math
from dataclasses import asdict

import torch

from experiments.assets import add_assets
from experiments.provenance import git_commit, machine
from experiments.train import CHECKPOINT_EVERY, checkpoint_of, round_to_float16, weights
from experiments.vqvae_recipes import RECIPES, VQVAERecipe
from pixelar_lib import zoo
from pixelar_lib.data import load_mnist
from pixelar_lib.evaluation import evaluate
from pixelar_lib.models import VQVAE, PixelModel, perplexity
from pixelar_lib.models.vqvae import PIXEL_VARIANCE
from pixelar_lib.training import fit
from pixelar_lib.zoo import build_model

HELD_OUT_LOOKS = 1_000  # images of the validation set that the curves are measured on
SPLITS = {
    "validation": ("validation", "full"),
    "test": ("test", "full"),
    "test_bundled": ("test", "bundled"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument(
        "--prior", action="store_true", help="train it alone, on the autoencoder that ships"
    )
    arguments = parser.parse_args()
    name, recipe = arguments.name, RECIPES[arguments.name]
    torch.set_num_threads(1)
    train(name, recipe, shipped(name, recipe) if arguments.prior else None)


def shipped(name: str, recipe: VQVAERecipe) -> dict:
    """Return the record of the autoencoder that ships, if it is that of the recipe."""
    record = zoo.vqvae_results().get(name, {"ships_weights": False})
    wanted = json.loads(json.dumps(asdict(recipe)))
    fields = ("ships_weights", "autoencoder", "autoencoder_fit", "seed")
    if not recipe.ships_weights or any(record.get(key) != wanted[key] for key in fields):
        raise SystemExit(
            f"no autoencoder of the recipe {name} ships; leave --prior out, and it is trained, too."
        )
    return record


def train(name: str, recipe: VQVAERecipe, earlier: dict | None = None) -> None:
    """Train both models and write the record, and the weights where they ship.

    With the record of an autoencoder that ships, only the prior is trained.
    """
    commit = git_commit()  # before: code may change while it runs
    if earlier is None:
        autoencoder = VQVAE(**recipe.autoencoder)
        runs = {"autoencoder": train_autoencoder(name, autoencoder, recipe)}
    else:
        autoencoder, _ = zoo.load_vqvae(name)
        runs = {"autoencoder": earlier["runs"]["autoencoder"]}
    prior = build_model(recipe.prior, recipe.prior_arguments)
    runs["prior"] = train_prior(name, autoencoder, prior, recipe)
    record = {
        "name": name,
        **asdict(recipe),
        "runs": runs,
        **{key: figures(autoencoder, prior, *where) for key, where in SPLITS.items()},
        "parameters": autoencoder.num_parameters,
        "prior_parameters": prior.num_parameters,
        "commit": commit,
        "machine": machine(),
        "command": f"python -m experiments.train_vqvae {name}",
    }
    if earlier is not None:
        made = earlier.get("autoencoder_training", earlier)
        record["autoencoder_training"] = {key: made[key] for key in ("commit", "machine")}
    contents = {f"records/autoencoders/{name}.json": (json.dumps(record, indent=1) + "\n").encode()}
    if recipe.ships_weights:
        contents[f"weights/{name}.safetensors"] = weights(autoencoder)
        contents[f"weights/{name}-prior.safetensors"] = weights(prior)
    add_assets(contents)
    for part in [f"{name}-prior"] if earlier else [name, f"{name}-prior"]:
        checkpoint_of(part, recipe.seed).unlink()
    print(json.dumps(record["test"]))


def train_autoencoder(name: str, model: VQVAE, recipe: VQVAERecipe) -> dict:
    """Train the autoencoder; return how it went."""
    images, held_out = (load_mnist(split, "full").images for split in ("train", "validation"))
    return trained(
        name, model, recipe.seed, recipe.autoencoder_fit, images, held_out=held_out[:HELD_OUT_LOOKS]
    )


def train_prior(name: str, autoencoder: VQVAE, prior: PixelModel, recipe: VQVAERecipe) -> dict:
    """Train the prior on the codes of the same images; return how it went."""
    train, held_out = (load_mnist(split, "full") for split in ("train", "validation"))
    return trained(
        f"{name}-prior",
        prior,
        recipe.seed,
        recipe.prior_fit,
        autoencoder.encode(train.images).to(torch.int16),
        train.labels,
        held_out=autoencoder.encode(held_out.images[:HELD_OUT_LOOKS]),
        held_out_labels=held_out.labels[:HELD_OUT_LOOKS],
    )


def trained(name: str, model, seed: int, settings: dict, *inputs, **held_out) -> dict:
    """Train a model, round its weights as they ship, and return how it went."""
    history = fit(
        model,
        *inputs,
        **held_out,
        generator=torch.Generator().manual_seed(seed),
        checkpoint=checkpoint_of(name, seed),
        checkpoint_every=CHECKPOINT_EVERY,
        **settings,
    )
    model.load_state_dict(round_to_float16(model.state_dict()))
    curve = asdict(history)
    run = {"seconds": round(curve.pop("seconds"), 3), "precision": curve.pop("precision")}
    return {**run, "curve": curve}


def figures(autoencoder: VQVAE, prior: PixelModel, split: str, source: str) -> dict:
    """Return what the codes of a split lose, how many are in use, and what they cost."""
    digits = load_mnist(split, source)
    tokens = autoencoder.encode(digits.images)
    errors = PIXEL_VARIANCE * autoencoder.held_out_loss(digits.images, None).double()
    cost = evaluate(prior, tokens, digits.labels)
    number, codes_per_image = autoencoder.num_codes, tokens[0].numel()
    return {
        "num_images": len(tokens),
        "squared_error": float(errors.mean()),
        "squared_error_standard_error": float(errors.std() / math.sqrt(len(errors))),
        "error_over_variance": float(errors.mean()) / PIXEL_VARIANCE,
        "codes_used": len(tokens.unique()),
        "perplexity": perplexity(tokens, number),
        "codes_per_image": codes_per_image,
        "uniform_nats_per_image": codes_per_image * math.log(number),
        "prior_nats_per_image": cost.nats_per_image,
        "prior_nats_per_code": cost.nats_per_pixel,
        "prior_standard_error": cost.standard_error * codes_per_image,
    }


if __name__ == "__main__":
    main()
