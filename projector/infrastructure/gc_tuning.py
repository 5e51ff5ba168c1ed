"""The garbage collector's frequency: the objects of a batch or an answer are freed by their counts.

The collector looks for cycles each time some hundred objects were made. That is many times in a
batch or in the answer of a large list, and it finds nothing there.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_RARELY = (100_000, 50, 1_000)


def collect_rarely() -> None:
    """Collect rarely from now on in this process."""
    gc.collect()
    gc.freeze()  # what exists now stays, and is not looked at again
    gc.set_threshold(*_RARELY)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Collect rarely while the block runs."""
    usual = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
