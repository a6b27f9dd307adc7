"""Annexes A to D: replay, regulatory cross-walk, schema, glossary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts
from tasks import digest

HOME = Path(__file__).resolve().parents[1]
SCHEMA, CROSSWALK = HOME / "report.schema.json", HOME / "crosswalk.json"


def replay(facts: Facts, study: Study) -> list[Block]:
    """Annex A: how to get the same report and the same decision again."""
    name = facts.task.name
    return [
        blocks.text(
            "same",
            "The same version, data, seed, thread count and library versions give the same report, byte for byte. "
            "The HTML and the PDF are made from the JSON alone and are byte-identical whenever the same libraries "
            "make them again.",
        ),
        blocks.code("report", *(f"./assay report {name}@NUMBER --format {form}" for form in ("json", "html", "pdf"))),
        blocks.facts(
            "needs",
            "What has to be equal",
            [
                Fact("Model digest", facts.model_digest, "digest"),
                Fact("Data fingerprint", facts.fingerprint, "digest"),
                Fact("Seed", facts.run.seed, "integer"),
                Fact("Threads", facts.run.threads, "integer"),
                Fact("Explanation section", ", ".join(f"{key} {value}" for key, value in facts.run.section), "code"),
            ],
        ),
        blocks.code("decisions", "./assay replay DECISION", "./assay replay DECISION --offline"),
        blocks.text(
            "decided",
            "The first asks the running service again, the second the registry's files alone; both need the input, "
            "which the decision log keeps sealed until its key is destroyed.",
        ),
    ]


def dated(facts: Facts, study: Study) -> list[Block]:
    """Annex B, its first words: the map is dated data, never a claim of compliance."""
    document: dict[str, Any] = digest.read_json(CROSSWALK)
    return [blocks.text("note", f"As of {document['as_of']}. {document['note']}")]


def crosswalk(sections: Sequence[Mapping[str, Any]]) -> Block:
    """Annex B: which sections support which duty. What this report does not have is left out, and named apart."""
    document: dict[str, Any] = digest.read_json(CROSSWALK)
    columns = [("rule", "text"), ("what it is about", "text"), ("in force", "text"), ("supported by sections", "text")]
    columns += [("not in this report", "text"), ("source", "text")]
    rows = []
    for row in document["rows"]:
        there = [part for part in row["sections"] if _has(sections, part)]
        lacking = [part for part in row["sections"] if part not in there]
        rows.append((row["rule"], row["subject"], row["in_force"], _listed(there), _listed(lacking), row["source"]))
    return blocks.table("rows", "Duties and sections", columns, rows)


def _listed(parts: Sequence[str]) -> str:
    split = (part.partition(".") for part in parts)
    return ", ".join(f"{number} ({slug.replace('_', ' ')})" if slug else number for number, _, slug in split)


def _has(sections: Sequence[Mapping[str, Any]], part: str) -> bool:
    """Whether the report has a section, or the one block of it that is named ("17.plan")."""
    number, _, slug = part.partition(".")
    content = next(section["blocks"] for section in sections if section["number"] == number)
    if slug:
        return any(block["id"] == f"s{number}.{slug}" and block["kind"] != "absent" for block in content)
    return any(block["kind"] not in {"absent", "heading", "code"} for block in content)


def schema(facts: Facts, study: Study) -> list[Block]:
    """Annex C: the schema that report.json keeps."""
    document = digest.read_json(SCHEMA)
    return [
        blocks.facts(
            "schema",
            "JSON schema of report.json",
            [
                Fact("Identifier", document["$id"], "code"),
                Fact("Dialect", document["$schema"], "code"),
                Fact("Digest", digest.of_json(document), "digest"),
            ],
        ),
        blocks.text(
            "codes", "Where an item is missing, a reason code stands in its place; no section is empty. The codes are:"
        ),
        blocks.table(
            "reasons", "Reason codes", [("code", "code"), ("meaning", "text")], sorted(blocks.REASONS.items())
        ),
    ]


def glossary(facts: Facts, study: Study) -> list[Block]:
    """Annex D: the words of this report."""
    terms = digest.read_json(HOME / "glossary.json")
    rows = [(row["term"], row["meaning"]) for row in terms]
    return [blocks.table("terms", "Words", [("term", "text"), ("meaning", "text")], rows)]
