"""A killed training goes on to the same result, and a wrong checkpoint is refused."""

import copy
import os
import random
from functools import partial

import numpy as np
import pytest
import torch
from models_under_test import ToyModel
from small_trainings import (
    HELD_OUT,
    LABELS,
    SIZE,
    STRIPES,
    Killed,
    mlp,
    same_weights,
    seeded,
    train,
)

from experiments.trainables import Redrawing
from pixelar_lib import checkpoint, training, training_state
from pixelar_lib.checkpoint import fingerprint
from pixelar_lib.context import neighbourhood
from pixelar_lib.models import CategoricalPixelPredictor
from pixelar_lib.quantization import binarize
from pixelar_lib.zoo import DATA_KINDS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "training.pt"


@pytest.fixture
def kill_at(monkeypatch):
    """Return a function that lets the n-th step from now on be the last one that begins."""

    def arm(model_class, number):
        original, calls = model_class.training_loss, []

        def training_loss(self, *arguments):
            calls.append(1)
            if len(calls) == number:
                raise Killed
            return original(self, *arguments)

        monkeypatch.setattr(model_class, "training_loss", training_loss)

    return arm


@pytest.mark.parametrize("killed_step", [3, 6, 7, 10, 12])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_killed_training_resumes_to_the_same_result(path, kill_at, killed_step, schedule):
    arguments = {"held_out": HELD_OUT, "eval_every": 4, "schedule": schedule, "warmup_steps": 2}
    arguments["replacement"] = schedule == "cosine"
    whole = mlp()
    expected = train(whole, **arguments)
    kill_at(CategoricalPixelPredictor, killed_step)
    with pytest.raises(Killed):
        train(mlp(), checkpoint=path, checkpoint_every=5, **arguments)
    assert path.exists() is (killed_step > 5)
    resumed = mlp()  # with other random weights
    assert train(resumed, checkpoint=str(path), checkpoint_every=5, **arguments) == expected
    assert same_weights(resumed, whole)


@pytest.mark.parametrize("replacement", [True, False])
def test_a_cell_that_is_run_again_with_its_generator_resumes_to_the_same_result(
    path, kill_at, replacement
):
    inputs = torch.randint(3, (12, *SIZE), generator=seeded())  # all of them differ
    arguments = {"inputs": inputs, "replacement": replacement, "batch_size": 5, "seed": None}
    whole, resumed, generator = mlp(), mlp(), seeded(1)
    expected = train(whole, generator=seeded(1), **arguments)
    kill_at(CategoricalPixelPredictor, 8)
    with pytest.raises(Killed):
        train(resumed, generator=generator, checkpoint=path, checkpoint_every=4, **arguments)
    assert train(resumed, generator=generator, checkpoint=path, **arguments) == expected
    assert same_weights(resumed, whole)


def test_training_with_labels_and_the_default_loss_resumes_too(path, kill_at):
    arguments = {"labels": LABELS, "held_out": STRIPES, "held_out_labels": LABELS}
    whole, resumed = ToyModel(3, num_classes=3), ToyModel(3, num_classes=3)
    expected = train(whole, **arguments)
    kill_at(ToyModel, 9)
    with pytest.raises(Killed):
        train(ToyModel(3, num_classes=3), checkpoint=path, checkpoint_every=4, **arguments)
    assert train(resumed, checkpoint=path, **arguments) == expected
    assert same_weights(resumed, whole)


def test_generator_goes_on_after_a_resumed_training_as_after_a_whole_one(path, kill_at):
    def numbers_after(**arguments):
        generator = seeded(4)
        train(mlp(), generator=generator, **arguments)
        return torch.rand(3, generator=generator).tolist()

    kill_at(CategoricalPixelPredictor, 10)
    with pytest.raises(Killed):
        numbers_after(checkpoint=path, checkpoint_every=5)
    assert numbers_after(checkpoint=path) == numbers_after()


def test_finished_checkpoint_gives_the_result_without_a_step(path, kill_at):
    whole, loaded = mlp(), mlp()
    expected = train(whole, checkpoint=path, held_out=HELD_OUT)
    kill_at(CategoricalPixelPredictor, 1)
    assert train(loaded, checkpoint=path, held_out=HELD_OUT) == expected
    assert same_weights(loaded, whole)


