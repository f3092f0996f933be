"""pixelar_lib: the tested library behind the book "Generating Pixels One by One"."""

__version__ = "1.0.0"
