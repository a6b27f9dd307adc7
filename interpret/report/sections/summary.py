"""Section 1: one page for who reads nothing else, and the figure of the metric beside its baseline."""

from __future__ import annotations

from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.findings import findings


def summary(facts: Facts, study: Study) -> list[Block]:
    """Section 1: one page for who reads nothing else."""
    metrics = facts.metrics
    found: list[Block] = [blocks.text("plain", facts.task.summary, _figures(facts), _drivers(facts, study))]
    if metrics:
        found.append(comparison("comparison", facts))
    if facts.synthetic:
        found.append(
            blocks.finding(
                "synthetic",
                "warn",
                "The data are synthetic",
                "The rows were written by a generator. The figures show that the machinery works; they say nothing "
                "about how the model does on real documents or markets.",
            )
        )
    found += findings(facts, study)
    return found


def comparison(slug: str, facts: Facts) -> Block:
    """The metric of the model and its baseline on the same test rows, as a figure."""
    metrics, base = facts.metrics, facts.metrics.get("baseline") or {}
    rows: list[tuple[str, Any, Any, str]] = [("this version", metrics.get("value"), metrics.get("ci95"), "ours")]
    if base:
        rows.append((f"baseline: {base.get('name')}", base.get("value"), base.get("ci95"), "peer"))
    rows = [row for row in rows if row[1] is not None]
    label = str(metrics.get("metric", "metric"))
    alt = "; ".join(f"{name} {value:.4g}" for name, value, _, _ in rows)
    data = {
        "names": [row[0] for row in rows],
        "values": [row[1] for row in rows],
        "ci95": [row[2] for row in rows],
        "kinds": [row[3] for row in rows],
        "xlabel": f"{label} on the test rows, higher is better",
    }
    return blocks.figure(slug, "estimates", "This version beside its baseline", f"{label}: {alt}", data)


def _figures(facts: Facts) -> str:
    m = facts.metrics
    if not m:
        return "No figures of validation lie beside the weights."
    base, lift = m.get("baseline") or {}, m.get("lift_ci95")
    words_ = f"On {facts.rows.get('test', 0):,} test rows it reaches {m.get('metric')} {m.get('value'):.4g}"
    if m.get("ci95"):
        words_ += f" (95 % interval {m['ci95'][0]:.4g} to {m['ci95'][1]:.4g})"
    if base:
        words_ += f"; the baseline, {base.get('name')}, reaches {base.get('value'):.4g}"
    if lift:
        words_ += f". The difference lies between {lift[0]:+.3g} and {lift[1]:+.3g} with 95 % confidence"
    return words_ + "."


def _drivers(facts: Facts, study: Study) -> str:
    parts = [f"{100 * s['share']:.0f} % {words.MODALITIES[s['modality']]}" for s in study.shares]
    top = [str(line["name"]) for line in study.importance if line["modality"] != "text"][:3]
    said = f"What moves its answers, by share of |value|: {', '.join(parts)}"
    return said + (f"; among the numbers, first {', '.join(top)}." if top else ".")
