"""Section 12: the list of reasons, what refused test rows are told, and the changes that would have turned them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpret.attribution.refusals import Refusals, Refused
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from tasks.validate.counterfactual import Counterfactual

SHOWN = 12  # rows with their changes


def told(refusals: Refusals) -> list[Block]:
    """The section of a version that keeps a list."""
    listed, rows = refusals.listed, refusals.told
    codes = sorted((one.code, group, one.text) for group, one in listed.codes.items())
    return [
        blocks.text(
            "how",
            f"List of reasons, version {listed.version}. A row is told reasons where its probability is "
            f"{'above' if listed.adverse == 'high' else 'below'} one half: at most four, each the Shapley value of a "
            "group in the served version's own log odds whose 95 % interval lies above zero, and none of which the row "
            "holds nothing. The answers over HTTP and of files give the same, drawn from the row alone.",
        ),
        blocks.table("codes", "Codes", [("code", "code"), ("group", "code"), ("what is said", "text")], codes),
        blocks.facts("counts", "On the test rows", list(_counts(refusals))),
        blocks.table(
            "reasons",
            "Reasons of refused rows, the least clear first",
            [("row", "text"), ("log odds", "signed"), ("reasons: code, value, lower end", "text")],
            [(row.row, row.log_odds, _reasons(row)) for row in rows[:SHOWN]],
        )
        if rows
        else blocks.absent("reasons", "Reasons of refused rows", "too_few_rows", "The version refuses no test row."),
        *_ways(listed.fixed, rows),
    ]


def _counts(refusals: Refusals) -> list[Fact]:
    rows = refusals.told
    reasons = [reason for row in rows for reason in row.reasons]
    return [
        Fact("refused test rows", refusals.count, "integer"),
        Fact("of them told here", len(rows), "integer"),
        Fact("told no reason, for none is sure", sum(not row.reasons for row in rows), "integer"),
        Fact("reasons given", len(reasons), "integer"),
        Fact("with a lower end above zero", sum(reason.ci95[0] > 0 for reason in reasons), "integer"),
        Fact("of a group of which the row holds nothing", _nothing(rows), "integer"),
        Fact("counterfactuals given, each re-scored by the version", sum(len(row.ways) for row in rows), "integer"),
        Fact("rows for which none was found", sum(not row.ways for row in rows), "integer"),
    ]


def _nothing(rows: tuple[Refused, ...]) -> int:
    return sum(not reason.values and reason.attribute != "text" for row in rows for reason in row.reasons)


def _reasons(row: Refused) -> str:
    each = [f"{r.code} {r.attribute} {r.log_odds:+.3f} ({r.ci95[0]:+.3f})" for r in row.reasons]
    return "; ".join(each) or "none is sure"


def _ways(fixed: tuple[str, ...], rows: tuple[Refused, ...]) -> list[Block]:
    title = "Counterfactuals: the smallest changes that turn the answer"
    found = [(row.row, _way(way), way.raw) for row in rows[:SHOWN] for way in row.ways]
    if not found:
        return [blocks.absent("counterfactuals", title, "too_few_rows", "No change of at most three groups was found.")]
    held = f"Never changed: {', '.join(fixed)}. Values are those of training rows." if fixed else ""
    columns = [("row", "text"), ("change", "text"), ("raw answer then", "signed")]
    return [blocks.table("counterfactuals", title, columns, found), blocks.text("held", held)]


def _way(way: Counterfactual) -> str:
    return "; ".join(f"{c.attribute}: {_words(c.given)} -> {_words(c.needed)}" for c in way.changes)


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in values.values())
