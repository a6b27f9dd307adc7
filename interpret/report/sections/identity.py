"""Sections 0 and 2: what the report is about, in digests, and of what the version was made."""

from __future__ import annotations

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.findings import findings
from interpret.report.sections.listing import flat, listed


def verification(facts: Facts, study: Study) -> list[Block]:
    """Section 0: what this report is about, in digests."""
    name = facts.task.name
    return [
        blocks.facts(
            "identity",
            "What this report is about",
            [
                ("Report", f"{name}-{facts.model_digest[:16]}", "code"),
                ("Task", name, "text"),
                ("Head", words.KINDS[facts.task.head.kind], "text"),
                ("Model digest", facts.model_digest, "digest"),
                ("Data fingerprint", facts.data.get("fingerprint"), "digest"),
                ("Recipe digest", facts.lineage.get("recipe_digest"), "digest"),
                ("Verdict of validation", facts.metrics.get("verdict"), "verdict"),
                ("Findings", len(findings(facts, study)), "integer"),
            ],
        ),
        blocks.text(
            "how",
            "The model digest is the SHA-256 of the canonical JSON {file name: SHA-256 of the file} over the version's "
            "files, listed in section 2. The registry binds it to the digest of this report and gives both a number.",
        ),
        blocks.code("verify", f"./assay versions {name}", f"./assay verify {name}@NUMBER"),
        blocks.absent(
            "chain", "Position in the event chain", "pending", "The registry gives it when the version is registered."
        ),
        blocks.absent("signers", "Key ids of the signers", "not_built", "Versions are not signed yet."),
    ]


def lineage(facts: Facts, study: Study) -> list[Block]:
    """Section 2: of what, by what and from what the version was made."""
    head = facts.documents["head"]
    body, lora = head.get("backbone") or {}, head.get("lora") or {}
    found = [
        blocks.facts(
            "model",
            "Model",
            [
                ("Parts", ", ".join(words.MODALITIES.get(p, p) for p in head.get("parts", [])), "text"),
                ("Backbone", body.get("name", "none: no row of this task holds text"), "text"),
                ("Backbone digest", body.get("digest"), "digest"),
                ("Tokenizer digest", body.get("tokenizer_digest"), "digest"),
                ("LoRA", ", ".join(f"{k} {v}" for k, v in sorted(lora.items())) or "none", "text"),
                ("Classical part", facts.documents["classical"].get("name", facts.task.classical.name), "text"),
                ("Threads in training", head.get("threads"), "integer"),
            ],
        ),
        blocks.facts("run", "Run", listed(facts.lineage))
        if facts.lineage
        else blocks.absent("run", "Run and code", "not_provided", "The report was made outside a flow."),
        blocks.table("files", "Files", [("file", "code"), ("bytes", "integer"), ("SHA-256", "digest")], facts.files),
        blocks.facts("libraries", "Libraries", [(name, v, "text") for name, v in facts.libraries.items()]),
    ]
    if facts.documents["recipe"]:
        found.append(blocks.facts("recipe", "Recipe", [(k, v, "code") for k, v in flat(facts.documents["recipe"])]))
    else:
        found.append(blocks.absent("recipe", "Recipe", "not_provided", "No recipe.json lies beside the weights."))
    return [*found, blocks.absent("sbom", "Software bill of materials", "not_built", "Pins are in constraints.txt.")]
