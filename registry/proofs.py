"""Proofs for somebody without the database: an event is in a checkpoint's history; one history begins another.

A subtree that some checkpoint's tree had as a peak is taken from there, for a peak is bound to the root that was
signed; only where none had it, events are read, 1,024 at a time: of 10^6 events one in a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, col, select

from registry import checkpoints, merkle, witness
from registry.checkpoints import checkpoint
from registry.database import Registry, reading
from registry.errors import Damaged, UnknownVersion
from registry.tables import CheckpointRow, Event
from registry.witness import Checkpoint

READ = 1024  # events that are rather read than looked for
TRIED = 4  # rows that are looked at for one peak: more than one has the same size only after a restored database


def prove(registry: Registry, seq: int) -> dict[str, Any]:
    """An event, the newest checkpoint (made where events came after it) and the hashes between the two.

    Gives {"event": {field: value}, "checkpoint": {field: value}, "inclusion": [hash]}; docs/check_proof.py checks it.
    Raises UnknownVersion for an event that is not there, Damaged where the proof does not hold, and as `checkpoint`.
    """
    made = checkpoint(registry)
    (found,) = proved(registry, made, [seq])
    return {"event": found["event"], "checkpoint": told(made), "inclusion": found["inclusion"]}


def proved(registry: Registry, made: Checkpoint, seqs: Iterable[int]) -> list[dict[str, Any]]:
    """Some events with the hashes between each and one checkpoint: [{"event": {field: value}, "inclusion": [hash]}].

    Raises UnknownVersion for an event that the checkpoint does not speak for, Damaged where a proof does not hold.
    """
    found = []
    with reading(registry) as session:
        of = _Trees(session, made.key).of
        for seq in seqs:
            event = session.get(Event, seq)
            if event is None or seq > made.size:
                raise UnknownVersion(f"there is no event {seq}; the history holds 1 to {made.size}")
            proof, fields = merkle.inclusion(seq - 1, made.size, of), event.model_dump()
            if root_by(fields["digest"], seq, made, proof) != made.root:
                raise Damaged(f"event {seq} is not in the history of checkpoint {made.number}; run verify")
            found.append({"event": fields, "inclusion": [each.hex() for each in proof]})
    return found


def extend(registry: Registry, number: int) -> dict[str, Any]:
    """An earlier checkpoint, the newest one and the hashes which show that the first history begins the second.

    Gives {"first": {field: value}, "checkpoint": {field: value}, "consistency": [hash]}. Raises as `prove`.
    """
    made = checkpoint(registry)
    with reading(registry) as session:
        row = session.get(CheckpointRow, number)
        if row is None:
            raise UnknownVersion(f"there is no checkpoint {number}; the newest is {made.number}")
        first = witness.read(row.body, row.signature)
        of = _Trees(session, made.key).of
        proof = merkle.consistency(first.size, made.size, of) if first.size <= made.size else []
    roots = merkle.roots_by(first.size, made.size, bytes.fromhex(first.root), proof)
    if roots is None or [each.hex() for each in roots] != [first.root, made.root]:
        raise Damaged(f"checkpoint {number} is not the beginning of checkpoint {made.number}; run verify")
    return {"first": told(first), "checkpoint": told(made), "consistency": [each.hex() for each in proof]}


class _Trees:
    """Hashes over spans of events, by the peaks of checkpoints that a key signed."""

    def __init__(self, session: Session, public: str) -> None:
        self.session, self.public = session, public
        self.read = 0  # events

    def of(self, low: int, high: int) -> bytes:
        """The hash of the events after `low` up to `high`."""
        middle = low + merkle.split(high - low) if high - low > 1 else low
        left = 2 * (middle - low) == high - low and low % (2 * (high - low)) == 0  # a perfect subtree, on the left
        found = self._peak(low, high) if left and high - low >= READ else None
        if found is None and high - low <= READ:
            grown = merkle.Frontier()
            for digest in checkpoints.digests(self.session, low, high):
                grown.add(digest)
            self.read += grown.size
            return grown.root()
        return found or merkle.node(self.of(low, middle), self.of(middle, high))

    def _peak(self, low: int, high: int) -> bytes | None:
        """The hash of a left subtree: every tree has it as a peak until its right neighbour is whole."""
        size = col(CheckpointRow.size)
        query = select(CheckpointRow).where(size >= high, size < high + (high - low)).order_by(size).limit(TRIED)
        for row in self.session.exec(query):
            tree = checkpoints.frontier(row, self.public)
            head = checkpoints.digest_at(self.session, row.size)
            found = None if tree is None else tree.subtrees().get((low, high))
            if found is not None and witness.read(row.body, row.signature).head == head:
                return found
        return None


def root_by(digest: str, seq: int, made: Checkpoint, proof: list[bytes]) -> str | None:
    """The root that the proof of an event leads to; None where it leads to none."""
    root = merkle.root_by(seq - 1, made.size, bytes.fromhex(digest), proof)
    return None if root is None else root.hex()


def told(made: Checkpoint) -> dict[str, Any]:
    """A checkpoint with its signature, as a document."""
    return {**made.said, "signature": made.signature}
