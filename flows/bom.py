"""What a version is made of, as a CycloneDX 1.6 bill of materials: model card, body, data, libraries. Plain JSON.

The library of CycloneDX knows no modelCard, so that the document is written here; tests hold it to the official schema.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import registry
import tasks
from tasks.model.folder import Folder
from tasks.task import Task

NAME = "bom.cdx.json"
BODY, DATA = "body", "data"
Document = dict[str, Any]


def write(version: registry.Version, model: Path, report: Path, made: Path) -> None:
    """Write the bill of a version, whose model and report lie in these folders, into `made`."""
    task, folder = tasks.get(version.task), Folder(model)
    parts = [*_body(folder), *_data(version), *_libraries(report)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, version.digest)}",
        "version": 1,
        "metadata": {"timestamp": version.created, "component": _model(version, task, folder)},
        "components": parts,
        "dependencies": [{"ref": version.ref, "dependsOn": [each["bom-ref"] for each in parts]}],
    }
    (made / NAME).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _model(version: registry.Version, task: Task, folder: Folder) -> Document:
    return {
        "type": "machine-learning-model",
        "bom-ref": version.ref,
        "name": version.task,
        "version": str(version.number),
        "description": task.summary,
        "hashes": [{"alg": "SHA-256", "content": version.model_digest}],
        "properties": _properties(
            {"digest": version.digest, "report": version.report_digest}
            | {name: version.facts.get(name) for name in ("recipe_digest", "data_digest", "verdict", "material")}
        ),
        "modelCard": {
            "modelParameters": _parameters(version, task, folder),
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(version.facts))},
            "considerations": {
                "useCases": [task.summary],
                "technicalLimitations": [str(each) for each in version.facts.get("reasons", [])],
            },
        },
    }


def _parameters(version: registry.Version, task: Task, folder: Folder) -> Document:
    body = "LoRA on a frozen body" if folder.has_text else "no body"
    return {
        "approach": {"type": "supervised"},
        "task": task.head.kind,
        "architectureFamily": body,
        "modelArchitecture": f"{', '.join(task.reads)}; beside them {task.classical.name}",
        "datasets": [{"ref": DATA}] if list(_data(version)) else [],
        "inputs": [{"format": part} for part in task.reads],
        "outputs": [{"format": name} for name in task.head.outputs],
    }


def _metrics(facts: Mapping[str, Any]) -> Iterator[Document]:
    """The figure of the test rows with its interval, that of the baseline, and how well chances are told."""
    if isinstance(facts.get("value"), int | float) and "metric" in facts:
        yield _metric(str(facts["metric"]), facts["value"], "test rows", facts.get("ci95"))
    base, ece = facts.get("baseline") or {}, (facts.get("calibration") or {}).get("ece")
    if isinstance(base.get("value"), int | float):
        yield _metric(f"{facts.get('metric')} of {base.get('name')}", base["value"], "test rows", base.get("ci95"))
    if ece is not None:
        yield _metric("expected calibration error", ece, "test rows", None)


def _metric(kind: str, value: float, rows: str, ci95: Any) -> Document:
    found: Document = {"type": kind, "value": str(value), "slice": rows}
    if ci95:
        found["confidenceInterval"] = {"lowerBound": str(ci95[0]), "upperBound": str(ci95[1])}
    return found


def _body(folder: Folder) -> Iterator[Document]:
    facts = folder.backbone() if folder.has_text else None
    if facts:
        yield {
            "type": "machine-learning-model",
            "bom-ref": BODY,
            "name": facts["name"],
            "hashes": [{"alg": "SHA-256", "content": facts["digest"]}],
            "properties": _properties({name: facts[name] for name in ("tokenizer_digest", "config_digest")}),
        }


def _data(version: registry.Version) -> Iterator[Document]:
    digest = version.facts.get("snapshot") or version.facts.get("data_digest")
    if digest:
        yield {
            "type": "data",
            "bom-ref": DATA,
            "name": f"rows of {version.task}",
            "data": [{"type": "dataset", "name": f"rows of {version.task}"}],
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }


def _libraries(report: Path) -> Iterator[Document]:
    """The libraries of the run, as its report tells them."""
    lineage = json.loads((report / "report.json").read_text(encoding="utf-8")).get("lineage") or {}
    for name, number in sorted((lineage.get("libraries") or {}).items()):
        purl = f"pkg:pypi/{name}@{number}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": str(number), "purl": purl}


def _properties(values: Mapping[str, Any]) -> list[Document]:
    return [{"name": f"assay:{name}", "value": str(value)} for name, value in values.items() if value is not None]
