"""One loop for all models: the same result again, after a break, and a clear stop."""

import copy
import functools
import math
import os
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models_under_test import ToyModel, build, labels_for, some_tokens
from reader_settings import SETTINGS
from small_trainings import (
    HELD_OUT,
    LABELS,
    SIZE,
    STRIPES,
    Classifier,
    mlp,
    same_weights,
    seeded,
    shifted_stripes,
    train,
)
from torch import nn

from experiments.ablations import Shifted
from pixelar_lib import optimization, training
from pixelar_lib.evaluation import UniformBaseline, evaluate
from pixelar_lib.models import CategoricalPixelPredictor, evaluating, initialize
from pixelar_lib.optimization import learning_rate_at
from pixelar_lib.quantization import binarize
from pixelar_lib.sampling import sample
from pixelar_lib.training import fit

# The same generator, the same result


def test_same_seed_gives_the_same_weights_bit_for_bit():
    models = mlp(), mlp()
    histories = [train(model, held_out=HELD_OUT) for model in models]
    assert same_weights(*models)
    assert histories[0] == histories[1]


def test_other_seed_gives_other_weights():
    models = mlp(), mlp()
    for seed, model in enumerate(models):
        train(model, seed)
    assert not same_weights(*models)


def test_seed_offset_changes_the_default_seed_only(monkeypatch):
    models = [mlp() for _ in range(5)]
    monkeypatch.delenv("PIXELAR_SEED_OFFSET", raising=False)
    train(models[0], seed=None)
    train(models[1], seed=0)
    monkeypatch.setenv("PIXELAR_SEED_OFFSET", "1")
    train(models[2], seed=None)
    train(models[3], seed=1)
    train(models[4], seed=0)
    assert same_weights(models[0], models[1]) and same_weights(models[2], models[3])
    assert not same_weights(models[0], models[2])
    assert same_weights(models[0], models[4])


def test_global_randomness_is_neither_used_nor_changed():
    models = mlp(), mlp()
    train(models[0])
    torch.manual_seed(99)
    before = torch.get_rng_state()
    train(models[1])
    assert torch.equal(torch.get_rng_state(), before)
    assert same_weights(*models)


def test_bytes_and_longs_give_the_same_weights():
    models = mlp(), mlp()
    train(models[0], inputs=STRIPES)
    train(models[1], inputs=STRIPES.to(torch.uint8))
    assert same_weights(*models)


def test_held_out_images_and_looks_do_not_change_the_training():
    models = mlp(), mlp()
    train(models[0])
    train(models[1], held_out=HELD_OUT, eval_every=1)
    assert same_weights(*models)


# What training does


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_loss_falls_from_near_log_k_to_near_zero(optimizer, schedule):
    model = mlp(dropout=0.0)
    history = train(
        model,
        held_out=HELD_OUT,
        steps=150,
        learning_rate=0.02,
        optimizer=optimizer,
        schedule=schedule,
        eval_every=5,
    )
    assert history.held_out_loss[0] > 0.5
    assert history.held_out_loss[-1] < 0.1
    assert history.training_loss[-1] < 0.1 < history.training_loss[0]


def test_conditional_model_learns_its_labels():
    model = ToyModel(3, num_classes=3)
    tokens = LABELS[:, None, None].expand(-1, *SIZE)  # the label is all there is to know
    train(
        model,
        inputs=tokens,
        labels=LABELS,
        held_out=tokens,
        held_out_labels=LABELS,
        steps=100,
        learning_rate=0.05,
    )
    assert evaluate(model, tokens, LABELS).nats_per_pixel < 0.1
    assert evaluate(model, tokens, LABELS.roll(1)).nats_per_pixel > 1


def test_shuffled_epochs_meet_every_image_once():
    settings = SimpleNamespace(batch_size=4, replacement=False)
    _, batch_of = training._batches(10, settings, seeded(), None)
    epochs = [torch.cat([batch_of(3 * epoch + step) for step in range(3)]) for epoch in range(2)]
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert not torch.equal(*epochs)
    assert [len(batch_of(step)) for step in range(3)] == [4, 4, 2]


