"""The report as one JSON document: 19 numbered sections and 4 annexes, in an order that never changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks, numbers, pdf, proofs, render
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import (
    annex,
    attributions,
    card,
    cases,
    explanation_quality,
    governance,
    identity,
    performance,
    summary,
    training,
    words,
)
from tasks.validate.judgement import Judgement

SCHEMA = "assay/report/3"
EARLIER = ("assay/report/1", "assay/report/2")  # of releases before
CONFIDENCE = 0.95  # of every interval
RUN = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
Writer = Callable[[Facts, Study], list[Block]]
SECTIONS: tuple[tuple[str, str, Writer], ...] = (
    ("0", "This report", identity.about),
    ("1", "Summary", summary.summary),
    ("2", "Identity and lineage", identity.lineage),
    ("3", "Purpose and users", card.purpose),
    ("4", "Data", card.data),
    (
        "5",
        "Conceptual soundness",
        lambda facts, study: card.soundness(facts) + training.learned(facts.training),
    ),
    ("6", "Performance and outcomes", performance.performance),
    ("7", "How it was explained", explanation_quality.method),
    ("8", "Global attributions", attributions.global_view),
    ("9", "Cohorts", attributions.cohorts),
    ("10", "Local cases", cases.local_cases),
    ("11", "Interactions", attributions.interactions),
    ("12", "Reason codes and counterfactuals", cases.reasons),
    ("13", "Quality of the explanations", explanation_quality.quality),
    ("14", "Fairness", governance.fairness),
    ("15", "Robustness and security", governance.robustness),
    ("16", "Limitations and oversight", governance.limitations),
    ("17", "Monitoring", governance.monitoring),
    ("18", "Approvals", governance.approvals),
    ("A", "Replay", annex.replay),
    ("B", "Regulatory cross-walk", annex.dated),
    ("C", "JSON schema", annex.schema),
    ("D", "Glossary", annex.glossary),
)


def compose(facts: Facts, study: Study) -> dict[str, Any]:
    """Write the whole document. Raises ValueError where a section would be empty."""
    sections = [blocks.section(number, title, write(facts, study)) for number, title, write in SECTIONS]
    empty = [part["number"] for part in sections if not part["blocks"]]
    if empty:
        raise ValueError(f"section {empty[0]} of the report has nothing; give it a block or a reason why it is absent")
    for part in sections:
        if part["number"] == "B":
            part["blocks"].append(blocks.section("B", "", [annex.crosswalk(sections)])["blocks"][0])
    task, metrics = facts.task, facts.metrics
    document = {
        "schema": SCHEMA,
        "renderer": render.renderer(),
        "printer": pdf.printer(),
        "made": made(facts.run.lineage.get("run")),
        "confidence": CONFIDENCE,
        "task": task.name,
        "summary": task.summary,
        "kind": task.head.kind,
        "outputs": task.head.outputs,
        "model_digest": facts.model_digest,
        **headline(metrics),
        "synthetic": facts.synthetic,
        "sections": sections,
        "evidence": proofs.evidence(study),
    }
    return numbers.annotated(blocks.clean(document))


def made(run: str | None) -> str | None:
    """The time that a run's name begins with (20261127T092000...), as RFC 3339 has it; None where it has none."""
    found = RUN.match(run or "")
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else None


def headline(metrics: Judgement) -> dict[str, Any]:
    """The figures at the head of the document, as the version's own judgement has them."""
    return {
        "verdict": metrics.verdict,
        "metric": metrics.metric,
        "value": metrics.value,
        "ci95": words.known(metrics.ci95),
        "baseline": metrics.baseline.model_dump(),
        "lift": metrics.lift,
        "lift_ci95": words.known(metrics.lift_ci95),
    }
