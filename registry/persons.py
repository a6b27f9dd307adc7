"""Who may judge: persons with roles and public keys, added and changed by signed events.

The first person is an admin who signs the own entry; every later entry is signed by an admin in force, or, where a
person changes the own key or leaves, by that person. Each signature covers the digest of the event before, and by it
the whole history up to there.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, func, select

from registry import events, signing, statements
from registry.database import Registry, reading, writing
from registry.digest import canonical
from registry.errors import NotAllowed, RegistryError, UnknownVersion
from registry.signing import Signer
from registry.tables import Event, PersonRow

ROLES = ("author", "validator", "operator", "admin")
MACHINES = frozenset({"recipe", "serving", "assay"})  # who approves by rule and who serves: no name of a person
CHANGES = ADDED, ROTATED, RETIRED = "added", "rotated", "retired"


@dataclass(frozen=True)
class Person:
    """One key of one person: from event `first` to event `last`, which is None while it is in force."""

    name: str
    roles: tuple[str, ...]
    key: str
    since: str
    until: str | None
    first: int
    last: int | None


@dataclass(frozen=True)
class People:
    """Every person whose entry holds.

    persons  a record for each key that a person had, in their order
    faults   event -> what is wrong with the entry that stands there; it counts for nothing
    founded  the event since which verdicts are signed, None in a registry without persons
    root     the public key that signed the first entry, by which this registry is known elsewhere
    """

    persons: tuple[Person, ...]
    faults: Mapping[int, str]
    founded: int | None
    root: str | None

    def at(self, name: str, seq: int | None = None) -> Person | None:
        """Who bore a name when event `seq` was written, or bears it now."""
        for each in self.persons:
            now = each.last is None if seq is None else each.first < seq and (each.last is None or seq <= each.last)
            if each.name == name and now:
                return each
        return None

    @property
    def now(self) -> tuple[Person, ...]:
        """Those in force."""
        return tuple(each for each in self.persons if each.last is None)


def people(registry: Registry) -> People:
    """Every person of a registry, and every entry that does not hold."""
    with reading(registry) as session:
        return known(session)


def first_person(registry: Registry, signer: Signer, roles: Iterable[str] = ()) -> Person:
    """Enter the first person, an admin, by the own signature: from now on verdicts are signed.

    Raises NotAllowed where there are persons already, RegistryError for a name or role that cannot be.
    """
    with writing(registry) as session:
        if any_at_all(session):
            raise NotAllowed("this registry has persons already; an admin of theirs adds others: keys add NAME")
        return _enter(session, ADDED, person_name(signer.name), _roles([*roles, "admin"]), signer.key.public, signer)


def add_person(registry: Registry, name: str, roles: Iterable[str], key: str, signer: Signer) -> Person:
    """Enter another person with a public key. Raises NotAllowed where the signer is no admin or the name is taken."""
    with writing(registry) as session:
        name, everybody = person_name(name), known(session)
        _require(everybody, signer, "admin")
        taken = {_plain(each.name): each.name for each in everybody.persons}
        if taken.get(_plain(name), name) != name or everybody.at(name) is not None:
            raise NotAllowed(f"{name!r} is {taken[_plain(name)]!r}, who is known already; keys list shows everybody")
        return _enter(session, ADDED, name, _roles(roles), key, signer)


def rotate_person(registry: Registry, name: str, key: str, signer: Signer) -> Person:
    """Give a person another key; what the old one signed before stays. By that person or an admin."""
    with writing(registry) as session:
        person = _of(session, name, signer)
        return _enter(session, ROTATED, name, person.roles, key, signer)


def retire_person(registry: Registry, name: str, signer: Signer) -> Person:
    """End a person's right to sign; what was signed before stays. By that person or an admin."""
    with writing(registry) as session:
        person = _of(session, name, signer)
        admins = [each.name for each in known(session).now if "admin" in each.roles]
        if admins == [name]:
            raise NotAllowed(f"{name} is the only admin, and nobody could add another; keys add one first")
        ended = _enter(session, RETIRED, name, person.roles, person.key, signer)
        return replace(person, until=ended.since, last=ended.first)


def person_name(name: str) -> str:
    """A name that a person may bear. Raises RegistryError for one of a part of Assay, and for one that deceives."""
    name = unicodedata.normalize("NFC", name.strip())
    wrong = [c for c in name if unicodedata.category(c).startswith("C") or (c.isspace() and c != " ")]
    if not name or len(name) > 100 or wrong or "  " in name:
        raise RegistryError(f"{name!r} is no name of a person; give 1 to 100 visible characters, single spaces between")
    if is_machine(name):
        raise RegistryError(f"{name!r} is the name of a part of Assay; a person has another")
    return name


def is_machine(name: str) -> bool:
    """Whether a name is that of a part of Assay, however it is written."""
    return _plain(name) in MACHINES


def alike(one: str, other: str) -> bool:
    """Whether two names are one, however they are written."""
    return _plain(one) == _plain(other)


