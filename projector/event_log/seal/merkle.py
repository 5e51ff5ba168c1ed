"""Merkle trees as RFC 6962 has them: one hash that stands for rows in their order."""

from __future__ import annotations

from functools import reduce
from hashlib import sha256

# A leaf is never mistaken for a node, so no other rows have the same root.
_LEAF, _NODE = b"\0", b"\1"


def leaf(content: bytes) -> bytes:
    return sha256(_LEAF + content).digest()


class Tree:
    """Leaves come one by one; what is kept is the root of each whole subtree, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, hash_: bytes) -> None:
        # A one at the end of the size is a subtree as large as the one that grows here.
        size = self.size
        while size & 1:
            hash_ = _node(self._roots.pop(), hash_)
            size >>= 1
        self._roots.append(hash_)
        self.size += 1

    def root(self) -> bytes:
        if not self._roots:
            return sha256().digest()
        return reduce(lambda right, left: _node(left, right), reversed(self._roots))


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()
