"""The Pixel Lab's random numbers are torch's, and its exp and log are exact to the last bits."""

import math

import pytest
import torch
from lab_engine import ask_lab, needs_node, run_lab

pytestmark = needs_node

SEEDS = [*range(10), 42, 1234, 2**31 - 1, 2**31 + 5, 2**32 - 1, 2**32, 2**32 + 7]
SEEDS += [2**53 - 1, 2**64 - 1, -(2**63)]
COUNT = 10_000


def test_uniform_numbers_are_those_of_torch():
    assert len(SEEDS) == 20
    jobs = [{"job": "integers", "seed": str(seed), "count": COUNT} for seed in SEEDS]
    for seed, integers in zip(SEEDS, run_lab(*jobs), strict=True):
        expected = torch.rand(COUNT, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.tensor(integers, dtype=torch.float64) * 2**-24, expected.double())


def test_plain_numbers_are_seeds_too():
    seeds = [3, 2**32 + 7, -1]
    plain = run_lab(*({"job": "integers", "seed": seed, "count": 5} for seed in seeds))
    assert plain == run_lab(*({"job": "integers", "seed": str(s), "count": 5} for s in seeds))


@pytest.mark.parametrize("seed", [0.5, None, 2**53, str(2**64), str(-(2**63) - 1)])
def test_what_is_no_seed_is_refused(seed):
    [answer] = ask_lab({"job": "integers", "seed": seed, "count": 1})
    assert "the seed is" in answer["error"] and "it must be" in answer["error"]


def test_exp():
    values = torch.linspace(-745, 709, 20_001, dtype=torch.float64).tolist()
    values += torch.linspace(-40, 2, 20_001, dtype=torch.float64).tolist()
    values += [0.0, 1e-300, -1e-17, 0.5 * math.log(2), 709.782712893384]
    found = call("exp", values)
    expected = [math.exp(value) for value in values]
    assert all(abs(a - b) <= 2 * math.ulp(b) for a, b in zip(found, expected, strict=True))
    assert call("exp", [0, -746, 710]) == [1, 0, math.inf]


def test_log():
    values = [math.exp(value) for value in torch.linspace(-745, 709, 20_001).tolist()]
    values += torch.linspace(1e-9, 2, 20_001, dtype=torch.float64).tolist()
    values += [1.0, math.nextafter(1, 0), math.nextafter(1, 2), math.sqrt(2), 2**-24, 5e-324]
    found = call("log", values)
    expected = [math.log(value) for value in values]
    assert all(abs(a - b) <= 2 * math.ulp(b) for a, b in zip(found, expected, strict=True))
    assert call("log", [1, 0, 2**-1074]) == [0, -math.inf, math.log(2**-1074)]
    assert math.isnan(call("log", [-1])[0])


def test_every_float16_is_read():
    halves = [half for half in range(2**16) if half & 0x7C00 != 0x7C00]  # all that are finite
    expected = torch.tensor(halves).to(torch.uint16).view(torch.float16).double()
    assert torch.equal(torch.tensor(call("decodeHalf", halves)).double(), expected)


def call(name, values):
    """Return what a function of the lab makes of each of some numbers."""
    [results] = run_lab({"job": "call", "name": name, "values": values})
    return [float(result.replace("Infinity", "inf")) for result in results]
