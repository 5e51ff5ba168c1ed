"""Merkle trees as in RFC 6962: one hash that stands for rows in their order."""

from __future__ import annotations

from functools import reduce
from hashlib import sha256

# A leaf is never mistaken for a node, so no other rows have the same root.
_LEAF, _NODE = b"\0", b"\1"


def leaf(content: bytes) -> bytes:
    """The hash of a row's content, to be added to a tree."""
    return sha256(_LEAF + content).digest()


class MerkleTree:
    """A tree to which leaves are added one by one.

    It stores the root of each whole subtree only, the largest first.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, hash_: bytes) -> None:
        # Each 1 at the end of the size in binary is a stored subtree as large as the new one.
        size = self.size
        while size & 1:
            hash_ = _node(self._roots.pop(), hash_)
            size >>= 1
        self._roots.append(hash_)
        self.size += 1

    def root(self) -> bytes:
        """The hash of all leaves so far."""
        if not self._roots:
            return sha256().digest()
        return reduce(lambda right, left: _node(left, right), reversed(self._roots))


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()
