"""Side-by-side timings of the post's algorithm and of the library: make bench."""

import pixelar_lib  # noqa: F401  before torch, which reads a setting of ours when it is loaded
