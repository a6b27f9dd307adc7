"""What a version takes along into another registry: its events with proofs, a signed checkpoint, and persons.

`told` gives it; `believed` holds it against itself, without the database that it comes from. What then stands is the
word of the installation whose key signed the checkpoint, and of each person whose key signed a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from registry import proofs, signatures, statements, states, witness
from registry.checkpoints import checkpoint
from registry.database import Registry, reading
from registry.digest import canonical, of_text
from registry.errors import Damaged, RegistryError
from registry.events import digest_of
from registry.persons import CHANGES, People, held_against
from registry.signatures import Judged
from registry.tables import AliasRow, Event, PersonRow, VerdictRow, VersionRow
from registry.versions import find
from registry.witness import Checkpoint

FORM = "assay evidence 1"
PERSONS = {f"person_{change}": change for change in CHANGES}


@dataclass(frozen=True)
class Origin:
    """A version as the registry that it comes from knew it.

    registered  the digest of the event that registered it there
    status      what its verdicts made of it there (registry/states.py); an end that passed is not looked at
    by, signed  who approved it there, and whether by a signature that holds
    """

    version: VersionRow
    facts: dict[str, Any]
    registered: str
    status: str
    by: str | None
    signed: bool
    checkpoint: Checkpoint

    @property
    def ref(self) -> str:
        """`task@number` there."""
        return f"{self.version.task}@{self.version.number}"


def told(registry: Registry, ref: str) -> dict[str, Any]:
    """The evidence of a version: {"form", "version", "facts", "checkpoint", "events": [{"event", "inclusion"}]}.

    Makes a checkpoint where events came after the last one. Raises as `checkpoint` and `prove`.
    """
    made = checkpoint(registry)
    with reading(registry) as session:
        row = find(session, ref)
        named, facts = f"{row.task}@{row.number}", json.loads(row.facts)
        subjects = [named, f"run {facts.get('run_id', '')}"]
        seqs = {*session.exec(select(Event.seq).where(col(Event.subject).in_(subjects)))}
        seqs |= {*session.exec(select(AliasRow.seq).where(AliasRow.version_seq == row.seq))}
        seqs |= {*session.exec(select(PersonRow.seq))}
    events = proofs.proved(registry, made, sorted(seq for seq in seqs if seq <= made.size))
    return {"form": FORM, "version": named, "facts": facts, "checkpoint": proofs.told(made), "events": events}


def believed(document: Any) -> Origin:
    """The version that evidence speaks of, where every link, proof and signature of it holds. Raises Damaged."""
    try:
        return _believed(document)
    except Damaged:
        raise
    except (RegistryError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(
            f"the evidence cannot be read ({type(error).__name__}: {error}); export the bundle again"
        ) from error


def _believed(document: Mapping[str, Any]) -> Origin:
    if document["form"] != FORM:
        raise Damaged(f"the evidence is written as {document['form']!r}, this release reads {FORM!r}")
    said = dict(document["checkpoint"])
    signature = said.pop("signature")
    made = witness.read(canonical(said), signature)
    if not made.holds:
        raise Damaged(f"checkpoint {made.number} is not signed by the key that it names")
    events = [_proved(each, made) for each in document["events"]]
    if [each.seq for each in events] != sorted({each.seq for each in events}):
        raise Damaged("the events are not in their order")
    version, registered = _version(document, events)
    everybody = _persons(events)
    began = next((each.seq for each in events if each.kind == "run_started"), None)
    wrong = signatures.unauthored(everybody, version, began)
    judged = _judged(version, events)
    wrong = wrong or next((fault for each in judged if (fault := signatures.fault_of(everybody, each))), "")
    if wrong:
        raise Damaged(f"the evidence of {document['version']} does not hold: {wrong}")
    verdicts, last = [each.row.approved for each in judged], judged[-1].row if judged else None
    by = last if last is not None and last.approved else None
    return Origin(
        version=version,
        facts=document["facts"],
        registered=registered.digest,
        status=states.status(document["facts"]["verdict"], verdicts),
        by=None if by is None else by.by,
        signed=by is not None and by.signature is not None,
        checkpoint=made,
    )


def _proved(told: Mapping[str, Any], made: Checkpoint) -> Event:
    """An event that has its own digest and lies under the checkpoint's root."""
    event = Event(**told["event"])
    proof = [bytes.fromhex(each) for each in told["inclusion"]]
    if set(told["event"]) != set(Event.model_fields) or type(event.seq) is not int or not 1 <= event.seq <= made.size:
        raise Damaged(f"event {event.seq!r} is none of the {made.size} of checkpoint {made.number}")
    if digest_of(event) != event.digest or proofs.root_by(event.digest, event.seq, made, proof) != made.root:
        raise Damaged(f"event {event.seq} is not in the history of checkpoint {made.number}")
    return event


def _version(document: Mapping[str, Any], events: Sequence[Event]) -> tuple[VersionRow, Event]:
    """The row that the event of its registration tells of, with its facts."""
    ref, facts = document["version"], canonical(document["facts"])
    found = [each for each in events if each.kind == "registered" and each.subject == ref]
    if len(found) != 1:
        raise Damaged(f"{len(found)} events register {ref}; one does")
    said = json.loads(found[0].payload)
    names = ("task", "number", "key", "digest", "model_digest", "report_digest")
    row = VersionRow(seq=found[0].seq, facts=facts, time=found[0].time, **{name: said[name] for name in names})
    bound = of_text(canonical({"model": row.model_digest, "report": row.report_digest}))
    if not statements.tells(found[0], statements.of_version, row) or row.digest != bound:
        raise Damaged(f"event {row.seq} does not register {ref} with these facts")
    return row, found[0]


def _persons(events: Sequence[Event]) -> People:
    rows: list[PersonRow] = []
    for event in events:
        if event.kind in PERSONS:
            said = json.loads(event.payload)
            told = {name: said[name] for name in ("name", "key", "signer", "signature")}
            change, roles = PERSONS[event.kind], canonical(said["roles"])
            rows.append(PersonRow(seq=event.seq, time=event.time, change=change, roles=roles, **told))
    found = held_against(rows, {event.seq: event for event in events})
    for seq, fault in found.faults.items():
        raise Damaged(f"the entry of a person at event {seq} does not hold: {fault}")
    return found


def _judged(version: VersionRow, events: Sequence[Event]) -> list[Judged]:
    """The verdicts on the version, each as its event tells of it."""
    found: list[Judged] = []
    for event in events:
        if event.subject != f"{version.task}@{version.number}" or event.kind not in {"approved", "rejected"}:
            continue
        said = json.loads(event.payload)
        row = VerdictRow(
            seq=event.seq,
            version_seq=version.seq,
            approved=event.kind == "approved",
            time=event.time,
            **{name: said[name] for name in ("by", "reason", "automatic")},
            **{name: said.get(name) for name in ("until", "role", "signature")},
        )
        if not statements.tells(event, statements.of_verdict, row, version):
            raise Damaged(f"event {event.seq} judges other bytes than those of {event.subject}")
        found.append(Judged(row, version, event, any(each.row.approved for each in found)))
    return found