def test_history_has_an_entry_at_each_look_and_at_the_end():
    history = train(mlp(), held_out=HELD_OUT, eval_every=5)
    assert history.steps == [5, 10, 12]
    assert len(history.training_loss) == len(history.held_out_loss) == 3
    assert train(mlp()).held_out_loss == []


@pytest.mark.parametrize(("steps", "looks"), [(1, 1), (19, 19), (20, 20), (30, 15), (41, 14)])
def test_there_are_at_most_20_looks_by_default(steps, looks):
    assert len(train(mlp(), steps=steps, batch_size=1).steps) == looks


def test_training_loss_is_the_mean_since_the_look_before():
    each = train(mlp(), eval_every=1).training_loss
    some = train(mlp(), eval_every=5).training_loss
    assert some == pytest.approx([sum(each[:5]) / 5, sum(each[5:10]) / 5, sum(each[10:]) / 2])


def test_held_out_loss_is_that_of_evaluate():
    model = mlp()
    history = train(model, held_out=HELD_OUT)
    assert history.held_out_loss[-1] == evaluate(model, HELD_OUT).nats_per_pixel


# The weights that a training begins with


def test_initialize_decides_whether_the_old_weights_count():
    trained, other = mlp(), mlp()
    train(trained, steps=100, learning_rate=0.02)
    start = evaluate(trained, HELD_OUT).nats_per_pixel
    again = train(trained, held_out=HELD_OUT, initialize=False, learning_rate=1e-4, eval_every=1)
    assert again.held_out_loss[0] == pytest.approx(start, abs=0.02)
    train(trained, initialize=True), train(other)  # both begin anew
    assert same_weights(trained, other)


def fitted(model):
    train(model)


def loaded(model):
    model.load_state_dict(mlp().state_dict())


def stepped(model):
    """Train in a loop of one's own."""
    model.training_loss(*model.prepare(STRIPES, None, seeded())).backward()


@pytest.mark.parametrize("earn", [fitted, loaded, stepped])
def test_weights_that_were_trained_or_loaded_are_not_lost_unasked(earn):
    model = mlp()
    earn(model)
    for one in [model] if earn is stepped else [model, copy.deepcopy(model)]:
        before = copy.deepcopy(one)
        with pytest.raises(ValueError, match=r"trained or loaded before.*initialize=False to go"):
            train(one)
        assert same_weights(one, before)


@pytest.mark.parametrize("initialize", [0, 1, "no"])
def test_initialize_is_true_or_false_or_left_out(initialize):
    with pytest.raises(TypeError, match=r"initialize is .*give True or False"):
        train(mlp(), initialize=initialize)
    model = mlp()
    train(model)
    before = copy.deepcopy(model)
    train(model, initialize=np.False_, learning_rate=1e-9)
    torch.testing.assert_close(model.state_dict(), before.state_dict(), rtol=0, atol=1e-6)


def test_frozen_parts_are_not_drawn_anew_unasked():
    model = ToyModel(3)
    model.embedding = nn.Embedding.from_pretrained(torch.full((3, 5), 7.0), freeze=True)
    with pytest.raises(ValueError, match="parts of it are frozen"):
        train(model)
    train(model, initialize=False)
    assert (model.embedding.weight == 7).all()


def test_what_a_wrapper_trained_is_trained():
    model = ToyModel(3)
    whole = Shifted(model)
    train(whole)
    with pytest.raises(ValueError, match="trained or loaded before"):
        train(copy.deepcopy(model))


def test_a_layer_of_torchs_with_parts_of_its_own_is_drawn_with_them():
    class Gated(nn.Linear):
        def __init__(self):
            super().__init__(5, 5)
            self.gate = nn.Linear(5, 5)

    layer = Gated()
    before = copy.deepcopy(layer)
    initialize(layer)
    assert not torch.equal(layer.gate.weight, before.gate.weight)
    with pytest.raises(TypeError, match="computed from others"):
        initialize(nn.utils.parametrizations.weight_norm(nn.Linear(5, 5)))


