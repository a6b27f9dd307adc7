"""The five questions that a supervisor asks first, each answered in at most three sentences of everyday words.

The words that the glossary has to explain are left out on purpose; every number is one of the report's own figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from interpret.attribution.study import Study
from interpret.report import blocks, numbers
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.findings import protected_inputs
from tasks.validate.judgement import ChampionFigures, ChampionNotCompared, FairnessRow

FIRST = 3  # drivers that are named
PARTS = {"text": "the words of the text", "table": "the facts of the record", "series": "the course of the series"}
# Findings that weaken an explanation, in everyday words:
DOUBTS = {
    "additivity": "its parts do not add up to the answer",
    "sampling": "some of its parts are not settled yet",
    "scaffold": "it may answer masked cases otherwise than real ones",
    "blank": "part of what it names an untrained network would name too",
    "few": "few rows were explained",
}
QUESTIONS = (
    ("moves", "What moves it?"),
    ("trust", "May I trust the explanation?"),
    ("treats", "Whom does it treat differently?"),
    ("changed", "What changed?"),
    ("answers", "Who answers for it?"),
)


def answered(facts: Facts, study: Study, found: Sequence[Block]) -> list[Block]:
    """The questions, each with its answer. `found` are the report's findings."""
    said = (_moves(study), _trust(study, found), _treats(facts), _changed(facts), _answers(facts, found))
    told: list[Block] = []
    for (slug, question), answer in zip(QUESTIONS, said, strict=True):
        told += [blocks.heading(slug, question), blocks.text(slug, " ".join(answer))]
    return told


def _moves(study: Study) -> list[str]:
    parts = sorted(study.shares, key=lambda line: -line.share)
    if len(parts) == 1:
        told = [f"{PARTS[parts[0].modality].capitalize()}, and nothing else."]
    else:
        shares = ", ".join(f"{PARTS[line.modality]} {numbers.said(line.share, 'share')}" for line in parts)
        told = [f"What it reads counts in these shares: {shares}."]
    top = [f"“{line.name.replace('_', ' ')}”" for line in study.importance if line.modality != "text"][:FIRST]
    if top:
        told.append(f"Of what is measured, these move it most: {', '.join(top)}.")
    if study.phrases:
        most = " and ".join(f"“{phrase.words.strip().rstrip('.')}”" for phrase in study.phrases[: FIRST - 1])
        told.append(f"Among the explained cases the strongest phrases are {most}.")
    return told


def _trust(study: Study, found: Sequence[Block]) -> list[str]:
    """Whether it has settled, whether its order counts, and what else speaks against it among the findings."""
    cases, settled = len(study.local), study.sampling.converged
    count, all_of = numbers.said(settled, "integer"), numbers.said(cases, "integer")
    if settled == cases:
        told = [f"Each of the {all_of} explained cases has settled: drawing again would hardly change it."]
    else:
        told = [
            f"Only in part: {count} of {all_of} explained cases have settled, the others would change if drawn again."
        ]
    if study.deletion.ci95[0] > 0:
        told.append("Hiding the parts that are named first changes the answer faster than hiding parts at random.")
    else:
        told.append("Hiding the parts that are named first is not shown to change the answer faster than chance does.")
    doubts = [DOUBTS[block["slug"]] for block in found if block["slug"] in DOUBTS]
    if doubts:
        told.append(f"Against it speaks: {'; '.join(doubts)}.")
    else:
        told.append("It says what moved this model, not what causes the outcome in the world.")
    return told


def _treats(facts: Facts) -> list[str]:
    read, rows = protected_inputs(facts), [row for row in facts.metrics.fairness if row.ratio is not None]
    uses = f"It reads {', '.join(read)}, on which people may often not be told apart." if read else ""
    if not rows:
        told = "No group of people was compared: the test rows do not say who belongs to one."
        return [each for each in (uses, told) if each]
    least = min(rows, key=lambda row: row.ratio or 0.0)
    most = max((row for row in rows if row.column == least.column), key=lambda row: row.spared or 0.0)
    told = f"The widest gap is by {least.column.replace('_', ' ')}: {_spared(least)}, {_spared(most)}."
    return [each for each in (uses, told, "Section 14 has every group with its margin of error.") if each]


def _spared(row: FairnessRow) -> str:
    group = f"“{row.group}”"
    return (
        f"{numbers.said(row.spared, 'share')} of {numbers.said(row.rows, 'integer')} in the group {group} are accepted"
    )


def _changed(facts: Facts) -> list[str]:
    champion = facts.metrics.champion
    if champion is None:
        return ["This task had no version that answered before, so there is nothing to compare with."]
    if isinstance(champion, ChampionNotCompared):
        return [f"It was not compared with {champion.version}, which answers now: {champion.why}."]
    return [_beside(champion), "How the reasons for its answers moved since then was not measured."]


def _beside(champion: ChampionFigures) -> str:
    ends = words.known(champion.lift_ci95)
    moved = f"On the same test rows its figure moved by {numbers.said(champion.lift, 'signed')}"
    if ends is None:
        return f"{moved} against {champion.version}, which answers now."
    clear = "clearly" if ends[0] * ends[1] > 0 else "within chance"
    return f"{moved} against {champion.version}, which answers now: {clear} ({numbers.span(*ends, 'signed')})."


def _answers(facts: Facts, found: Sequence[Block]) -> list[str]:
    open_ones = [block for block in found if block["level"] in ("warn", "fail")]
    count = numbers.said(len(open_ones), "integer")
    weighs = f"Whoever approves it takes {count} open {'warning' if len(open_ones) == 1 else 'warnings'} upon them."
    return [
        _people(facts),
        "When this page was written nobody had approved it: the registry names who did since.",
        weighs if open_ones else "No warning is open.",
    ]


def _people(facts: Facts) -> str:
    """Whom the recipe names, in one sentence."""
    named = facts.governance
    told = [f"{named.owner} owns it" if named.owner else "nobody is on record as its owner"]
    if named.validator:
        told.append(f"{named.validator} checks it")
    when = named.next_review
    told.append("no next review is planned" if when is None else f"it is looked at again on {when.isoformat()}")
    said = ", ".join(told[:-1]) + f" and {told[-1]}."
    return said[0].upper() + said[1:]
