"""pixelar_lib: the tested library behind the book "Generating Pixels One by One"."""

import os

__version__ = "0.1.0"

# Threads that wait for each other sleep instead of spinning: on a computer that is busy with
# something else, many small steps else take up to twenty times as long. Torch reads this when it
# is loaded, so import this package first, or set the variable yourself.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
