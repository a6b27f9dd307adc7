"""What a person signs of a verdict, and who may: the writer's side. registry/signatures.py checks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from registry import events, persons
from registry.database import Registry, reading
from registry.digest import of_text
from registry.errors import NotAllowed
from registry.signing import Signer
from registry.tables import AliasRow, VerdictRow, VersionRow

APPROVE, REJECT, REVOKE = "approve", "reject", "revoke"
ROLE, MOVES = "validator", "operator"  # who may judge a version, and who may move an alias
AUTHOR = "author"
SERVICE = "serving"  # moves an alias too: where a trial arrives, where an approval ends


def document(row: VerdictRow, version: VersionRow, again: bool, previous: str) -> dict[str, Any]:
    """What a person signs: which bytes and facts, the decision and its end, its place and the whole history before it.

    The place is signed too: an old signature fits no later event, whatever digest that names as the one before.
    """
    return {
        "statement": "verdict",
        "version": f"{version.task}@{version.number}",
        "digest": version.digest,
        "report": version.report_digest,
        "facts": of_text(version.facts),
        "decision": APPROVE if row.approved else REVOKE if again else REJECT,
        **{name: getattr(row, name) for name in ("by", "role", "reason", "until")},
        "event": row.seq,
        "previous": previous,
    }


def sign(session: Session, verdict: VerdictRow, version: VersionRow, by: str | Signer) -> None:
    """Let a person sign a verdict that comes next in the history. Raises NotAllowed for who may not."""
    if verdict.automatic:
        raise NotAllowed(f'this registry has persons, so no recipe judges {version.task}: release.approval = "person"')
    if not isinstance(by, Signer):
        raise NotAllowed(
            f"this registry has persons, and {by!r} signs nothing; a validator judges with a key, --as NAME"
        )
    persons.require(session, by, ROLE)
    verdict.role = ROLE
    again = VerdictRow.version_seq == version.seq, col(VerdictRow.approved)
    before = session.exec(select(VerdictRow.seq).where(*again)).first() is not None
    verdict.seq, previous = events.ahead(session)
    verdict.signature = by.sign(document(verdict, version, before, previous))


def move_document(row: AliasRow, version: VersionRow, previous: str) -> dict[str, Any]:
    """What a person signs who moves an alias."""
    said = {name: getattr(row, name) for name in ("task", "alias", "move", "by", "role")}
    said |= {"version": version.number, "digest": version.digest, "event": row.seq}
    return {"statement": "alias", **said, "previous": previous}


def sign_move(session: Session, row: AliasRow, version: VersionRow, by: str | Signer | None, role: str) -> None:
    """Let a person sign a move that comes next in the history, or say that the service made it."""
    if isinstance(by, Signer):
        persons.require(session, by, role)
        row.by, row.role = by.name, role
        row.seq, previous = events.ahead(session)
        row.signature = by.sign(move_document(row, version, previous))
    elif by == SERVICE:
        row.by = by
    else:
        raise NotAllowed("this registry has persons: an operator moves an alias with a key, --as NAME")


def require_four_eyes(version: VersionRow, verdict: VerdictRow) -> None:
    """Raises NotAllowed where a material version is approved by rule, by its author, or without one."""
    wrong = same_eyes(version, verdict.by)
    if not wrong and verdict.automatic and facts_of(version).get("material") is True:
        wrong = "it is material, and a recipe approves nothing material"
    if wrong:
        raise NotAllowed(f"{version.task}@{version.number} waits for another person: {wrong}")


def word(by: str, role: str | None, signature: str | None) -> str:
    """How a verdict stands in its row, which nobody has checked yet."""
    return "unsigned" if signature is None else f"by {by} as {role}"


def sign_run(registry: Registry, by: Signer, run: str, recipe: str) -> str:
    """The signature of a run's author over its id and its recipe's digest. Raises NotAllowed for who is no author."""
    with reading(registry) as session:
        persons.require(session, by, AUTHOR)
    return by.sign(authorship(run, recipe, by.name))


def authorship(run: str, recipe: str, author: str) -> dict[str, Any]:
    """What the author of a run signs."""
    return {"statement": "run", "run": run, "recipe": recipe, "author": author}


def same_eyes(version: VersionRow, by: str) -> str:
    """Why an approval of what is material does not count."""
    facts = facts_of(version)
    if facts.get("material") is not True:
        return ""
    author = str(facts.get("author", ""))
    if not author:
        return "it is material, and nobody stands as its author"
    return f"it is material, and {by} is its author and approver" if persons.alike(author, by) else ""


def facts_of(version: VersionRow) -> Mapping[str, Any]:
    """The facts of a version; none where their text was damaged, which `verify` tells by their digest."""
    try:
        found = json.loads(version.facts)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
