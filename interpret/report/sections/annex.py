"""Annexes A to D: replay, regulatory cross-walk, schema, glossary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts
from tasks import digest

HOME = Path(__file__).resolve().parents[1]
SCHEMA = HOME / "report.schema.json"


def replay(facts: Facts, study: Study) -> list[Block]:
    """Annex A: how to get the same report and the same decision again."""
    name = facts.task.name
    return [
        blocks.text(
            "same",
            "The same version, data, seed, thread count and library versions give the same report, byte for byte. "
            "The HTML is made from the JSON alone and is byte-identical whenever it is made again.",
        ),
        blocks.code(
            "report", f"./assay report {name}@NUMBER --format json", f"./assay report {name}@NUMBER --format html"
        ),
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
        blocks.absent(
            "decisions", "Replay of single decisions", "pending", "./assay replay DECISION, for logged decisions."
        ),
    ]


def crosswalk(facts: Facts, study: Study) -> list[Block]:
    """Annex B: which sections support which duty; dated data, never a claim of compliance."""
    document: dict[str, Any] = digest.read_json(HOME / "crosswalk.json")
    columns = [("rule", "text"), ("what it is about", "text"), ("supported by sections", "text"), ("source", "text")]
    rows = [(row["rule"], row["subject"], ", ".join(row["sections"]), row["source"]) for row in document["rows"]]
    return [
        blocks.text("note", f"As of {document['as_of']}. {document['note']}"),
        blocks.table("rows", "Duties and sections", columns, rows),
    ]


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
