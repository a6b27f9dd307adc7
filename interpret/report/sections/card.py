"""Sections 3 to 5, from the task's card and the data card: purpose, data, conceptual soundness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts, card_sections
from interpret.report.sections import words
from interpret.report.sections.listing import listed
from interpret.section import LEAST, MOST, SIGNATURES
from tasks.backbone.section import DEFAULT
from tasks.task import Task

# Words of the card's headings, by the section that takes what stands under them.
PURPOSE = ("purpose", "use", "prohibited", "reads", "answers", "user")
DATA = ("data", "licence", "license", "source", "synthetic", "split", "label")
SIGNS = ("sign", "assum", "design", "classical", "expected", "method")
SPLITS = {"time": "by time, walk-forward with a purge", "group": "by group, no group in two parts"}


def purpose(facts: Facts, study: Study) -> list[Block]:
    """Section 3: what the model is for and what it is not for, from the task's card."""
    task = facts.task
    found = [blocks.text("summary", task.summary), *_from_card("card", facts, PURPOSE, rest=True)]
    if not facts.card:
        found.append(blocks.absent("card", "Purpose and prohibited uses", "not_declared", "The task has no card."))
    modalities = [
        Fact("Reads", ", ".join(task.reads)),
        Fact("Must hold", ", ".join(task.needs)),
        Fact("Answers", ", ".join(task.head.outputs) or "a number"),
    ]
    return [*found, blocks.facts("modalities", "What it reads and answers", modalities), _materiality(facts)]


def _materiality(facts: Facts) -> Block:
    """Exposure and purpose, and what the tier that follows from them asks of this report and of who approves it."""
    declared = facts.governance
    tier = declared.tier
    if tier is None:
        note = (
            "Exposure and purpose are the user's: declare them in [tasks."
            f"{facts.task.name}.governance] of the recipe before production."
        )
        return blocks.absent("materiality", "Materiality tier", "not_declared", note)
    rows = [
        Fact("Exposure", declared.exposure),
        Fact("Purpose", declared.purpose),
        Fact("Tier", tier, "integer"),
        *(Fact(f"It asks for {key} explained, at least", least, "integer") for key, least in LEAST[tier].items()),
        *(Fact(f"It asks for a {key} of at most", most, "percent") for key, most in MOST[tier].items()),
        Fact("It asks for people who approve", SIGNATURES[tier], "integer"),
    ]
    return blocks.facts("materiality", "Materiality tier: exposure by purpose", rows)


def data(facts: Facts, study: Study) -> list[Block]:
    """Section 4: where the rows come from and what was left out."""
    known = [row for row in listed(facts.data) if not row.name.startswith(("rows.", "labels."))]
    found: list[Block] = []
    if facts.synthetic:
        found.append(blocks.text("synthetic", "The data are synthetic: written by a generator, from a fixed seed."))
    if known:
        found += [blocks.facts("card", "Data card", known), *_labels(facts.data.get("labels"))]
    else:
        found.append(blocks.absent("card", "Data card", "not_provided", "No data.json lies beside the weights."))
    columns = [("part", "text"), ("rows", "integer"), ("from", "text"), ("to", "text")]
    rows = [(part, count, *facts.periods.get(part, (None, None))) for part, count in facts.rows.items()]
    split = (
        f"Rows without a given part are divided {SPLITS.get(facts.task.split, 'at random, seeded')}. "
        "Rows that repeat are kept once, and rows of numbers that are alike stand on one side, so that no test row is "
        "known from training."
    )
    return [
        *found,
        blocks.table("splits", "Rows and periods", columns, rows),
        blocks.text("split", split),
        *_from_card("about", facts, DATA),
    ]


def soundness(facts: Facts) -> list[Block]:
    """Section 5: why this design, what was expected of it before training, and against whom it stands."""
    task = facts.task
    found = [
        blocks.text("design", _parts(task), _about_the_body(facts.head.get("backbone"))),
        *_from_card("card", facts, SIGNS),
    ]
    signed = [feature for feature in task.features if feature.sign and not feature.levels]
    declared = [(feature.name, feature.group, feature.sign) for feature in signed]
    if declared:
        columns = [("feature", "text"), ("group", "text"), ("expected sign", "signed")]
        found.append(blocks.table("signs", "Signs declared before training", columns, declared))
    else:
        why = "not_declared" if task.features else "not_applicable"
        note = "No feature has a declared sign. What the card expects in words is asked by the cases of section 15."
        found.append(blocks.absent("signs", "Signs of single features", why, note))
    note = (
        f"The version starts from {task.classical.name} and must beat {facts.metrics.baseline.name}, its baseline "
        "(section 6). No other design is on record."
    )
    return [*found, blocks.absent("alternatives", "Other designs tried", "not_provided", note)]


def _parts(task: Task) -> str:
    """How the classical part and what is learned make one answer."""
    if task.writer is not None:
        return (
            f"The body writes programs, and the classical part ({task.classical.name}) proposes some. Each candidate "
            "has a log-probability by both; their weighted sum chooses, with weights from the valid rows, so that "
            "either can be switched off and its worth measured (section 6)."
        )
    return (
        f"The classical part ({task.classical.name}) answers first; the learned parts add what it leaves over, each "
        "through a gate, so that every part can be switched off and its worth measured (section 6)."
    )


def _about_the_body(backbone: Mapping[str, str] | None) -> str:
    """What is learned on it; and, where it is not the packaged one, what no other report can say of it."""
    if not backbone:
        return "No row holds text, so there is no backbone and no adapter: the learned parts are small networks."
    learned = "The backbone is frozen. A task trains a LoRA adapter on its top layers and a head."
    if backbone["name"] == DEFAULT:
        return learned
    return (
        f"{learned} It is {backbone['name']} in {backbone.get('dtype', 'float32')}, not {DEFAULT}: its tokens, its "
        "window, its memory and its time are its own, and no figure of a report on another body holds for it."
    )


def _from_card(slug: str, facts: Facts, keys: tuple[str, ...], *, rest: bool = False) -> list[Block]:
    """The card's parts whose heading fits; with `rest`, also those that no other section takes."""
    found: list[Block] = []
    for number, (heading, lines) in enumerate(card_sections(facts.card).items()):
        taken_by = _home(heading)
        if any(lines) and (taken_by == keys or (rest and taken_by is None)):
            if heading:
                found.append(blocks.heading(f"{slug}_{number}", heading))
            found += words.markdown(f"{slug}_{number}", lines)
    return found


def _home(heading: str) -> tuple[str, ...] | None:
    """Which section a heading of the card belongs to: the first list with a word of it. Limits go to section 16."""
    lower = heading.lower()
    if "limit" in lower:
        return ("limit",)
    return next((keys for keys in (SIGNS, DATA, PURPOSE) if any(key in lower for key in keys)), None)


def _labels(labels: Any) -> list[Block]:
    """How often each label occurs in each part."""
    if not isinstance(labels, dict) or not all(isinstance(part, dict) for part in labels.values()):
        return []
    names = sorted({name for part in labels.values() for name in part})
    parts = [part for part in ("train", "valid", "test") if part in labels]
    columns = [("part", "text"), *((name, "integer") for name in names)]
    rows = [(part, *map(labels[part].get, names)) for part in parts]
    return [blocks.table("labels", "Labels", columns, rows)]
