"""The Merkle tree of a history (RFC 6962, section 2.1): its root, and the proofs that one hash or one size lies in it.

A leaf is hashed behind the byte 0 and a node behind the byte 1, so that no node passes for a leaf. A tree of n leaves
splits at the greatest power of two below n. Functions that prove ask `of(low, high)` for the hash of the leaves from
`low` up to `high`, so that whoever knows subtrees need not read them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()
SIZE = 32  # bytes of a hash

Of = Callable[[int, int], bytes]


def leaf(content: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\0" + content).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows at its end, by the roots of its perfect subtrees alone: at most log2(size) + 1 of them.

    peaks  the greatest subtree first: one for each 1 in the binary digits of `size`
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size, self.peaks = size, list(peaks)
        if len(self.peaks) != size.bit_count() or any(len(peak) != SIZE for peak in self.peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks of {SIZE} bytes")

    def add(self, content: bytes) -> None:
        """Add one leaf at the end."""
        found, size = leaf(content), self.size
        while size & 1:
            found = node(self.peaks.pop(), found)
            size >>= 1
        self.peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.peaks:
            return EMPTY
        found = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            found = node(peak, found)
        return found

    def subtrees(self) -> dict[tuple[int, int], bytes]:
        """The peaks by the leaves that each holds."""
        found, low = {}, 0
        for peak in self.peaks:
            high = low + split(self.size - low + 1)
            found[low, high] = peak
            low = high
        return found


def split(count: int) -> int:
    """The greatest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def of_leaves(leaves: Sequence[bytes]) -> Of:
    """Subtrees of leaves that are all at hand."""

    def of(low: int, high: int) -> bytes:
        grown = Frontier()
        for content in leaves[low:high]:
            grown.add(content)
        return grown.root()

    return of


def inclusion(place: int, size: int, of: Of) -> list[bytes]:
    """The hashes that lead from leaf `place` (from 0) to the root of `size` leaves, the nearest first (2.1.1)."""
    if not 0 <= place < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {place}")
    return _path(place, 0, size, of)


def _path(place: int, low: int, high: int, of: Of) -> list[bytes]:
    if high - low == 1:
        return []
    middle = low + split(high - low)
    if place < middle:
        return [*_path(place, low, middle, of), of(middle, high)]
    return [*_path(place, middle, high, of), of(low, middle)]


def consistency(first: int, second: int, of: Of) -> list[bytes]:
    """The hashes which show that a tree of `first` leaves is the beginning of one of `second` (2.1.2)."""
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} leaves is not the beginning of one of {second}")
    return _sub(first, 0, second, of, True)


def _sub(first: int, low: int, high: int, of: Of, whole: bool) -> list[bytes]:
    if first == high:
        return [] if whole else [of(low, high)]
    middle = low + split(high - low)
    if first <= middle:
        return [*_sub(first, low, middle, of, whole), of(middle, high)]
    return [*_sub(first, middle, high, of, False), of(low, middle)]


def root_by(place: int, size: int, content: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof of inclusion leads to; None where it has not the length for such a tree."""
    found, last, left = leaf(content), size - 1, list(proof)
    while last:
        if place & 1 or place < last:
            if not left:
                return None
            found = node(left.pop(0), found) if place & 1 else node(found, left.pop(0))
        place, last = place >> 1, last >> 1
    return None if left else found


def roots_by(first: int, second: int, start: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The two roots that a proof of consistency leads to; None where it has not the length for such trees.

    `start` is the root of the first tree, which stands for the first hash where the tree is perfect.
    """
    if first == second:
        return None if proof else (start, start)
    place, last, left = first - 1, second - 1, list(proof)
    while place & 1:
        place, last = place >> 1, last >> 1
    if place:
        if not left:
            return None
        start = left.pop(0)
    one = two = start
    while last:
        if place & 1 or place < last:
            if not left:
                return None
            beside = left.pop(0)
            one = node(beside, one) if place & 1 else one
            two = node(beside, two) if place & 1 else node(two, beside)
        place, last = place >> 1, last >> 1
    return None if left else (one, two)