def any_at_all(session: Session) -> bool:
    """Whether a registry has persons, so that verdicts are signed."""
    return session.exec(select(func.min(PersonRow.seq))).one() is not None


def require(session: Session, signer: Signer, role: str) -> Person:
    """The person who signs, in force with a role and by the key of now. Raises NotAllowed."""
    return _require(known(session), signer, role)


def known(session: Session) -> People:
    """Every entry in its order, each held against those before it."""
    query = select(PersonRow, Event).outerjoin(Event, col(Event.seq) == col(PersonRow.seq))
    entries = session.exec(query.order_by(col(PersonRow.seq))).all()
    return held_against([row for row, _ in entries], {row.seq: event for row, event in entries if event is not None})


def held_against(rows: Sequence[PersonRow], told: Mapping[int, Event]) -> People:
    """The persons of all entries, in their order, with the event of each by its number."""
    held: list[Person] = []
    faults: dict[int, str] = {}
    for row in rows:
        so_far = People(tuple(held), {}, None, None)
        wrong = _fault(so_far, row, told.get(row.seq), first=row is rows[0])
        if wrong:
            faults[row.seq] = wrong
            continue
        held = [replace(p, until=row.time, last=row.seq) if p.name == row.name and p.last is None else p for p in held]
        if row.change != RETIRED:
            held.append(_person(row))
    if not rows:
        return People((), {}, None, None)
    first = rows[0]
    return People(tuple(held), faults, first.seq, first.key)


def document(row: PersonRow, previous: str) -> dict[str, Any]:
    """What is signed when a person is entered, rotated or retired."""
    said = {name: getattr(row, name) for name in ("change", "name", "key", "signer")}
    return {"statement": "person", **said, "roles": row.roles, "event": row.seq, "previous": previous}


def _fault(so_far: People, row: PersonRow, event: Event | None, first: bool) -> str:
    """Why an entry does not hold; empty where it does."""
    if event is None or not statements.tells(event, statements.of_person, row):
        return "its event does not say the same"
    if first:
        key, may = row.key, row.change == ADDED and row.signer == row.name and "admin" in _read(row)
    else:
        signer, own = so_far.at(row.signer), row.change != ADDED and row.signer == row.name
        if signer is None:
            return f"{row.signer} was not in force"
        key, may = signer.key, own or "admin" in signer.roles
    if not may:
        return f"{row.signer} was no admin"
    if (so_far.at(row.name) is None) is not (row.change == ADDED) or row.change not in CHANGES:
        return f"{row.name} could not be {row.change} then"
    if not signing.holds(key, document(row, event.previous), row.signature):
        return f"the signature is not by the key of {row.signer}"
    return ""


def _person(row: PersonRow) -> Person:
    return Person(row.name, tuple(_read(row)), row.key, row.time, None, row.seq, None)


def _read(row: PersonRow) -> Sequence[str]:
    """The roles of an entry; none where its text was damaged: its signature does not hold then either."""
    try:
        return [str(role) for role in json.loads(row.roles)]
    except (ValueError, TypeError):
        return ()


def _enter(session: Session, change: str, name: str, roles: Sequence[str], key: str, signer: Signer) -> Person:
    if not signing.HEX.fullmatch(key):
        raise RegistryError(f"{key!r} is no public key; it has 64 hexadecimal digits")
    if change != RETIRED and session.exec(select(PersonRow).where(PersonRow.key == key)).first() is not None:
        raise NotAllowed("that key was somebody's before; make a new one")
    said = {"name": name, "change": change, "roles": canonical(sorted(roles)), "key": key, "signer": signer.name}
    seq, previous = events.ahead(session)
    row = PersonRow(seq=seq, **said, signature="", time="")
    row.signature = signer.sign(document(row, previous))
    statements.enter(session, row, statements.of_person(row))
    return _person(row)


def _of(session: Session, name: str, signer: Signer) -> Person:
    """The person of a name who is to change, by a signer who may do that."""
    everybody = known(session)
    person = everybody.at(name)
    if person is None:
        raise UnknownVersion(f"nobody named {name!r} is in force; keys list shows everybody")
    _require(everybody, signer, None if signer.name == name else "admin")
    return person


def _require(everybody: People, signer: Signer, role: str | None) -> Person:
    person = everybody.at(signer.name)
    if person is None or person.key != signer.key.public:
        raise NotAllowed(f"{signer.name} is not in force in this registry by that key; keys list shows everybody")
    if role is not None and role not in person.roles:
        raise NotAllowed(f"{signer.name} is {' and '.join(person.roles)}, and that takes {role} to sign it")
    return person


def _roles(roles: Iterable[str]) -> list[str]:
    given = sorted(set(roles))
    unknown = [role for role in given if role not in ROLES]
    if unknown or not given:
        raise RegistryError(f"{unknown[0] if unknown else 'none'!r} is no role; give {', '.join(ROLES)}, or several")
    return given


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
