"""What readers may have set before they call the library, each as a context manager."""

import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch


@contextmanager
def changed(read, write, value):
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


@contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


SETTINGS = {
    "float64": partial(changed, torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "default device": partial(changed, lambda: None, torch.set_default_device, "meta"),
    "device context": partial(torch.device, "meta"),
    "deterministic": partial(
        changed, torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, "error"
    ),  # as use_deterministic_algorithms(True), which takes seconds to import what it needs
    "inference mode": torch.inference_mode,
    "numpy raises": partial(np.errstate, all="raise"),
    "warnings as errors": warnings_as_errors,
}
