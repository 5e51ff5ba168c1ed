"""Read models of this release's own version of the fold; those of another one are not read.

Another version folds the same events otherwise, and writes states that this one may not be able to
read. So an answer is refused rather than made of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Cursor
from psycopg.rows import TupleRow

from projector.infrastructure.database import Pool, consistent_read
from projector.projection.partitions import OtherFold
from projector.projection.read_models import FOLD_VERSION

_FOLD_VERSION = "SELECT max(fold_version) FROM projections WHERE position > 0"


@contextmanager
def read_views(pool: Pool) -> Iterator[Cursor[TupleRow]]:
    """A cursor whose queries all see the read models at one moment; OtherFold if not our own."""
    with consistent_read(pool) as cur:
        reason = other_fold(cur)
        if reason is not None:
            raise OtherFold(reason)
        yield cur


def other_fold(cur: Cursor[TupleRow]) -> str | None:
    """Why the read models cannot be read, in a sentence; null where they can."""
    row = cur.execute(_FOLD_VERSION).fetchone()
    version = row[0] if row else None
    if version in (None, FOLD_VERSION):
        return None
    return (
        f"The read models are of version {version} of the fold, and this release reads version"
        f" {FOLD_VERSION}: `projector run` of this release or `projector rebuild` fills them anew."
    )
