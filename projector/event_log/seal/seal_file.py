"""The file of a seal: its parts, its text, and the check that its parts fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, reduce
from hashlib import sha256
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, ValidationError

from projector.contract.base import Shape
from projector.event_log.seal.merkle import MerkleTree, leaf
from projector.infrastructure.errors import ProjectorError

# The second one has the audit trail. Rows and segments are hashed as in the first one.
Format = Literal["projector-seal-1", "projector-seal-2"]
_FIRST_FORMAT, FORMAT = get_args(Format)
SEGMENT_EVENTS = 4096
EVENTS_TABLE = "events"
LEDGERS = ("duplicates", "conflicts", "quarantine", "audit_trail")
_LEDGERS_OF: Mapping[Format, Sequence[str]] = {_FIRST_FORMAT: LEDGERS[:3], FORMAT: LEDGERS}

_HASH_BYTES = 32
_MOST_POSITIONS_NAMED = 10  # in the text of a difference


class SealError(ProjectorError):
    """A seal cannot be made or read; the sentence says why."""


class _SealPart(Shape):
    """A part of a seal; bytes are written as hexadecimal digits."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="hex", val_json_bytes="hex")


Hash = Annotated[bytes, Field(min_length=_HASH_BYTES, max_length=_HASH_BYTES)]


class RowsDigest(_SealPart):
    """Rows of a table: how many, and the root of their Merkle tree."""

    rows: int
    root: Hash


class Segment(_SealPart):
    """4096 positions, the last segment fewer; and the ledgers' rows since the segment before it."""

    number: int
    position: int  # of its last event
    recorded_time: int  # of its last event; its rows of the ledgers are of times before that
    tables: dict[str, RowsDigest]
    leaves: list[Hash] | None = None  # of its events

    @property
    def positions(self) -> range:
        return range(first_position(self.number), self.position + 1)

    @property
    def is_full(self) -> bool:
        return len(self.positions) == SEGMENT_EVENTS

    @property
    def leaf_of(self) -> Mapping[int, bytes]:
        """The leaf of each position; empty where the seal has no leaves."""
        return dict(zip(self.positions, self.leaves or (), strict=False))


class Seal(_SealPart):
    """The log up to a position."""

    format: Format
    time: int  # at which it was made, epoch ms
    versions: dict[str, str]
    position: int
    believed: int  # up to this position an earlier seal was believed, and the log not read
    chain: Hash  # of the segments, one after the other
    segments: list[Segment]

    @property
    def believable(self) -> Sequence[Segment]:
        """The segments that a later seal may take over: full, with all that is sealed now."""
        return [it for it in self.segments if it.is_full and self.format == FORMAT]

    def json_text(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=1)


class SealDifference(Shape):
    """Rows of a segment that differ from those that were sealed."""

    segment: int
    first: int
    last: int
    table: str
    sealed_rows: int
    found_rows: int
    positions: Sequence[int]  # of events that differ, as far as that can be seen

    def text(self) -> str:
        more = len(self.positions) - _MOST_POSITIONS_NAMED
        named = ", ".join(map(str, self.positions[:_MOST_POSITIONS_NAMED]))
        return (
            f"{self.table} of segment {self.segment} (positions {self.first} to {self.last}):"
            f" {self.found_rows} rows found, {self.sealed_rows} sealed"
            f"{', not the same' if self.found_rows == self.sealed_rows else ''}"
            f"{f', at {named}' if named else ''}{f' and {more} more' if more > 0 else ''}"
        )


def segment_number(position: int) -> int:
    """The segment of a position."""
    return (position - 1) // SEGMENT_EVENTS


def first_position(number: int) -> int:
    """The first position of a segment."""
    return number * SEGMENT_EVENTS + 1


def row_leaf(table: str, row: bytes) -> bytes:
    """The leaf of a row, in the bytes in which the server sends it."""
    return leaf(_domain(table) + row)


def rows_digest(leaves: Iterable[bytes]) -> RowsDigest:
    """The digest of rows by their leaves, in their order."""
    tree = MerkleTree()
    for hash_ in leaves:
        tree.add(hash_)
    return RowsDigest(rows=tree.size, root=tree.root())


def chain_hash(segments: Iterable[Segment]) -> bytes:
    """One hash over all segments, each hashed together with the hash of those before it."""
    return reduce(_link, segments, bytes(_HASH_BYTES))


def _link(chain: bytes, segment: Segment) -> bytes:
    text = segment.model_dump_json(by_alias=True, exclude={"leaves"})
    return sha256(_domain("segment") + chain + text.encode()).digest()


@cache
def _domain(kind: str) -> bytes:
    """The prefix of hashed content, so that no content is mistaken for another kind."""
    return f"{_FIRST_FORMAT} {kind}\0".encode()


def read_seal(text: bytes) -> Seal:
    """The seal of a file, if its parts fit together; otherwise SealError.

    Whether it is the seal that was made, only the person who keeps the file knows.
    """
    try:
        seal = Seal.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "JSON"
        raise SealError(f"This is no seal that can be read: {field}: {first['msg']}.") from error
    if not _is_whole(seal):
        raise SealError("The seal was changed or cut: its parts do not fit together.")
    return seal


def _is_whole(seal: Seal) -> bool:
    segments = seal.segments
    return (
        seal.chain == chain_hash(segments)
        and seal.position == (segments[-1].position if segments else 0)
        and seal.believed <= seal.position
        and [segment.number for segment in segments] == [*range(segment_number(seal.position) + 1)]
        and all(segment.is_full for segment in segments[:-1])
        and all(_is_sound(segment, _LEDGERS_OF[seal.format]) for segment in segments)
    )


def _is_sound(segment: Segment, ledgers: Sequence[str]) -> bool:
    events = segment.tables.get(EVENTS_TABLE)
    return (
        [*segment.tables] == [EVENTS_TABLE, *ledgers]
        and events is not None
        and events.rows == len(segment.positions)
        and (segment.leaves is None or rows_digest(segment.leaves) == events)
    )
