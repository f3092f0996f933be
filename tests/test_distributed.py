"""Two processes train as one: the same weights and losses, one writer, and no waiting for ever."""

import os
import subprocess
import sys
from pathlib import Path

import distributed_cases as cases
import pytest
import readme_commands
import torch
from models_under_test import MODELS, build, labels_for, some_tokens
from small_trainings import LABELS, Classifier, seeded, shifted_stripes
from tiny_recipes import files_in, record_in, run, weights_file, without_times

from experiments.trainables import Redrawing
from pixelar_lib import distributed, training
from pixelar_lib.zoo import DATA_KINDS

TESTS = Path(__file__).parent
RANKS = (0, 1)
TIME_LIMIT = 500  # seconds; a start takes 10 to 20 where nothing else runs


def two_processes(test):
    """Mark a test that looks at what two processes of torchrun did."""
    on_linux = pytest.mark.skipif(sys.platform != "linux", reason="torchrun is tested on Linux")
    return pytest.mark.slow(on_linux(test))


def torchrun(*arguments, **environment):
    """Run a script of this folder in two processes; return its exit status and what it printed."""
    command = readme_commands.torchrun(*arguments)
    settings = {"OMP_NUM_THREADS": "1", "PIXELAR_DEVICE": "cpu", "GLOO_SOCKET_IFNAME": "lo"}
    paths = os.pathsep.join([str(TESTS.parent), *sys.path])
    environment = {**os.environ, **settings, "PYTHONPATH": paths, **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, cwd=TESTS, **pipes) as process:
        try:
            printed = process.communicate(timeout=TIME_LIMIT)[0]
        except subprocess.TimeoutExpired:
            process.terminate()  # it ends the two first
            pytest.fail(f"no end after {TIME_LIMIT} s: {process.communicate(timeout=60)[0]}")
    return process.returncode, printed


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory):
    """The folder that two processes filled with all of distributed_cases.py; what they printed."""
    folder = tmp_path_factory.mktemp("of two")
    status, printed = torchrun("distributed_cases.py", folder, TQDM_DISABLE="")
    assert status == 0, printed
    return folder, printed


@pytest.fixture(scope="module")
def of_two(run_of_two):
    """What each of two processes got from each case."""
    return [torch.load(run_of_two[0] / f"{rank}.pt") for rank in RANKS]


def assert_same(found, expected, **tolerances):
    """Compare weights, losses and the state of the generator."""
    torch.testing.assert_close(found["weights"], expected["weights"], **tolerances)
    for kind in ("steps", "training_loss", "held_out_loss"):
        losses = [torch.tensor(one["history"][kind]).double() for one in (found, expected)]
        torch.testing.assert_close(*losses, **tolerances)
    assert torch.equal(found["next"], expected["next"])


@pytest.mark.parametrize("name", cases.CASES)
@two_processes
def test_two_processes_train_as_one_does(of_two, name):
    expected = cases.run_case(name)
    for found in of_two:  # measured: equal within 1e-14
        assert_same(found[name], expected, rtol=0, atol=1e-12)


@two_processes
def test_numbers_of_32_bits_are_rounded_a_little_differently(of_two):
    expected = cases.train(cases.network(), batch_size=5)
    for found in of_two:  # measured: equal within 1.2e-7
        assert_same(found["float32"], expected, rtol=0, atol=1e-6)


@two_processes
def test_products_of_16_bits_are_rounded_otherwise_in_each_share(of_two):
    model = cases.build("pixelcnn")
    expected = cases.train(model, batch_size=5, precision="bfloat16")["history"]["training_loss"]
    for found in of_two:  # measured: equal within 0.002
        losses = found["bfloat16"]["history"]["training_loss"]
        assert losses == pytest.approx(expected, abs=0.01)
    assert losses[-1] < losses[0] - 0.03


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@two_processes
def test_after_a_break_both_go_on_from_the_file_of_the_first(of_two, dropout):
    for found in of_two:
        assert_same(found[f"broken {dropout}"], of_two[0][f"whole {dropout}"], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("damaged", "ValueError: checkpoint .* is truncated, damaged .* or none at all"),
        ("batch of 1", "ValueError: a batch of 1 cannot be shared by 2 processes"),
        ("seeds", "ValueError: .*must train alike.*'seed': 0.*'seed': 1"),
        ("data", "ValueError: .*must train alike"),
        ("not finite", "FloatingPointError: at step 1 the loss is nan"),
    ],
)
@two_processes
def test_a_mistake_of_one_process_stops_both_alike(of_two, mistake, message):
    first, second = (found["errors"][mistake] for found in of_two)
    assert first == second
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(first)


@two_processes
def test_command_goes_on_after_a_break_to_one_record_of_one_process(
    run_of_two, tmp_path, monkeypatch
):
    folder, printed = run_of_two
    assert printed.count("seed 0: test") == 1
    _, again = printed.split(cases.AGAIN)
    assert again.count(" 6/12") == 1  # one progress bar, from where the training was
    assert_written_as_by_one(folder / "command", *run(monkeypatch, tmp_path, "tiny-mlp"))


@two_processes
def test_command_goes_on_after_kills_to_one_record_of_one_process(tmp_path, monkeypatch):
    whole, assets = run(monkeypatch, tmp_path / "one", "tiny-mlp")
    folder = tmp_path / "two"
    arguments = ("tiny_recipes.py", "tiny-mlp", folder)
    status, printed = torchrun(*arguments, DIE_AT="5")  # both
    assert status != 0 and "seed 0" not in printed
    assert os.listdir(folder / "checkpoints") == ["tiny-mlp-0.pt"]
    assert os.listdir(folder / "assets") == []
    status, printed = torchrun(*arguments, DIE_AT="5", DIE_RANK="1")  # the first must not wait
    assert status != 0 and "seed 0" not in printed
    saved = torch.load(folder / "checkpoints" / "tiny-mlp-0.pt", weights_only=True)
    assert saved["step"] == 6
    status, printed = torchrun(*arguments, TQDM_DISABLE="")
    assert status == 0, printed
    assert printed.count("seed 0: test") == 1
    assert printed.count(" 6/12") == 1
    assert_written_as_by_one(folder, whole, assets)


