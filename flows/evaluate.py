"""`./assay evaluate`: a version on a labelled file, kept as an event of the history."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import registry
from flows import console
from infra import cluster
from infra.settings import Settings, token
from serving.parts import input_digest
from serving.places import fetch_version, of_home
from tasks.data.parts import parts_of

KEPT = ("metric", "value", "ci95", "rows", "calibration", "report", "known")


def run(settings: Settings, version: str, path: str) -> dict[str, Any]:
    """Measure a version; gives the document of the command. Raises UnknownVersion, NotServable, DataError."""
    book = registry.open_registry(*settings.registry)
    try:
        return _measured(settings, book, version, path)
    finally:
        registry.close(book)


def _measured(settings: Settings, book: registry.Registry, version: str, path: str) -> dict[str, Any]:
    token(settings)
    places = of_home(settings)
    known = registry.show(book, version)
    folder = fetch_version(book, known.ref, places).folder
    digest, size, _ = input_digest([Path(part.name) for part in parts_of(path)])
    console.say(f"evaluate  {known.ref} on {path}: {size / 1e6:,.1f} MB")
    head = folder.read(folder.head_config)
    config = {
        "task": known.task,
        "model": str(folder.path),
        "path": str(Path(path).absolute()),
        "threads": int(head.get("threads", 1)),
    }
    cluster.connect(settings)
    found = cluster.call("tasks.validate.revalidate.revalidate", config)
    said = {"file": digest, "by": getpass.getuser(), **{name: found[name] for name in KEPT}}
    event = registry.log_evaluation(book, known.ref, said)
    document = {"version": known.ref, "digest": known.digest, "file": path, "file_digest": digest, **found}
    return {**document, "says": sentences(found), "worse": worse(found), "event": event.seq, "time": event.time}


def worse(found: Mapping[str, Any]) -> bool:
    """Whether the figure lies below the report's by more than chance: the interval of the difference is below 0."""
    ends = (found["report"] or {}).get("difference_ci95")
    return ends is not None and ends[1] is not None and ends[1] < 0


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What a reader must know about the figure before it is quoted."""
    known, report, rows = found["known"], found["report"], found["rows"]
    told = []
    if known is None:
        told.append("the version does not say which rows it has seen, so this may be a figure on rows it learned from")
    elif known["tested"] == rows:
        told.append("these are rows of the version's own test: its report stands on them, and they say nothing new")
    elif known["learned"] or known["tested"]:
        told.append(
            f"of the {rows} rows the version learned from {known['learned']} (or was chosen by them) and was tested on "
            f"{known['tested']}; the figure flatters it, the one on the {known['new']} new rows does not"
        )
    if worse(found):
        told.append(f"the figure is below the report's {report['value']} by more than chance")
    return told