def test_seconds_of_a_resumed_training_include_those_before_the_break(path, kill_at, monkeypatch):
    now, training_loss = [0], CategoricalPixelPredictor.training_loss

    def takes_a_second(self, *batch):
        now[0] += 1
        return training_loss(self, *batch)

    monkeypatch.setattr(CategoricalPixelPredictor, "training_loss", takes_a_second)
    monkeypatch.setattr(training.time, "perf_counter", lambda: now[0])
    whole = train(mlp())
    assert whole.seconds == 12
    kill_at(CategoricalPixelPredictor, 9)
    with pytest.raises(Killed):
        train(mlp(), checkpoint=path, checkpoint_every=4)
    now[0] += 100  # the break does not count
    resumed = train(mlp(), checkpoint=path)
    assert resumed.seconds == 12 and resumed == whole
    assert train(mlp(), checkpoint=path).seconds == 12


def test_checkpoint_does_not_change_the_training(path):
    models = mlp(), mlp()
    train(models[0])
    train(models[1], checkpoint=path, checkpoint_every=1)
    assert same_weights(*models)
    assert os.listdir(path.parent) == [path.name]


def test_checkpoint_keeps_the_state_before_a_loss_that_is_not_finite(path, monkeypatch):
    original, calls = CategoricalPixelPredictor.training_loss, []

    def training_loss(self, *arguments):
        calls.append(1)
        return original(self, *arguments) * (float("nan") if len(calls) == 8 else 1)

    monkeypatch.setattr(CategoricalPixelPredictor, "training_loss", training_loss)
    with pytest.raises(FloatingPointError):
        train(mlp(), checkpoint=path, checkpoint_every=1)
    content = torch.load(path, weights_only=True)
    assert content["step"] == 7
    assert all(bool(weight.isfinite().all()) for weight in content["model"].values())
    whole, resumed = mlp(), mlp()
    train(whole), train(resumed, checkpoint=path)  # the loss is finite this time
    assert same_weights(whole, resumed)


class Prepared(CategoricalPixelPredictor):
    """Changes the images of each step by a function of its own."""

    def __init__(self, change=binarize):
        super().__init__(3, 4, 4, 16)
        self.change = change

    def check_input(self, tokens, labels=None):
        pass

    def prepare(self, images, labels, generator):
        return super().prepare(self.change(images, generator), labels, generator)


def test_images_drawn_anew_at_each_step_resume_too(path, kill_at):
    arguments = {"inputs": STRIPES.to(torch.uint8) * 100}
    whole, resumed = Prepared(), Prepared()
    expected = train(whole, **arguments)
    kill_at(CategoricalPixelPredictor, 9)
    with pytest.raises(Killed):
        train(Prepared(), checkpoint=path, checkpoint_every=4, **arguments)
    assert train(resumed, checkpoint=path, **arguments) == expected
    assert same_weights(resumed, whole)


def test_a_training_interrupted_in_a_notebook_goes_on_with_the_same_model(path, kill_at):
    whole, model = mlp(), mlp()
    expected = train(whole)
    kill_at(CategoricalPixelPredictor, 6)
    with pytest.raises(Killed):
        train(model, checkpoint=path, checkpoint_every=4)
    assert train(model, checkpoint=path) == expected  # the cell is run again, and again
    assert train(model, checkpoint=path) == expected
    assert same_weights(model, whole)
    with pytest.raises(ValueError, match="trained or loaded before"):
        train(model, checkpoint=path.with_name("other.pt"))


# Refusals


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (mlp(hidden_size=17), r"layers.0.weight is \(16, 16\) there and \(17, 16\) here"),
        (mlp(num_bins=4), r"embedding.weight is \(4, 4\) there and \(5, 4\) here"),
        (mlp(context=neighbourhood(1)), r"Raster\(length=4\).*Neighbourhood\(radius=1\)"),
        (mlp(dropout=0.5), r"layers.2.p \(torch\) is 0.25 there and 0.5 here"),
        (ToyModel(3), r"model is CategoricalPixelPredictor.*ToyModel.*head.bias is None there"),
    ],
)
def test_checkpoint_of_another_architecture_is_refused(path, model, message):
    train(mlp(), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"(?s)is of another architecture: .*{message}"):
        train(model, checkpoint=path)
    assert path.read_bytes() == before


