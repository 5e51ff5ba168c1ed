"""Garbage: what a page or an answer makes is freed by count; cycles are looked for rarely.

The collector walks what lives each time some hundred objects were made: many times in a page or in
the answer of a large list, and none of these walks finds anything.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_RARELY = (100_000, 50, 1_000)


def collect_rarely() -> None:
    """From here on in this process."""
    gc.collect()
    gc.freeze()  # what is there now stays
    gc.set_threshold(*_RARELY)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """For a while."""
    usual = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
