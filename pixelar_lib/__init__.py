"""pixelar_lib: the tested library behind the book "Generating Pixels One by One"."""

__version__ = "0.1.0"
