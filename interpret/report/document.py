"""The report as one JSON document: 19 numbered sections and 4 annexes, in an order that never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import annex, assurance, front, local, outcome, training

SCHEMA = "assay/report/1"
Writer = Callable[[Facts, Study], list[Block]]
SECTIONS: tuple[tuple[str, str, Writer], ...] = (
    ("0", "Verification", front.verification),
    ("1", "Summary", front.summary),
    ("2", "Identity and lineage", front.lineage),
    ("3", "Purpose and users", front.purpose),
    ("4", "Data", front.data),
    ("5", "Conceptual soundness", lambda facts, study: [*front.soundness(facts, study), *training.learned(facts)]),
    ("6", "Performance and outcomes", outcome.performance),
    ("7", "How it was explained", assurance.method),
    ("8", "Global attributions", outcome.global_view),
    ("9", "Cohorts", outcome.cohorts),
    ("10", "Local cases", local.local_cases),
    ("11", "Interactions", outcome.interactions),
    ("12", "Reason codes and counterfactuals", local.reasons),
    ("13", "Quality of the explanations", assurance.quality),
    ("14", "Fairness", assurance.fairness),
    ("15", "Robustness and security", assurance.robustness),
    ("16", "Limitations and oversight", assurance.limitations),
    ("17", "Monitoring", assurance.monitoring),
    ("18", "Approvals", assurance.approvals),
    ("A", "Replay", annex.replay),
    ("B", "Regulatory cross-walk", annex.crosswalk),
    ("C", "JSON schema", annex.schema),
    ("D", "Glossary", annex.glossary),
)


def compose(facts: Facts, study: Study) -> dict[str, Any]:
    """Write the whole document. Raises ValueError where a section would be empty."""
    sections = [blocks.section(number, title, write(facts, study)) for number, title, write in SECTIONS]
    empty = [part["number"] for part in sections if not part["blocks"]]
    if empty:
        raise ValueError(f"section {empty[0]} of the report has nothing; give it a block or a reason why it is absent")
    document = {
        "schema": SCHEMA,
        "task": facts.task.name,
        "summary": facts.task.summary,
        "kind": facts.task.head.kind,
        "outputs": list(facts.task.head.outputs),
        "model_digest": facts.model_digest,
        "verdict": facts.metrics.get("verdict"),
        "metric": facts.metrics.get("metric"),
        "value": facts.metrics.get("value"),
        "ci95": facts.metrics.get("ci95"),
        "baseline": facts.metrics.get("baseline"),
        "lift": facts.metrics.get("lift"),
        "lift_ci95": facts.metrics.get("lift_ci95"),
        "synthetic": facts.synthetic,
        "sections": sections,
    }
    cleaned: dict[str, Any] = blocks.clean(document)
    return cleaned
