"""`./assay keys`: persons and their keys; and whose key lies in this home when something is to be signed.

Private keys lie in `keys/people` under the home, readable by their owner alone. A person who shares no machine with the
others makes the key at home by `openssl genpkey -algorithm ed25519` and hands its public part to an admin (--public).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

import registry
from flows import console
from flows.documents import DONE, book, show
from infra.settings import Settings

FOLDER = "keys/people"  # under the home


def keys(arguments: Namespace) -> int:
    """Begin with persons, add one, change a key, retire one, or list all."""
    opened = book()
    if arguments.verb == "list":
        return _list(arguments, opened)
    if not arguments.name:
        raise ValueError(f"keys {arguments.verb} needs the NAME of a person")
    if (fault := registry.pinned(opened, Settings().root)) is not None:
        raise ValueError(str(fault["found"]))
    if arguments.verb == "retire":
        by = _signer(opened, arguments.by or arguments.name)
        return show(arguments, _told(registry.retire_person(opened, arguments.name, by)))
    person, path = _entered(arguments, opened)
    registry.pin(opened, Settings().root)
    return show(arguments, {**_told(person), "file": path})


def _entered(arguments: Namespace, opened: registry.Registry) -> tuple[registry.Person, str | None]:
    """The person with a new key, and the file of that key; the file goes again where the registry refuses."""
    if arguments.public:
        if arguments.verb == "init":
            raise ValueError("keys init signs by the key that it makes; leave --public out")
        return _enter(arguments, opened, registry.public_of(Path(arguments.public)), None), None
    key = registry.keep_key(folder(), arguments.name, registry.new_key())
    try:
        return _enter(arguments, opened, key.public, key), str(key.path)
    except BaseException:
        if key.path is not None:
            key.path.unlink()
        raise


def _enter(arguments: Namespace, opened: registry.Registry, public: str, key: registry.Key | None) -> registry.Person:
    if arguments.verb == "init" and key is not None:
        return registry.first_person(opened, registry.Signer(arguments.name, key), arguments.role)
    if arguments.verb == "rotate":
        return registry.rotate_person(opened, arguments.name, public, _signer(opened, arguments.by or arguments.name))
    if not arguments.by:
        raise ValueError("keys add needs --as NAME, an admin whose key lies in this home")
    return registry.add_person(opened, arguments.name, arguments.role, public, _signer(opened, arguments.by))


def folder() -> Path:
    """Where the private keys of this home lie."""
    return Settings().root / FOLDER


def judge(opened: registry.Registry, name: str) -> str | registry.Signer:
    """Who gives a verdict: by a key in a registry with persons, by name alone in one without."""
    return name if registry.people(opened).founded is None else _signer(opened, name)


def mover(opened: registry.Registry, name: str) -> registry.Signer | None:
    """Who moves an alias, None in a registry without persons; without a name, the operator whose key lies here."""
    if registry.people(opened).founded is None:
        return None
    signer = _signer(opened, name) if name else owner(opened, "operator")
    if signer is None:
        raise ValueError(f"this registry has persons: give --as NAME, an operator whose key lies in {folder()}")
    return signer


def end(text: str) -> datetime | None:
    """When an approval ends: after a day in UTC, or at a time with a zone; None for no text."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"--until {text!r} is neither a day, as 2027-03-31, nor a time with a zone") from error
        if moment.tzinfo is None:
            raise ValueError(f"--until {text!r} has no zone; add one, such as +00:00 for UTC") from None
        return moment
    return datetime.combine(day, time.min, UTC) + timedelta(days=1)


def author(opened: registry.Registry, name: str, run: str, recipe: str) -> dict[str, str]:
    """What a run says of its author, for the facts of its versions; empty where nobody is known as that.

    Raises ValueError for the name of a part of Assay, for who is no author in force, or whose key is not here.
    """
    if registry.people(opened).founded is None:
        return {"author": registry.person_name(name)} if name else {}
    signer = _signer(opened, name) if name else owner(opened, "author")
    if signer is None:
        return {}
    return {"author": signer.name, "author_signature": registry.sign_run(opened, signer, run, recipe)}


def owner(opened: registry.Registry, role: str) -> registry.Signer | None:
    """The one person in force with a role whose key lies in this home; None where there is none, or several."""
    found = [each for each in here(opened) if role in each.roles]
    return _signer(opened, found[0].name) if len(found) == 1 else None


def here(opened: registry.Registry) -> list[registry.Person]:
    """The persons in force whose keys lie in this home."""
    held = registry.held_keys(folder())
    return [each for each in registry.people(opened).now if each.key in held]


def _signer(opened: registry.Registry, name: str) -> registry.Signer:
    everybody = registry.people(opened)
    person = everybody.at(name)
    if person is None:
        known = ", ".join(each.name for each in everybody.now) or "nobody; ./assay keys init NAME begins"
        raise ValueError(f"{name!r} is no person in force in this registry; there are {known}")
    key = registry.held_keys(folder()).get(person.key)
    if key is None:
        raise ValueError(
            f"the key of {name} is not in {folder()}: put its file there (chmod 600), or let an admin give {name} "
            f"another, ./assay keys rotate {name!r} --as NAME"
        )
    return registry.Signer(name, key)


def _list(arguments: Namespace, opened: registry.Registry) -> int:
    everybody, held = registry.people(opened), registry.held_keys(folder())
    rows = [{**_told(each), "here": each.key in held} for each in everybody.persons]
    strange = [f"event {seq}: {fault}" for seq, fault in everybody.faults.items()]
    if arguments.json:
        console.emit({"persons": rows, "strange": strange})
        return DONE
    table = Table(title="Persons, by whose keys verdicts are signed" if rows else "No persons: verdicts are unsigned")
    for name in ("name", "roles", "key", "since", "until", "here"):
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, _cells(row)))
    console.show(table)
    for each in strange:
        console.say(f"keys      an entry that does not hold counts for nothing: {each}; ./assay verify")
    return DONE


def _cells(row: dict[str, Any]) -> Iterable[str]:
    yield from (row["name"], " ".join(row["roles"]), row["key"][:16], row["since"][:19])
    yield from ((row["until"] or "")[:19], "yes" if row["here"] else "")


def _told(person: registry.Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "roles": list(person.roles),
        "key": person.key,
        "since": person.since,
        "until": person.until,
    }
