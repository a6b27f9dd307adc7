"""Sections 0 and 2: what the report is about, and of what the version was made; its digests stand in the second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts, File
from interpret.report.sections import words
from interpret.report.sections.findings import findings
from interpret.report.sections.listing import flat, listed
from tasks import digest

BODIES = Path(__file__).resolve().parents[1] / "bodies.json"


def about(facts: Facts, study: Study) -> list[Block]:
    """Section 0: what this report is about, in a few lines above the summary."""
    name = facts.task.name
    lines = [
        Fact("Report", blocks.report_id(name, facts.model_digest), "code"),
        Fact("Task", name),
        Fact("Answers with", words.KINDS[facts.task.head.kind]),
        Fact("Verdict of validation", facts.metrics.verdict, "verdict"),
        Fact("Findings", len(findings(facts, study)), "integer"),
    ]
    return [blocks.facts("identity", "", lines)]


def _digests(facts: Facts) -> list[Block]:
    """What binds this report to the version's bytes, and how that is checked."""
    name = facts.task.name
    lines = [
        Fact("Model digest", facts.model_digest, "digest"),
        Fact("Data fingerprint", facts.fingerprint, "digest"),
        Fact("Recipe digest", facts.run.lineage.get("recipe_digest"), "digest"),
    ]
    return [
        blocks.facts("digests", "Digests", lines),
        blocks.text(
            "how",
            "The model digest is the SHA-256 of the canonical JSON {file name: SHA-256 of the file} over the version's "
            "files, listed below. The registry binds it to the digest of this report and gives both a number.",
        ),
        blocks.code("verify", f"./assay versions {name}", f"./assay verify {name}@NUMBER"),
        blocks.absent(
            "chain", "Position in the event chain", "pending", "The registry gives it when the version is registered."
        ),
        blocks.absent("signers", "Key ids of the signers", "pending", "The registry keeps them, of whoever judges it."),
    ]


def lineage(facts: Facts, study: Study) -> list[Block]:
    """Section 2: of what, by what and from what the version was made."""
    return [
        _model(facts),
        *_body(facts),
        blocks.facts("run", "Run", listed(facts.run.lineage))
        if facts.run.lineage
        else blocks.absent("run", "Run and code", "not_provided", "The report was made outside a flow."),
        *_digests(facts),
        listing_of(facts.files),
        blocks.facts("libraries", "Libraries", [Fact(name, version) for name, version in facts.libraries.items()]),
        blocks.facts("recipe", "Recipe", [Fact(key, value, "code") for key, value in _own(facts)])
        if facts.recipe
        else blocks.absent("recipe", "Recipe", "not_provided", "No recipe.json lies beside the weights."),
        blocks.absent("sbom", "Software bill of materials", "not_built", "Pins are in constraints.txt."),
    ]


def listing_of(files: Sequence[File]) -> Block:
    """The version's files with their sizes and digests."""
    columns = [("file", "code"), ("bytes", "integer"), ("SHA-256", "digest")]
    return blocks.table("files", "Files", columns, [(file.name, file.size, file.sha256) for file in files])


def _own(facts: Facts) -> list[tuple[str, Any]]:
    """The keys of the recipe that are set and concern this task."""
    mine = f"tasks.{facts.task.name}."
    found = flat(facts.recipe)
    return [(key, value) for key, value in found if value is not None and (key.startswith(mine) or key[:6] != "tasks.")]


def _body(facts: Facts) -> list[Block]:
    """What its publisher says of the frozen body, which nobody here trained."""
    body = facts.head.get("backbone") or {}
    if not body:
        return []
    known = digest.read_json(BODIES).get(body["name"])
    if known is None:
        note = f"Assay holds no card of {body['name']}; read its publisher's, and validate it for this use."
        return [blocks.absent("body", "Card of the backbone", "not_provided", note)]
    return [blocks.facts("body", "Card of the backbone, as its publisher has it", [Fact(*line) for line in known])]


def _model(facts: Facts) -> Block:
    head = facts.head
    backbone, lora = head.get("backbone") or {}, head.get("lora") or {}
    rows = [
        Fact("Parts", ", ".join(words.MODALITIES.get(part, part) for part in head.get("parts", []))),
        Fact("Backbone", backbone.get("name", "none: no row of this task holds text")),
        Fact("Backbone digest", backbone.get("digest"), "digest"),
        *([Fact("Made of the GGUF file", backbone["gguf_digest"], "digest")] if "gguf_digest" in backbone else []),
        Fact("Tokenizer digest", backbone.get("tokenizer_digest"), "digest"),
        Fact("LoRA", ", ".join(f"{key} {value}" for key, value in sorted(lora.items())) or "none"),
        Fact("Classical part", facts.classical.get("name", facts.task.classical.name)),
        Fact("Threads in training", head.get("threads"), "integer"),
    ]
    return blocks.facts("model", "Model", rows)
