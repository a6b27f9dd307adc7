"""`./assay checkpoint`: the newest one, for paper; proofs from it; and taking a restored database as it is."""

from __future__ import annotations

from argparse import Namespace

import registry
from flows.documents import book, show


def checkpoint(arguments: Namespace) -> int:
    """Make the checkpoint of the history as it stands and print it, prove by it, or accept a restored database."""
    verb, given = arguments.verb, arguments.name
    if (verb in {"prove", "extend"}) != (given is not None) or (given is not None and not given.isdigit()):
        raise ValueError("write checkpoint, checkpoint prove EVENT, checkpoint extend NUMBER, or checkpoint accept")
    if (verb == "accept") != (arguments.by is not None and arguments.reason is not None):
        raise ValueError("checkpoint accept needs --as NAME --reason TEXT, which go with nothing else")
    opened = book()
    if verb == "prove":
        return show(arguments, registry.prove(opened, int(given)))
    if verb == "extend":
        return show(arguments, registry.extend(opened, int(given)))
    made = registry.accept_checkpoint(opened, arguments.by, arguments.reason) if verb == "accept" else None
    made = made or registry.checkpoint(opened)
    return show(arguments, {**made.said, "signature": made.signature, "paper": f"{made.size}:{made.root}"})
