"""Section 1: one page for who reads nothing else, and the figure of the metric beside its baseline."""

from __future__ import annotations

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.findings import findings


def summary(facts: Facts, study: Study) -> list[Block]:
    """Section 1: one page for who reads nothing else."""
    found: list[Block] = [
        blocks.text("plain", facts.task.summary, _figures(facts), _drivers(study)),
        comparison("comparison", facts),
    ]
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
    return [*found, *findings(facts, study)]


def comparison(slug: str, facts: Facts) -> Block:
    """The metric of the model and its baseline on the same test rows, as a figure."""
    metrics, baseline = facts.metrics, facts.metrics.baseline
    rows = [
        ("this version", metrics.value, words.known(metrics.ci95), "ours"),
        (f"baseline: {baseline.name}", baseline.value, words.known(baseline.ci95), "peer"),
    ]
    rows = [row for row in rows if row[1] is not None]
    if not rows:
        return blocks.absent(slug, "The metric as a figure", "not_measured", "It is no number on these test rows.")
    names, values, intervals, kinds = zip(*rows, strict=True)
    data = {
        "names": names,
        "values": values,
        "ci95": intervals,
        "kinds": kinds,
        "xlabel": f"{metrics.metric} on the test rows, higher is better",
    }
    alt = "; ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))
    return blocks.figure(slug, "estimates", "This version beside its baseline", f"{metrics.metric}: {alt}", data)


def _figures(facts: Facts) -> str:
    metrics, baseline = facts.metrics, facts.metrics.baseline
    ends, lift = words.known(metrics.ci95), words.known(metrics.lift_ci95)
    said = f"On {facts.rows['test']:,} test rows it reaches {metrics.metric} {words.figure(metrics.value)}"
    if ends:
        said += f" (95 % interval {ends[0]:.4g} to {ends[1]:.4g})"
    said += f"; the baseline, {baseline.name}, reaches {words.figure(baseline.value)}"
    if lift:
        said += f". The difference lies between {lift[0]:+.3g} and {lift[1]:+.3g} with 95 % confidence"
    return said + "."


def _drivers(study: Study) -> str:
    parts = [f"{100 * line.share:.0f} % {words.MODALITIES[line.modality]}" for line in study.shares]
    top = [line.name for line in study.importance if line.modality != "text"][:3]
    said = f"What moves its answers, by share of |value|: {', '.join(parts)}"
    return said + (f"; among the numbers, first {', '.join(top)}." if top else ".")
