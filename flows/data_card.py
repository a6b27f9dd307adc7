"""The card of a task's data for who did not see it: as a page, and as Croissant JSON-LD.

Croissant 1.0 (MLCommons, http://mlcommons.org/croissant/1.0) with the terms of its extension for responsible AI.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tasks
from tasks import digest
from tasks.task import Task

OPEN = "http://mlcommons.org/croissant/1.0"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "source": "cr:source",
    "extract": "cr:extract",
    "column": "cr:column",
    "fileObject": "cr:fileObject",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "sha256": "cr:sha256",
}
FORMATS = {".csv": "text/csv", ".parquet": "application/x-parquet"}
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;border-bottom:1px solid #ccc;padding:.3rem .8rem .3rem 0}"
)


def gaps(card: Mapping[str, Any]) -> list[str]:
    """What the card cannot vouch for, in sentences."""
    found = []
    if not card.get("dates"):
        found.append("The rows have no times: nothing shows that they were known before they are used.")
    elif not card.get("audit", {}).get("moments"):
        found.append("The source was not read again as of earlier moments: a look into the future would not be seen.")
    if vintage := card.get("vintage"):
        found.append(vintage)
    if card.get("synthetic"):
        found.append("The rows are synthetic: they show how the program works, and nothing about the world.")
    missing = card.get("contract", {}).get("missing", {})
    if missing:
        name, share = max(missing.items(), key=lambda one: one[1])
        found.append(f"{len(missing)} features have missing values, {name} most of all ({share:.1%}).")
    found.append("What a version gives away of these rows is told by its report: a privacy budget, if it has one.")
    return found


def croissant(task: Task, card: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    """The card as Croissant JSON-LD; `file` is the user's own file, where the rows come from one."""
    name = f"{task.name}-{Path(str(card.get('source', 'source'))).stem}"
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [OPEN, RAI],
        "name": name,
        "description": f"{task.summary.rstrip('.')}. Rows of the source {card.get('source')!r}.",
        "license": card.get("licence", "not stated"),
        "version": "1.0.0",
        "creator": {"@type": "sc:Organization", "name": "the source's own"},
        "rai:dataLimitations": gaps(card),
        "rai:personalSensitiveInformation": _people(card),
        "rai:dataCollectionTimeframe": [held for held in (card.get("dates") or {}).values() if held],
        "rai:dataManipulationProtocol": f"Rows left out on the way: {json.dumps(card.get('dropped', {}))}",
        "assay:fingerprint": card.get("fingerprint"),
        "assay:contract": card.get("contract", {}),
    }
    if file is not None and file.is_file():
        document["distribution"] = [
            {
                "@type": "cr:FileObject",
                "@id": "rows",
                "name": file.name,
                "contentUrl": file.name,
                "encodingFormat": FORMATS.get(file.suffix, "application/jsonlines"),
                "sha256": digest.of_file(file),
            }
        ]
        used = card.get("columns", {}).get("used", {})
        document["recordSet"] = [{"@type": "cr:RecordSet", "@id": "row", "field": list(_fields(task, used))}]
    return document


def _fields(task: Task, used: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    numbers = {feature.name for feature in task.features if not feature.levels}
    for name, column in used.items():
        yield {
            "@type": "cr:Field",
            "@id": f"row/{name}",
            "name": name,
            "dataType": "sc:Float" if name in numbers else "sc:Text",
            "source": {"fileObject": {"@id": "rows"}, "extract": {"column": column}},
        }


def _people(card: Mapping[str, Any]) -> list[str]:
    people = card.get("people")
    if not people:
        return ["The rows hold no text."]
    told = [f"{count} x {kind}" for kind, count in people["kinds"].items() if count]
    said = f"{people['texts']} of {people['of']} texts were looked at, by rules and a token model"
    return [f"{said}: {', '.join(told) or 'nothing was found'}."]


def page(name: str, lines: Iterator[tuple[str, str]], known_gaps: list[str]) -> str:
    """The card as one page without scripts or links."""
    rows = "".join(f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>" for key, value in lines)
    listed = "".join(f"<li>{html.escape(one)}</li>" for one in known_gaps)
    title = html.escape(f"Data card of {name}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><table>{rows}</table><h2>Known gaps</h2><ul>{listed}</ul></html>\n"
    )


def write(document: Mapping[str, Any], lines: Any, files: Mapping[str, Path], out: Path) -> dict[str, dict[str, str]]:
    """Write NAME.html and NAME.croissant.json of every task into a folder; gives where they stand."""
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in document["tasks"].items():
        if not one["card"]:
            continue
        places = {"page": out / f"{name}.html", "croissant": out / f"{name}.croissant.json"}
        places["page"].write_text(page(name, lines(one["card"]), gaps(one["card"])), encoding="utf-8")
        found = croissant(tasks.get(name), one["card"], files.get(name))
        places["croissant"].write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written[name] = {key: str(path) for key, path in places.items()}
    return written
