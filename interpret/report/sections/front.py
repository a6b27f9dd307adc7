"""Sections 0 to 5: verification, summary, lineage, purpose, data, soundness."""

from __future__ import annotations

import re
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts, card_sections
from interpret.report.sections import words
from interpret.report.sections.findings import findings

PURPOSE = ("purpose", "use", "prohibited", "reads", "answers", "user")
DATA = ("data", "licence", "license", "source", "synthetic", "split", "label")
SIGNS = ("sign", "assum", "design", "classical", "expected", "method")


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
        blocks.facts("run", "Run", _listed(facts.lineage))
        if facts.lineage
        else blocks.absent("run", "Run and code", "not_provided", "The report was made outside a flow."),
        blocks.table("files", "Files", [("file", "code"), ("bytes", "integer"), ("SHA-256", "digest")], facts.files),
        blocks.facts("libraries", "Libraries", [(name, v, "text") for name, v in facts.libraries.items()]),
    ]
    if facts.documents["recipe"]:
        found.append(blocks.facts("recipe", "Recipe", [(k, v, "code") for k, v in _flat(facts.documents["recipe"])]))
    else:
        found.append(blocks.absent("recipe", "Recipe", "not_provided", "No recipe.json lies beside the weights."))
    return [*found, blocks.absent("sbom", "Software bill of materials", "not_built", "Pins are in constraints.txt.")]


def purpose(facts: Facts, study: Study) -> list[Block]:
    """Section 3: what the model is for and what it is not for, from the task's card."""
    task = facts.task
    found = [blocks.text("summary", task.summary), *_from_card("card", facts, PURPOSE, rest=True)]
    if not facts.card:
        found.append(blocks.absent("card", "Purpose and prohibited uses", "not_declared", "The task has no card."))
    found.append(
        blocks.facts(
            "modalities",
            "What it reads and answers",
            [
                ("Reads", ", ".join(task.reads), "text"),
                ("Must hold", ", ".join(task.needs), "text"),
                ("Answers", ", ".join(task.head.outputs) or "a number", "text"),
            ],
        )
    )
    note = "Exposure and purpose are the user's; declare them before production."
    return [*found, blocks.absent("materiality", "Materiality tier", "not_declared", note)]


def data(facts: Facts, study: Study) -> list[Block]:
    """Section 4: where the rows come from and what was left out."""
    known = [row for row in _listed(facts.data) if not row[0].startswith(("rows.", "labels."))]
    found: list[Block] = []
    if facts.synthetic:
        found.append(
            blocks.finding("synthetic", "warn", "Synthetic data", "Written by a generator, from a fixed seed.")
        )
    if known:
        found.append(blocks.facts("card", "Data card", known))
        found += _labels(facts.data.get("labels"))
    else:
        found.append(blocks.absent("card", "Data card", "not_provided", "No data.json lies beside the weights."))
    rows = [(name, facts.rows[name], *facts.periods.get(name, (None, None))) for name in facts.rows]
    columns = [("part", "text"), ("rows", "integer"), ("from", "text"), ("to", "text")]
    found.append(blocks.table("splits", "Rows and periods", columns, rows))
    how = {"time": "by time, walk-forward with a purge", "group": "by group, no group in two parts"}
    found.append(
        blocks.text(
            "split",
            f"Rows without a given part are divided {how.get(facts.task.split, 'at random, seeded')}. "
            "Rows with equal inputs are kept once, so that no test row is known from training.",
        )
    )
    return [*found, *_from_card("about", facts, DATA)]


def soundness(facts: Facts, study: Study) -> list[Block]:
    """Section 5: why this design, what was expected of it before training, and against whom it stands."""
    task = facts.task
    found = [
        blocks.text(
            "design",
            f"The classical part ({task.classical.name}) answers first; the learned parts add what it leaves over, "
            "each through a gate, so that every part can be switched off and its worth measured (section 6).",
            "The backbone is frozen. A task trains a LoRA adapter on its top layers and a head.",
        ),
        *_from_card("card", facts, SIGNS),
    ]
    declared = [(f.name, f.group, f.sign) for f in task.features if f.sign]
    if declared:
        columns = [("feature", "text"), ("group", "text"), ("expected sign", "signed")]
        found.append(blocks.table("signs", "Signs declared before training", columns, declared))
    else:
        why = "not_declared" if task.features else "not_applicable"
        found.append(blocks.absent("signs", "Expected signs", why, "No feature of the task has a declared sign."))
    note = f"The challenger is the classical baseline, {task.classical.name}; see section 6."
    return [*found, blocks.absent("alternatives", "Other designs tried", "not_provided", note)]


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


def _from_card(slug: str, facts: Facts, keys: tuple[str, ...], *, rest: bool = False) -> list[Block]:
    """The card's parts whose heading fits; with `rest`, also those that no other section takes."""
    found: list[Block] = []
    for number, (heading, lines) in enumerate(card_sections(facts.card).items()):
        mine = _home(heading) == keys or (rest and _home(heading) is None)
        if mine and any(lines):
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
    rows = [
        (part, *(labels[part].get(name) for name in names)) for part in ("train", "valid", "test") if part in labels
    ]
    return [blocks.table("labels", "Labels", [("part", "text"), *((name, "integer") for name in names)], rows)]


def _listed(document: Any) -> list[tuple[str, Any, str]]:
    """Nested facts as rows, each in the format that fits it."""
    rows = []
    for name, value in _flat(document):
        number = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1000
        form = (
            "digest"
            if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)
            else "integer"
            if number
            else "text"
        )
        rows.append((name.replace("_", " "), value, form))
    return rows


def _flat(document: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested facts as dotted names, in order."""
    found: list[tuple[str, Any]] = []
    for key, value in sorted(document.items()):
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += _flat(value, f"{name}.")
        elif isinstance(value, list):
            found.append(
                (
                    name,
                    ", ".join(str(part) for part in value) or "none",
                )
            )
        else:
            found.append((name, value))
    return found