@pytest.mark.parametrize(
    ("module", "message"),
    [(nn.Linear(2, 2), r"cannot train a Linear: it lacks check_input, prepare, training_loss")],
)
def test_a_module_without_the_protocol_is_refused(module, message):
    with pytest.raises(TypeError, match=message):
        train(module)


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_happens(monkeypatch):
    model = mlp()
    before = copy.deepcopy(model)
    monkeypatch.setattr(CategoricalPixelPredictor, "prepare", lambda self, tokens, *rest: tokens)
    with pytest.raises(ValueError, match="prepare must return a tuple of tensors with a row for"):
        train(model)
    assert same_weights(model, before)


class Positions(nn.Module):
    """A bare parameter, as models with positions have."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))


def test_parameters_that_cannot_be_drawn_anew_are_refused_before_any_is_drawn():
    model = ToyModel(3)
    model.bare = Positions()
    before = copy.deepcopy(model)
    with pytest.raises(TypeError, match=r"Positions has parameters .* no reset_parameters\(\)"):
        train(model)
    assert same_weights(model, before)
    train(model, initialize=False)


class Careful(ToyModel):
    """Has an initialisation of its own: small weights, a bare parameter, a silent head."""

    def __init__(self):
        super().__init__(3)
        self.positions = nn.Parameter(torch.zeros(5))
        self.attention = nn.MultiheadAttention(4, 2)

    def reset_parameters(self):
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        nn.init.zeros_(self.head.weight)
        initialize(self.attention)


def test_a_model_answers_for_the_weights_below_it():
    model = Careful()
    before = copy.deepcopy(model)
    initialize(model)
    assert 0.01 < float(model.embedding.weight.detach().std()) < 0.03
    assert 0 < float(model.positions.detach().abs().max()) < 0.1
    assert not model.head.weight.any() and torch.equal(model.head.bias, before.head.bias)
    train(Careful(), steps=1)


def test_attention_is_drawn_anew_as_a_whole():
    draws = []
    for _ in range(2):
        attention = nn.MultiheadAttention(4, 2)
        for weights in attention.parameters():
            nn.init.constant_(weights, 7)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            initialize(attention)
        assert not any((weights == 7).any() for weights in attention.parameters())
        draws.append(attention)
    assert same_weights(*draws)


# What else can be trained: whatever keeps the protocol


def test_a_classifier_of_floats_is_trained_by_the_same_loop():
    images, model, again = shifted_stripes(), Classifier(), Classifier()
    data = {"labels": LABELS, "held_out": images, "held_out_labels": LABELS}
    history = train(model, inputs=images, steps=60, learning_rate=0.1, **data)
    assert history.held_out_loss[-1] < 0.1
    assert train(again, inputs=images, steps=60, learning_rate=0.1, **data) == history
    assert same_weights(model, again)
    with pytest.raises(ValueError, match="give greys and labels"):
        train(model, inputs=STRIPES, labels=LABELS)


def test_tokens_above_255_are_trained_on_as_they_are():
    model, seen = mlp(512), []
    tokens = STRIPES * 150  # 0, 150 and 300, which is 44 in 8 bits
    training_loss = model.training_loss
    model.training_loss = lambda *batch: seen.append(batch[0].max()) or training_loss(*batch)
    train(model, inputs=tokens)
    assert max(seen) == 300


# The rest


def test_every_module_gets_its_own_mode_back():
    model = mlp().eval()
    model.layers[2].train()
    before = [module.training for module in model.modules()]
    train(model)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(FloatingPointError):
        train(model, learning_rate=1e30, initialize=True)
    assert [module.training for module in model.modules()] == before


def test_variable_decides_the_device(monkeypatch):
    monkeypatch.setenv("PIXELAR_DEVICE", "gpu")
    with pytest.raises(ValueError, match="'gpu' is not on this machine"):
        train(mlp(), device="auto")
    with pytest.raises(ValueError, match="'gpu' is not on this machine"):
        fit(mlp(), STRIPES, steps=1)  # auto is the default
    monkeypatch.setenv("PIXELAR_DEVICE", "cpu")
    model = mlp()
    train(model, device="auto")
    assert model.device == torch.device("cpu")


# Batches that are prepared in a way of their own, and 16-bit products


class Binarizing(CategoricalPixelPredictor):
    """Trains on grey images, which become black and white anew at each step."""

    def check_input(self, tokens, labels=None):
        if tokens.dtype != torch.uint8:
            super().check_input(tokens, labels)

    def prepare(self, images, labels, generator):
        return super().prepare(binarize(images, generator), labels, generator)


def test_binarized_images_are_drawn_anew_at_each_step():
    grey = torch.full((8, 6, 6), 102, dtype=torch.uint8)  # white with probability 0.4
    history = train(Binarizing(2, 4, 4, 16, 0.0), inputs=grey, steps=300, learning_rate=0.01)
    entropy = -0.4 * math.log(0.4) - 0.6 * math.log(0.6)  # nothing to learn by heart
    assert history.training_loss[-1] == pytest.approx(entropy, abs=0.04)


def slow_16_bit(monkeypatch, gain):
    monkeypatch.setattr(optimization, "bfloat16_gain", lambda device: gain)


def test_slow_16_bit_products_are_named(monkeypatch):
    slow_16_bit(monkeypatch, 0.025)
    with pytest.warns(UserWarning, match=r"40.0 times slower than 32-bit.*precision='auto'"):
        train(build("pixelcnn").train(), steps=1, precision="bfloat16")
    slow_16_bit(monkeypatch, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(build("pixelcnn"), steps=1, precision="bfloat16").precision == "bfloat16"


@pytest.mark.parametrize(("gain", "chosen"), [(0.025, "float32"), (2.0, "bfloat16")])
def test_auto_takes_the_faster_precision_and_records_it(monkeypatch, gain, chosen):
    slow_16_bit(monkeypatch, gain)
    model, expected = build("pixelcnn"), build("pixelcnn")
    assert train(model, precision="auto").precision == chosen
    train(expected, precision=chosen)
    assert same_weights(model, expected)


def test_16_bit_products_are_measured_in_a_moment():
    gain = optimization.bfloat16_gain(torch.device("cpu"), size=32)
    assert 0 < gain < 1000


@pytest.mark.filterwarnings("ignore:16-bit products")
def test_training_with_16_bit_products_learns_and_keeps_32_bit_weights():
    model = build("pixelcnn").train()
    history = train(model, steps=60, precision="bfloat16", learning_rate=0.01)
    assert history.training_loss[-1] < 0.5 < history.training_loss[0]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    exact = build("pixelcnn").train()
    train(exact, steps=60, learning_rate=0.01)
    assert not same_weights(model, exact)


# The schedule


def test_cosine_falls_from_the_peak_to_zero():
    rates = [learning_rate_at(step, 100, 2.0) for step in range(100)]
    assert rates[0] == 2.0 and rates[50] == pytest.approx(1.0)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.001
    assert learning_rate_at(25, 100, 2.0) == pytest.approx(1 + math.cos(math.pi / 4))


def test_constant_stays_and_warm_up_rises_in_a_line():
    assert [learning_rate_at(step, 10, 2.0, "constant") for step in (0, 9)] == [2.0, 2.0]
    warm = [learning_rate_at(step, 10, 2.0, "constant", warmup_steps=4) for step in range(6)]
    assert warm == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    assert learning_rate_at(4, 10, 2.0, "cosine", warmup_steps=4) == 2.0
    assert learning_rate_at(7, 10, 2.0, "cosine", warmup_steps=4) == pytest.approx(1.0)
    assert learning_rate_at(9, 10, 2.0, "cosine", warmup_steps=10) == 2.0
    with pytest.raises(ValueError, match=r"schedule 'linear' .* choose one of \['cosine'"):
        learning_rate_at(0, 10, 2.0, "linear")


def test_fit_follows_the_schedule(monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def record(self):
        rates.append(self.param_groups[0]["lr"])
        return step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    train(mlp(), learning_rate=0.01, warmup_steps=3)
    assert rates == [learning_rate_at(step, 12, 0.01, "cosine", 3) for step in range(12)]


# A loss that is not finite


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_before_the_weights_change(monkeypatch, loss):
    model, reference = mlp(), mlp()
    train(reference, steps=7, schedule="constant")
    training_loss, calls = CategoricalPixelPredictor.training_loss, []

    def fail_at_step_8(self, *arguments):
        calls.append(1)
        value = training_loss(self, *arguments)
        return value * loss if len(calls) == 8 else value

    monkeypatch.setattr(CategoricalPixelPredictor, "training_loss", fail_at_step_8)
    with pytest.raises(FloatingPointError, match=rf"at step 8 the loss is {loss}.*smaller learn"):
        train(model, schedule="constant")
    assert same_weights(model, reference)


def test_gradient_that_is_not_finite_stops_too(monkeypatch):
    training_loss = CategoricalPixelPredictor.training_loss

    def infinite_slope(self, *arguments):
        zero = self.embedding.weight.square().sum() * 0
        return training_loss(self, *arguments) + zero.sqrt()

    monkeypatch.setattr(CategoricalPixelPredictor, "training_loss", infinite_slope)
    model = mlp()
    with pytest.raises(FloatingPointError, match=r"at step 1 the loss is .* its gradient nan"):
        train(model)
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"warmup_steps": -1}, "warmup_steps is -1; it must be at least 0"),
        ({"eval_every": 0}, "eval_every is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"optimizer": "sgd"}, r"optimizer 'sgd' does not exist; choose one of \['adam', 'adamw'"),
        ({"schedule": "linear"}, "schedule 'linear' does not exist"),
        ({"learning_rate": 0}, r"learning_rate \(0.0\) must be above 0"),
        ({"learning_rate": math.nan}, r"learning_rate \(nan\)"),
        ({"learning_rate": math.inf}, r"learning_rate \(inf\).*finite"),
        (
            {"precision": "float16"},
            r"precision 'float16' .* one of \['auto', 'float32', 'bfloat16'\]",
        ),
        ({"weight_decay": -1}, r"weight_decay \(-1.0\) at least 0"),
        ({"inputs": STRIPES[:0]}, "nothing to train on: inputs has length 0"),
        ({"inputs": STRIPES[0]}, r"tokens\[None\]"),
        ({"inputs": STRIPES + 1}, "must be 0 to 2"),
        ({"labels": LABELS}, "has no labels"),
        ({"held_out": HELD_OUT[:0]}, "nothing to look at: held_out has length 0"),
        ({"held_out": HELD_OUT + 1}, "must be 0 to 2"),
        ({"held_out": HELD_OUT, "held_out_labels": LABELS[:4]}, "has no labels"),
        ({"held_out_labels": LABELS[:4]}, "but no held_out"),
        ({"device": "tpu"}, "device 'tpu' is not on this machine"),
    ],
)
def test_bad_arguments_are_refused_before_anything_happens(arguments, message):
    model = mlp()
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=message):
        train(model, **arguments)
    assert same_weights(model, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": STRIPES.float()}, "quantize"),
        ({"steps": 2.5}, "steps must be an int, not float"),
        ({"batch_size": True}, "batch_size must be an int, not bool"),
        ({"generator": 42}, "generator is 42; give a torch.Generator"),
        ({"warmup_steps": None}, "warmup_steps must be an int, not NoneType"),
        ({"learning_rate": None}, "learning_rate is None; give a number"),
        ({"weight_decay": "1e-2"}, "weight_decay is '1e-2'; give a number"),
        ({"replacement": "False"}, "replacement is 'False'; give True or False"),
        ({"inputs": None}, "inputs must be a tensor of examples, not NoneType"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        train(mlp(), **arguments)


def test_conditional_model_asks_for_both_kinds_of_labels():
    with pytest.raises(ValueError, match="conditional: give labels"):
        train(ToyModel(3, num_classes=3))
    with pytest.raises(ValueError, match="conditional: give labels"):
        train(ToyModel(3, num_classes=3), labels=LABELS, held_out=HELD_OUT)


def test_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="UniformBaseline has no parameters to train"):
        train(UniformBaseline(3))


def test_any_model_of_the_contract_that_has_parameters_can_be_fitted():
    for name in ("post", "neighbourhood", "toy", "conditional post"):
        model = build(name)
        labels = labels_for(model, 3)
        assert train(model, inputs=some_tokens(3, SIZE, 3), labels=labels).steps[-1] == 12


# A reader's own settings, and other threads


@pytest.mark.parametrize("setting", SETTINGS)
def test_training_is_the_same_whatever_a_reader_has_set(setting):
    models = mlp(), mlp()
    expected = train(models[0], held_out=HELD_OUT, replacement=False)
    with SETTINGS[setting]():
        found = train(models[1], held_out=HELD_OUT, replacement=False)
    assert found == expected and same_weights(*models)


def in_thread(act):
    """Run a function in another thread; return what it returned or raised."""
    box = []

    def run():
        try:
            box.append(act())
        except Exception as error:
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return box[0]


def test_a_model_in_training_is_refused_to_other_threads(monkeypatch):
    model, found = mlp(), []
    training_loss = CategoricalPixelPredictor.training_loss

    def while_training(self, *batch):
        if not found:
            found.append(in_thread(lambda: sample(model, 1, image_size=2)))
            with pytest.raises(RuntimeError):
                in_this = nn.Sequential(model)  # what holds it, or is held by it, is in use, too
                raise in_thread(lambda: evaluating(in_this).__enter__())
            found.append(in_thread(lambda: train(model, initialize=False)))
            found.append(in_thread(lambda: sample(copy.deepcopy(model), 1, image_size=2)))
        return training_loss(self, *batch)

    monkeypatch.setattr(CategoricalPixelPredictor, "training_loss", while_training)
    train(model)
    assert all("another thread is training this model" in str(error) for error in found[:2])
    assert all(isinstance(error, RuntimeError) for error in found[:2])
    assert found[2].shape == (1, 2, 2)  # a copy is free
    monkeypatch.undo()
    undisturbed = mlp()
    train(undisturbed)
    assert same_weights(model, undisturbed)
    assert sample(model, 1, image_size=2).shape == (1, 2, 2)


def test_a_part_is_in_evaluation_until_the_last_thread_leaves_it():
    model = mlp(dropout=0.5).train()
    whole, inside, leave = nn.Sequential(model), threading.Event(), threading.Event()

    def hold():
        with evaluating(whole):
            inside.set()
            leave.wait()

    other = threading.Thread(target=hold)
    other.start()
    inside.wait()
    with evaluating(model):
        leave.set()
        other.join()
        assert not model.training and not model.layers[2].training
    assert model.training and model.layers[2].training and whole.training


def test_a_model_in_evaluation_is_not_trained_by_another_thread():
    model = mlp()
    with evaluating(model):
        refused = in_thread(lambda: train(model))
        train(copy.deepcopy(model))  # a copy is free
    assert isinstance(refused, RuntimeError) and "being evaluated" in str(refused)


def test_threads_that_sample_together_draw_as_one_would():
    model = mlp(dropout=0.5).train()
    expected = sample(mlp_copy := copy.deepcopy(model).eval(), 3, image_size=6)
    assert not mlp_copy.training
    found = []

    def draw():
        found.append(sample(model, 3, image_size=6))

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(torch.equal(drawn, expected) for drawn in found)
    assert all(module.training for module in model.modules())


# The progress bar


def test_progress_bar_is_shown_unless_its_argument_hides_it(monkeypatch, capsys):
    shown = functools.partial(training.tqdm, disable=False)  # whatever the environment says
    monkeypatch.setattr(training, "tqdm", shown)
    train(mlp(), progress=True)
    assert "12/12" in capsys.readouterr().err
    train(mlp(), progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow  # a process of its own
def test_progress_bar_is_hidden_by_its_variable():
    code = "from pixelar_lib.training import _steps; print([*_steps(1, 4, progress=True)])"
    environment = {**os.environ, "TQDM_DISABLE": "1"}  # tqdm reads it when it is imported
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, b"[1, 2, 3]", b"")
