"""The Merkle tree is that of RFC 6962, for any number of leaves."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projector.event_log.seal.merkle import MerkleTree, leaf

# The entries with which implementations of Certificate Transparency are tested, and the roots of
# trees of the first entry, the first two, and so on.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree_of(leaves):
    tree = MerkleTree()
    for each in leaves:
        tree.add(each)
    return tree


def root_of(leaves):
    """As the RFC says it: the left part is the largest power of two that leaves something."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return sha256(b"\1" + root_of(leaves[:left]) + root_of(leaves[left:])).digest()


@pytest.mark.parametrize(("size", "root"), [*enumerate(ROOTS)])
def test_the_known_roots(size, root):
    """Those that other implementations give."""
    tree = tree_of(leaf(bytes.fromhex(entry)) for entry in ENTRIES[:size])
    assert (size, root) == (tree.size, tree.root().hex())


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70))
def test_the_root_is_that_of_the_definition(contents):
    """Kept piece by piece or worked out from the top, it is the same."""
    leaves = [leaf(content) for content in contents]
    assert root_of(leaves) == tree_of(leaves).root()


def test_a_node_is_no_leaf():
    """Two leaves have another root than one leaf that says what is hashed of both."""
    both = [leaf(b"a"), leaf(b"b")]
    assert tree_of(both).root() != tree_of([leaf(b"".join(both))]).root()