def test_checkpoint_of_another_number_of_windows_is_refused(path):
    train(mlp(), checkpoint=path)
    model = mlp()
    model.windows_per_image = 2
    with pytest.raises(ValueError, match=r"windows_per_image is None there and 2 here"):
        train(model, checkpoint=path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 13}, "steps is 12 there and 13 here"),
        ({"batch_size": 5}, "batch_size is 4 there and 5 here"),
        ({"replacement": False}, "replacement is True there and False here"),
        ({"optimizer": "adam"}, "optimizer is adamw there and adam here"),
        ({"learning_rate": 1e-3}, "learning_rate is 0.002 there and 0.001 here"),
        ({"weight_decay": 0}, "weight_decay is 0.01 there and 0.0 here"),
        ({"schedule": "constant"}, "schedule is cosine there and constant here"),
        ({"warmup_steps": 1}, "warmup_steps is 0 there and 1 here"),
        ({"precision": "bfloat16"}, "precision is float32 there and bfloat16 here"),
        ({"seed": 2}, "seed is 1 there and 2 here"),
        ({"inputs": STRIPES.flip(2)}, "data is [0-9]+ there and [0-9]+ here"),
        ({"inputs": STRIPES.transpose(1, 2).reshape(12, 4, 5)}, "data is"),
        ({"inputs": STRIPES.reshape(12, 5, 4)}, "data is .*prepared is"),
        ({"inputs": STRIPES.byte()}, "data is .*prepared is"),
        ({"held_out": HELD_OUT}, "held_out is [0-9]+ there and [0-9]+ here"),
        ({"initialize": False}, "weights is None there and [0-9]+ here"),
        ({"eval_every": 5}, "eval_every is 1 there and 5 here"),
    ],
)
def test_checkpoint_of_another_recipe_is_refused(path, arguments, message):
    train(mlp(), checkpoint=path)
    with pytest.raises(
        ValueError, match=f"another recipe: {message}.*. Use another file, or delete"
    ):
        train(mlp(), checkpoint=path, **arguments)


def test_checkpoint_of_other_labels_is_refused(path):
    train(ToyModel(3, num_classes=3), labels=LABELS, checkpoint=path)
    with pytest.raises(ValueError, match="another recipe: data is"):
        train(ToyModel(3, num_classes=3), labels=LABELS.flip(0), checkpoint=path)


CHANGES = {
    "lambdas": (lambda images, generator: images, lambda images, generator: (images + 1) % 3),
    "partials": tuple(partial(torch.remainder, other=other) for other in (1, 2)),
}
CHANGES["partials"] = tuple(lambda images, generator, f=f: f(images) for f in CHANGES["partials"])


@pytest.mark.parametrize("kind", CHANGES)
def test_checkpoint_of_images_prepared_in_another_way_is_refused(path, kind):
    one, other = CHANGES[kind]
    train(Prepared(one), checkpoint=path)
    train(Prepared(one), checkpoint=path)
    with pytest.raises(ValueError, match="another recipe: prepared is"):
        train(Prepared(other), checkpoint=path)


def test_a_continued_training_resumes_with_the_weights_that_it_began_with(path, kill_at):
    start, other = mlp(), mlp()
    whole = copy.deepcopy(start)
    expected = train(whole, initialize=False)
    kill_at(CategoricalPixelPredictor, 9)
    with pytest.raises(Killed):
        train(copy.deepcopy(start), initialize=False, checkpoint=path, checkpoint_every=4)
    with pytest.raises(ValueError, match=r"weights is [0-9]+ there and None here"):
        train(mlp(), checkpoint=path)
    with pytest.raises(ValueError, match=r"weights is [0-9]+ there and [0-9]+ here"):
        train(other, initialize=False, checkpoint=path)
    resumed = copy.deepcopy(start)
    assert train(resumed, initialize=False, checkpoint=path) == expected
    assert same_weights(resumed, whole)


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_settings_of_numpy_are_stored_as_plain_numbers(path, number):
    numbers = {"steps": np.int64(12), "batch_size": np.int32(4), "warmup_steps": np.uint8(1)}
    numbers |= {"learning_rate": number(1e-2), "weight_decay": number(0.5)}
    numbers |= {"replacement": np.bool_(False), "schedule": np.str_("constant")}
    expected = train(mlp(), checkpoint=path, **numbers)
    assert train(mlp(), checkpoint=path, **numbers) == expected


