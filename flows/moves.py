"""The commands that change what answers: promote, rollback, revoke, releases, release start, release stop.

A service that runs on this home follows within seconds, and the command waits for it and says what answers now.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.table import Table

import registry
from flows import console, keys
from flows.documents import DONE, SAID_NO, book, record, show, who
from infra.settings import Settings
from serving import standing

WAIT_SECONDS = 60.0  # a body that was never opened here may take that long; what is known is there within three


def promote(arguments: Namespace) -> int:
    """Make an approved version the champion of its task; status 1 where the service that runs cannot load it."""
    reg = book()
    return _moved(arguments, reg, registry.promote(reg, arguments.version, by=keys.mover(reg, arguments.by)))


def rollback(arguments: Namespace) -> int:
    """Give the task back to the champion before; status 1 where the service that runs cannot load it."""
    reg = book()
    return _moved(arguments, reg, registry.rollback(reg, arguments.task, by=keys.mover(reg, arguments.by)))


def revoke(arguments: Namespace) -> int:
    """Take an approval back; the version before answers, where there is one that may."""
    reg = book()
    version = registry.revoke(reg, arguments.version, keys.judge(reg, arguments.by), arguments.reason)
    before = registry.champions(reg).get(version.task)
    if before is not None:
        return _moved(arguments, reg, before)
    console.say(f"answers   nothing for {version.task} any more: no other version may; approve and promote one")
    return show(arguments, {**record(version), "serving": None})


def releases(arguments: Namespace) -> int:
    """What answers, what is on trial and where it stands, and the newest steps."""
    reg = book()
    now = registry.orders(reg)
    trials = {task: {"version": each.version.ref, **_step(each.at)} for task, each in now.challengers.items()}
    steps = [{"version": step.version, **_step(step)} for step in registry.release_steps(reg)]
    replicas = [record(each) for each in standing.heard(standing.folder(Settings().root))]
    answers = None if now.release is None else record(now.release)
    document = {"answers": answers, "challengers": trials, "replicas": replicas, "steps": steps}
    if arguments.json:
        console.emit(document)
        return DONE
    table = Table(title=_title(now, replicas), title_justify="left")
    for name in ("time", "version", "step", "by", "facts"):
        table.add_column(name, no_wrap=name != "facts")
    for step in steps:
        table.add_row(step["time"][:19], step["version"], step["step"], step["by"], _short(step["facts"]))
    console.show(table)
    return DONE


def release(arguments: Namespace) -> int:
    """Put a version on trial beside its task's champion, or take the one on trial out again."""
    by = who()
    if arguments.verb == "start":
        step = registry.start_challenger(book(), arguments.name, by)
    else:
        step = registry.stop_challenger(book(), arguments.name, by, "stopped by hand")
    running = bool(standing.heard(standing.folder(Settings().root)))
    if not running:
        console.say("release   no service runs on this home; the next ./assay serve takes it up")
    return show(arguments, {"version": step.version, **_step(step), "running": running})


def _moved(arguments: Namespace, reg: registry.Registry, version: registry.Version) -> int:
    """Wait until the service answers with a version, and say what answers now."""
    settings = Settings()
    wanted = standing.Wanted(version.task, version.digest, registry.pulse(reg))
    found = standing.wait(standing.folder(settings.root), wanted, WAIT_SECONDS)
    if found is None:
        console.say(f"answers   no service runs on this home; the next ./assay serve answers with {version.ref}")
    elif found["trouble"]:
        console.say(f"answers   not with {version.ref}: {found['trouble']}. What answered before goes on")
    else:
        console.say(f"answers   {version.ref} on {found['replicas']} replicas, after {found['seconds']} s")
    show(arguments, {**record(version), "serving": found})
    return SAID_NO if found is not None and found["trouble"] else DONE


def _step(step: registry.Step) -> dict[str, Any]:
    return {"step": step.step, "by": step.by, "time": step.time, "facts": step.facts}


def _title(now: registry.Orders, replicas: list[dict[str, Any]]) -> str:
    if now.release is None:
        return "Nothing answers"
    told = ", ".join(version["version"] for version in now.release.versions.values())
    return f"Release {now.release.number} since {now.release.time[:19]} on {len(replicas)} replicas here: {told}"


def _short(facts: dict[str, Any]) -> str:
    told = {key: value for key, value in facts.items() if key not in {"untouched", "evidence"}}
    return ", ".join(f"{key} {value}" for key, value in told.items())