def assert_written_as_by_one(folder, whole, assets):
    """Compare what two processes wrote with what one did."""
    assert os.listdir(folder / "checkpoints") == []
    assert files_in(folder / "assets") == files_in(assets)
    record = record_in(folder / "assets", "tiny-mlp")
    assert record["machine"].pop("processes") == 2 and whole["machine"].pop("processes") == 1
    record["machine"].pop("threads"), whole["machine"].pop("threads")
    assert_records_agree(without_times(record), without_times(whole))
    name = weights_file("tiny-mlp")
    assert (folder / "assets" / name).read_bytes() == (assets / name).read_bytes()


def assert_records_agree(found, expected):
    """Compare nested dicts and lists, numbers within what 64 bits round."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = [*found.values()], [*expected.values()]
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_records_agree(*pair)
    else:
        assert found == (
            pytest.approx(expected, abs=1e-9) if isinstance(expected, float) else expected
        )


# The parts, in one process


def prepared(name):
    """Return what trains, in double precision, and a batch of five that it has prepared."""
    if name == "no pixel model":
        model, inputs, labels = Classifier(), shifted_stripes()[:5].double(), LABELS[:5]
    elif name == "noise":
        model = Redrawing(build("pixelcnn", num_bins=2), DATA_KINDS["binarized"])
        inputs, labels = some_tokens(5, (4, 5), 256).to(torch.uint8), None
    else:
        model, inputs = build(name), some_tokens(5, (4, 5), 3)
        labels = labels_for(model, 5)
    return model.double(), model.prepare(inputs, labels, seeded(2))


TRAINED = [name for name in MODELS if build(name).num_parameters] + ["noise", "no pixel model"]


@pytest.mark.parametrize("number", [1, 2, 3, 5])
@pytest.mark.parametrize("name", TRAINED)
def test_shares_of_a_prepared_batch_add_up_to_its_loss(name, number, monkeypatch):
    model, batch = prepared(name)
    assert {len(part) for part in batch} == {5}
    monkeypatch.setattr(distributed, "num_processes", lambda: number)
    rows, losses = [], []

    def seen(*share):
        rows.append(share)
        return model.training_loss(*share)

    for rank in range(number):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        losses.append(distributed._share_of(seen)(*batch))
    torch.testing.assert_close(sum(losses) / number, model.training_loss(*batch))
    for part, shares in zip(batch, zip(*rows, strict=True), strict=True):
        assert torch.equal(torch.cat(shares), part)  # each row in one share, all parts alike


def test_a_batch_smaller_than_the_processes_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "num_processes", lambda: 6)
    model, batch = prepared("no pixel model")
    with pytest.raises(ValueError, match="a batch of 5 cannot be shared by 6 processes"):
        distributed._share_of(model.training_loss)(*batch)


def test_without_torchrun_there_is_one_process():
    with distributed.processes():
        assert not torch.distributed.is_initialized()
        assert (distributed.num_processes(), distributed.rank()) == (1, 0)
        assert distributed.from_first(lambda: 3) == 3


@pytest.fixture
def second_of_two(monkeypatch):
    """What torchrun sets in the second of two processes; the calls that join them are noted."""
    calls = []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    join = lambda backend, **settings: calls.append((backend, *settings.values()))  # noqa: E731
    monkeypatch.setattr(torch.distributed, "init_process_group", join)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: calls.append("end"))
    return calls


def test_each_process_takes_the_gpu_of_its_local_rank(second_of_two, monkeypatch):
    monkeypatch.setenv("PIXELAR_DEVICE", "cuda")
    with distributed.processes():
        pass
    gpu = torch.device("cuda:1")
    assert second_of_two == [gpu, ("nccl", distributed.PATIENCE), "end"]


def test_processes_on_cpus_join_through_gloo_and_do_not_wait_after_an_error(
    second_of_two, monkeypatch
):
    monkeypatch.setenv("PIXELAR_DEVICE", "cpu")
    with pytest.raises(KeyError), distributed.processes():
        raise KeyError
    assert second_of_two == [("gloo", distributed.PATIENCE)]


def test_more_processes_than_gpus_are_refused(second_of_two, monkeypatch):
    monkeypatch.setenv("PIXELAR_DEVICE", "cuda")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="'cuda:2' is not on this machine"):
        distributed.processes().__enter__()


def test_device_without_a_backend_is_refused(second_of_two, monkeypatch):
    monkeypatch.setattr(distributed, "pick_device", lambda: torch.device("mps"))
    with pytest.raises(ValueError, match="cannot share a training on mps; use cpu or cuda"):
        distributed.processes().__enter__()
    assert second_of_two == []


def test_processes_draw_different_dropout_and_the_same_again(monkeypatch):
    monkeypatch.setattr(distributed, "num_processes", lambda: 2)
    drawn = {}
    for rank, step in [(0, 3), (1, 3), (0, 4), (0, 3)]:
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        with torch.random.fork_rng([]):
            distributed.seed_step(7, step)
            number = float(torch.rand(()))
        assert drawn.setdefault((rank, step), number) == number
    assert len({*drawn.values()}) == 3


def test_only_the_first_process_shows_a_progress_bar(monkeypatch):
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert training._steps(0, 3, True).disable