@pytest.mark.parametrize("kept", [0, 10, 1000, -1])
def test_truncated_checkpoint_is_refused(path, kept):
    train(mlp(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"training.pt is truncated, damaged .*Delete it"):
        train(mlp(), checkpoint=path)


def test_each_flipped_bit_is_noticed_or_changes_nothing(path):
    whole = mlp()
    expected = train(whole, checkpoint=path)
    content, places = path.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(40):
        flipped = bytearray(content)
        flipped[places.randrange(len(content))] ^= 1 << places.randrange(8)
        path.write_bytes(flipped)
        resumed = mlp()
        try:
            assert train(resumed, checkpoint=path) == expected
            assert same_weights(resumed, whole)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 20


def test_errors_about_a_damaged_list_of_contents_name_the_file(path):
    train(mlp(), checkpoint=path)
    refused = 0
    content = path.read_bytes()
    begin = content.index(b"PK\x01\x02")  # a zip archive lists its files at its end
    for place in range(begin, begin + 80):
        for bit in (0, 3, 7):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                train(mlp(), checkpoint=path)
            except ValueError as error:
                assert str(path) in str(error)
                refused += 1
    assert refused > 100


def altered(path, change):
    """Write a checkpoint again, whole, but with other content."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("optimizer"), "lacks optimizer"),
        (lambda content: content.pop("recipe"), "lacks recipe"),
        (lambda content: content.update(step=-3), "is at step -3 of 12"),
        (lambda content: content.update(step=99), "is at step 99 of 12"),
        (lambda content: content.update(step="3"), "is at step 3 of 12"),
        (
            lambda content: content["model"]["embedding.weight"].fill_(torch.nan),
            "not finite, in model.embedding.weight",
        ),
        (lambda content: content["model"].pop("embedding.weight"), "weights of another shape"),
        (lambda content: content["history"].update(more=1), "does not fit"),
        (lambda content: content["optimizer"].pop("state"), "does not fit"),
    ],
)
def test_checkpoint_with_other_content_is_refused(path, change, message):
    train(mlp(), checkpoint=path)
    altered(path, change)
    with pytest.raises(ValueError, match=f"{message}.*Delete it"):
        train(mlp(), checkpoint=path)


def test_folder_is_no_checkpoint_and_nobody_is_told_to_delete_it(path):
    path.mkdir(parents=True)
    with pytest.raises(OSError, match=r"training\.pt") as caught:
        train(mlp(), checkpoint=path)
    assert "elete" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"weights": torch.ones(2)}, {"recipe": 3}, None])
def test_file_that_holds_something_else_is_refused(path, content):
    path.parent.mkdir()
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"lacks .* did not write it"):
        train(mlp(), checkpoint=path)


def test_checkpoint_that_would_run_code_is_refused_and_nobody_is_told_to_run_it(path):
    path.parent.mkdir()
    torch.save({"architecture": {}, "recipe": {"steps": print}}, path)
    with pytest.raises(ValueError, match="more than numbers and names") as caught:
        train(mlp(), checkpoint=path)
    assert "weights_only" not in str(caught.value)


def in_no_grad(model, path):
    with torch.no_grad():
        train(model, checkpoint=path, learning_rate=7)


@pytest.mark.parametrize(
    "refused",
    [
        lambda model, path: train(model, checkpoint=path, learning_rate=7),
        lambda model, path: train(model, checkpoint=path.parent),
        lambda model, path: train(model, checkpoint=path / "below a file"),
        in_no_grad,
    ],
)
def test_a_refused_training_leaves_the_weights_as_they_were(path, refused):
    train(mlp(), checkpoint=path)
    model = mlp()
    before = copy.deepcopy(model)
    with pytest.raises((ValueError, OSError)):
        refused(model, path)
    assert same_weights(model, before)


def test_a_checkpoint_that_cannot_be_written_is_noticed_before_the_first_step(tmp_path, kill_at):
    (tmp_path / "file").write_bytes(b"")
    kill_at(CategoricalPixelPredictor, 1)
    with pytest.raises(OSError, match="file"):
        train(mlp(), checkpoint=tmp_path / "file" / "training.pt")


# The disk


def test_full_disk_leaves_the_checkpoint_before(path, monkeypatch):
    real_write = checkpoint.write_atomically
    written = []

    def write_until_full(target, write):
        def fail_halfway(temporary):
            temporary.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        real_write(target, fail_halfway if len(written) == 2 else write)
        written.append(target)

    monkeypatch.setattr(checkpoint, "write_atomically", write_until_full)
    with pytest.raises(OSError, match=r"No space left on device.*Free some disk space"):
        train(mlp(), checkpoint=path, checkpoint_every=3)
    assert os.listdir(path.parent) == [path.name]
    assert torch.load(path, weights_only=True)["step"] == 6
    monkeypatch.undo()
    whole, resumed = mlp(), mlp()
    train(whole), train(resumed, checkpoint=path)
    assert same_weights(whole, resumed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits that this system lacks")
def test_real_write_error_is_an_os_error_with_what_to_do(path):
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"could not write .*Free some disk space"):
            train(mlp(), checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(path.parent) == []


# The fingerprint of the data


def test_fingerprint_depends_on_values_and_not_on_layout():
    assert fingerprint(STRIPES) == fingerprint(STRIPES.clone())
    assert fingerprint(STRIPES) != fingerprint(STRIPES, None)
    assert fingerprint(STRIPES) != fingerprint(STRIPES.view(12, 5, 4))
    assert fingerprint(STRIPES) != fingerprint(STRIPES.flip(2))
    assert fingerprint(STRIPES, LABELS) != fingerprint(STRIPES, LABELS.flip(0))
    transposed = STRIPES.transpose(1, 2).contiguous().transpose(1, 2)
    assert fingerprint(transposed) == fingerprint(STRIPES)


# Dropout on a GPU draws from a state of its own


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_state_of_a_gpu_is_saved_loaded_and_given_back(monkeypatch, kind):
    gpu = {"state": "before"}  # stands for a GPU that this machine may lack
    module, device = getattr(torch, kind), torch.device(kind)
    monkeypatch.setattr(module, "get_rng_state", lambda device: gpu["state"])
    monkeypatch.setattr(module, "set_rng_state", lambda state, device: gpu.update(state=state))
    save, load = training_state._dropout_randomness(device)
    with training._own_randomness(seeded(), device):
        gpu["state"] = "in training"
        assert save() == "in training"
        load("resumed")
        assert gpu["state"] == "resumed"
    assert gpu["state"] == "before"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda_resumes_to_the_same_result(path, kill_at):
    whole, resumed = mlp(), mlp()
    before = torch.cuda.get_rng_state()
    train(whole, device="cuda")
    kill_at(CategoricalPixelPredictor, 9)
    with pytest.raises(Killed):
        train(mlp(), checkpoint=path, checkpoint_every=5, device="cuda")
    train(resumed, checkpoint=path, device="cuda")
    assert same_weights(resumed, whole)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    with pytest.raises(ValueError, match="device is cuda there and cpu here"):
        train(mlp(), checkpoint=path, device="cpu")


# What tells one training from another


class Ordered(ToyModel):
    """Two layers that are of one shape, built in either order."""

    def __init__(self, names):
        super().__init__(3)
        for name in names:
            setattr(self, name, torch.nn.Linear(5, 5))


def test_parts_built_in_another_order_are_another_architecture(path):
    train(Ordered(["one", "two"]), checkpoint=path)
    with pytest.raises(ValueError, match="built in another order"):
        train(Ordered(["two", "one"]), checkpoint=path)


def test_an_optimizer_state_of_another_shape_is_refused(path):
    train(mlp(), checkpoint=path)
    altered(path, lambda content: content["optimizer"]["state"][0].update(exp_avg=torch.ones(3)))
    model = mlp()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match="optimizer's state of parameter 0 has another shape"):
        train(model, checkpoint=path)
    assert same_weights(model, before) or model._trained_by  # refused, not aborted


def test_an_architecture_reads_the_same_in_another_process():
    model = Redrawing(mlp(2), DATA_KINDS["binarized"])
    text = str(checkpoint.architecture(model))
    assert " at 0x" not in text and "_binarize" in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.nn.MultiheadAttention(8, 1), torch.nn.MultiheadAttention(8, 4)),
        (torch.nn.Dropout(0.1), torch.nn.Dropout(0.2)),
        (torch.nn.ReLU(), torch.nn.GELU()),
    ],
)
def test_settings_that_no_tensor_shows_count(one, other):
    assert checkpoint.architecture(one) != checkpoint.architecture(other)


def test_a_cell_that_goes_on_with_a_checkpoint_can_be_run_again(path, monkeypatch):
    model = mlp()
    expected = train(model, initialize=False, checkpoint=path)
    assert train(model, initialize=False, checkpoint=path) == expected
    monkeypatch.chdir(path.parent)
    assert train(model, initialize=False, checkpoint=path.name) == expected  # the same file
