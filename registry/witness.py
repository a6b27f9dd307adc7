"""Checkpoints, and the log outside the database that holds a copy of each: one small file a checkpoint.

A checkpoint says of the first `size` events what their Merkle root and the digest of the last of them are. Events hold
each other's digests, so that one digest speaks for all before it; the root lets a single event be proved.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from registry import artifacts, signing
from registry.artifacts import Store
from registry.digest import canonical, of_text
from registry.errors import Conflict, Damaged

FORM = "assay checkpoint 1"
NEWEST = "newest.json"
FOLDER = "checkpoints"  # beside the artifacts, where no other address is given
SHARD = 1000  # files in one folder


@dataclass(frozen=True)
class Checkpoint:
    """What was true of the history at one moment, signed.

    number    of the checkpoint, from 1; size: how many events it speaks for
    root      their Merkle root (RFC 6962; a leaf is the 32 bytes of an event's digest); head: the last one's digest
    key       the public key of the installation that signed; previous: the digest of the checkpoint before
    accepts   the event that accepted a restored database here, None everywhere else
    """

    number: int
    size: int
    root: str
    head: str
    time: str
    key: str
    previous: str
    accepts: int | None = None
    signature: str = ""

    @property
    def said(self) -> dict[str, Any]:
        """What is signed."""
        return {"form": FORM} | {k: v for k, v in dataclasses.asdict(self).items() if k != "signature"}

    @property
    def body(self) -> str:
        """The same as the text that was signed."""
        return canonical(self.said)

    @property
    def digest(self) -> str:
        """The sha256 of the body."""
        return of_text(self.body)

    @property
    def holds(self) -> bool:
        """Whether it was signed by the key that it names."""
        return signing.holds(self.key, self.said, self.signature)


def signed(made: Checkpoint, key: signing.Key) -> Checkpoint:
    """The same with its signature."""
    return dataclasses.replace(made, signature=key.sign(made.said))


def read(body: str, signature: str) -> Checkpoint:
    """A checkpoint from its two texts. Raises Damaged where they are none, word for word."""
    try:
        said = json.loads(body)
        found = Checkpoint(**{k: v for k, v in said.items() if k != "form"}, signature=signature)
        whole = type(found.number) is int and type(found.size) is int and found.body == body
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"a checkpoint cannot be read ({error}); run verify") from error
    if not whole:
        raise Damaged("a checkpoint is not written as checkpoints are; run verify")
    return found


def beside(store: Store) -> Store:
    """The log where no other address was given."""
    return dataclasses.replace(store, root=f"{store.root}/{FOLDER}", url=f"{store.url.rstrip('/')}/{FOLDER}")


def newest(log: Store) -> Checkpoint | None:
    """The checkpoint that was written last, in one read; None where there is none.

    Raises Damaged where it cannot be read or its signature does not hold, RegistryUnreachable.
    """
    page = artifacts.page(log, NEWEST)
    if page is None:
        return None
    found = _parsed(page)
    if not found.holds:
        raise Damaged(f"the newest checkpoint in {log.url} is not signed by the key that it names; run verify")
    return found


def at(log: Store, number: int) -> Checkpoint | None:
    """The checkpoint of a number, whoever signed it. Raises Damaged where it cannot be read, RegistryUnreachable."""
    page = artifacts.page(log, _name(number))
    return None if page is None else _parsed(page)


def last(log: Store) -> int:
    """The greatest number in the log by its files, 0 where there is none."""
    for folder in sorted(artifacts.names(log, ""), reverse=True):
        numbers = [name.partition(".")[0] for name in artifacts.names(log, folder)]
        found = [int(number) for number in numbers if number.isdigit()]
        if folder.isdigit() and found:
            return max(found)
    return 0


def put(log: Store, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint under its number, for good. Raises Conflict where another has it, RegistryUnreachable."""
    page = _page(checkpoint)
    before = artifacts.page(log, _name(checkpoint.number))
    if before is not None and before != page:
        raise Conflict(f"{log.url} holds another checkpoint {checkpoint.number}; one log belongs to one registry")
    if before is None:
        artifacts.put_page(log, _name(checkpoint.number), page)


def point(log: Store, checkpoint: Checkpoint) -> None:
    """Name a checkpoint as the one that was written last."""
    artifacts.put_page(log, NEWEST, _page(checkpoint))


def _name(number: int) -> str:
    return f"{number // SHARD:06d}/{number:09d}.json"


def _page(checkpoint: Checkpoint) -> str:
    return canonical({**checkpoint.said, "signature": checkpoint.signature}) + "\n"


def _parsed(page: str) -> Checkpoint:
    try:
        said = json.loads(page)
        signature = said.pop("signature")
        return read(canonical(said), signature)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Damaged(f"a checkpoint of the log cannot be read ({error}); run verify") from error
