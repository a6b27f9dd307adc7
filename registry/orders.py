"""What a service is to answer with, and the moves that change it: a challenger starts, takes a step, arrives, stops.

Who may write what: a person starts and stops a challenger; the service enters the steps between and the release that
it has loaded. It moves an alias in one case alone, the arrival of a version that somebody approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, func, select

from registry import statements, states, steps
from registry.approval import may_answer, move_alias, named_champions
from registry.database import Registry, now, reading, writing
from registry.digest import canonical, of_text
from registry.errors import Conflict, NotAllowed, UnknownVersion
from registry.runs import Release, last_release, release_of
from registry.states import BARRED
from registry.steps import Step
from registry.tables import AliasRow, ReleaseRow, ReleaseStepRow, VerdictRow
from registry.versions import CHAMPION, Version, find, record

SOURCES = (AliasRow, VerdictRow, ReleaseStepRow, ReleaseRow)


@dataclass(frozen=True)
class Orders:
    """What the registry says now.

    pulse        the newest rows that this rests on: the same pulse, the same orders
    champions    by task the version that is to answer
    silent       by task the version whose approval was taken back or has ended, where no other may answer
    challengers  by task the version on trial and its newest step; none whose approval was taken back meanwhile
    release      what a service has told last that it had loaded, None before the first and after the last
    ends         when the first of their approvals ends, None where none does
    """

    pulse: tuple[int, ...]
    champions: Mapping[str, Version]
    silent: Mapping[str, Version]
    challengers: Mapping[str, Challenger]
    release: Release | None
    ends: str | None = None


@dataclass(frozen=True)
class Challenger:
    """A version on trial and where it stands."""

    version: Version
    at: Step


def orders(registry: Registry, known: Orders | None = None) -> Orders:
    """What a service is to answer with; `known` again where nothing changed since, at the price of one small query.

    Where one of the approvals has an end, the database's clock is asked too.
    """
    with reading(registry) as session:
        counts = [select(func.coalesce(func.max(table.seq), 0)).scalar_subquery() for table in SOURCES]
        pulse = tuple(session.exec(select(*counts)).one())  # type: ignore[call-overload]
        if known is not None and known.pulse == pulse and (known.ends is None or now(session) < known.ends):
            return known
        named = named_champions(session)
        champions = {task: each for task, each in named.items() if each.status == "approved"}
        open_ = {task: step for task, step in steps.newest(session).items() if step.open}
        tried = {task: Challenger(record(session, find(session, s.version)), s) for task, s in open_.items()}
        challengers = {task: each for task, each in tried.items() if each.version.status not in BARRED}
        silent = {task: each for task, each in named.items() if each.status != "approved"}
        held = [*champions.values(), *(each.version for each in challengers.values())]
        ends = min((each.until for each in held if each.until), default=None)
        return Orders(pulse, champions, silent, challengers, last_release(session), ends)


def pulse(registry: Registry) -> int:
    """The newest event that orders rest on: who has followed it has followed what was before."""
    return max(orders(registry).pulse)


def start_challenger(registry: Registry, ref: str, by: str) -> Step:
    """Put a version on trial beside the champion of its task. A service that runs takes it up within a second or two.

    Raises NotAllowed for a refused or rejected version or the champion itself, UnknownVersion where the task has no
    champion, Conflict where another version is on trial.
    """
    with writing(registry) as session:
        version = record(session, find(session, ref))
        if version.status in BARRED:
            raise NotAllowed(f"{version.ref} {states.was(version.status)} and answers nobody; release another version")
        champion = _champion(session, version.task)
        if champion.ref == version.ref:
            raise NotAllowed(f"{version.ref} is the champion already; there is nothing to release")
        last = steps.newest(session).get(version.task)
        if last is not None and last.open:
            raise Conflict(f"{last.version} is on trial already; `release stop {version.task}` ends that")
        return steps.enter(session, version, steps.START, by, {"champion": champion.ref})


def stop_challenger(registry: Registry, task: str, by: str, reason: str) -> Step:
    """Take the version on trial out again. Raises UnknownVersion where the task has none."""
    with writing(registry) as session:
        last = steps.newest(session).get(task)
        if last is None or not last.open:
            raise UnknownVersion(f"no version of {task!r} is on trial; `releases` lists what was")
        version = record(session, find(session, last.version))
        return steps.enter(session, version, steps.STOPPED, by, {"reason": reason})


def take_step(registry: Registry, after: Step, step: str, by: str, facts: Mapping[str, Any]) -> Step:
    """Enter the next step of a challenger; step 1 makes it the champion in the same transaction.

    Raises Conflict where somebody else entered one first, NotAllowed for step 1 of a version that nobody approved.
    """
    with writing(registry) as session:
        steps.follows(session, after.task, after.seq)
        version = record(session, find(session, after.version))
        if step == steps.WHOLE:
            may_answer(version)
            move_alias(session, version, CHAMPION, "promote", by)
        return steps.enter(session, version, step, by, facts)


def unloadable(registry: Registry, ref: str, by: str, reason: str) -> Step | None:
    """Enter that a service could not load a version and goes on without it; None where that was the last word on it."""
    with writing(registry) as session:
        version = record(session, find(session, ref))
        last = steps.newest(session).get(version.task)
        if last is not None and (last.step, last.version, last.facts.get("reason")) == (
            steps.UNLOADABLE,
            version.ref,
            reason,
        ):
            return None
        return steps.enter(session, version, steps.UNLOADABLE, by, {"reason": reason})


def loaded(registry: Registry, ref: str, by: str, facts: Mapping[str, Any]) -> Step | None:
    """Enter that a service answers with a version that was promoted; a challenger beside it ends with that.

    None where another replica entered it first.
    """
    with writing(registry) as session:
        version = record(session, find(session, ref))
        may_answer(version)
        last = steps.newest(session).get(version.task)
        if last is not None and (last.step, last.version) == (steps.WHOLE, version.ref):
            return None
        if last is not None and last.open and last.version != version.ref:
            other = record(session, find(session, last.version))
            steps.enter(session, other, steps.STOPPED, by, {"reason": f"{version.ref} was promoted"})
        return steps.enter(session, version, steps.WHOLE, by, facts)


def release_steps(registry: Registry, limit: int = 100) -> list[Step]:
    """The newest steps of all tasks, oldest first."""
    with reading(registry) as session:
        return steps.listed(session, limit)


def fall_silent(registry: Registry, by: str) -> Release | None:
    """Enter that the service has ended, so that nothing answers; None where that was the last word already."""
    with writing(registry) as session:
        last = last_release(session)
        if last is None:
            return None
        text = canonical({})
        row = ReleaseRow(seq=0, number=last.number + 1, versions=text, digest=of_text(text), by=by, time="")
        statements.enter(session, row, statements.of_release(row))
        return release_of(row)


def _champion(session: Session, task: str) -> Version:
    champion = named_champions(session).get(task)
    if champion is None or champion.status != "approved":
        raise UnknownVersion(f"{task!r} has no champion to stand beside; `promote` its first version")
    return champion
