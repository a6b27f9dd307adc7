"""The two tasks that read sentences, on the public sets: PhraseBank in both of its usual cuts, and unfair clauses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.trial import Bench, beside, conformal, crossed, learn, others, row
from tasks.compliance import source as clauses
from tasks.data import near_duplicates as near
from tasks.sentiment import source as sentences
from tasks.task import Place

BAG = "TF-IDF + logistic regression"
BAGS = f"{BAG} per label"
SEEDS = ("5768", "78516", "944601")  # of the published splits
ORDER = ("positive", "negative", "neutral")  # the ids that these files write for labels
FOLDS = 5


def phrasebank(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """The 1,212 sentences that published models were judged on, and what is left without near copies in train."""
    rows = sentences.phrasebank(Place(root, bench.seed))
    found = learn(bench, "sentiment", rows, "fpb")
    answers = {"ours": found.raw, BAG: found.baseline, **found.without}
    told = beside("sentiment", found.rows, answers, bench.seed)
    train = rows.take(np.flatnonzero(rows.split == "train"))
    far = np.flatnonzero(near.nearest(found.rows.inputs.text or (), train.inputs.text or ()) < near.NEAR)
    alone = beside("sentiment", found.rows.take(far), {k: v[far] for k, v in answers.items()}, bench.seed)
    shown = row(
        "phrasebank", "sentiment", told, BAG, 0.835,
        others=others(told, BAG),
        published={"GPT-4": 0.833, "Llama-2-7B LoRA": 0.850, "Llama-2-13B LoRA": 0.882},
        without_near={"ours": round(alone.estimates["ours"].value, 4), "rows": len(far)},
        rows=len(found.rows), seed=bench.seed,
    )  # fmt: skip
    return [shown, conformal("sentiment", found, bench.seed)]


def phrasebank_allagree(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """Three published splits of the sentences on which all annotators agree; rows of all three, judged together."""
    parts = []
    for seed in SEEDS:
        rows = sentences.rows(_allagree(root / sentences.FOLDER / "splits_allagree_gatech", seed), f"allagree-{seed}")
        parts.append(learn(bench, "sentiment", rows, f"allagree-{seed}"))
    told = [beside("sentiment", part.rows, {"ours": part.raw, BAG: part.baseline}, bench.seed) for part in parts]
    ours = [each.estimates["ours"].value for each in told]
    peer = [each.estimates[BAG].value for each in told]
    middle = int(np.argsort(ours)[len(ours) // 2])
    shown = row("phrasebank_allagree", "sentiment", told[middle], BAG, None)
    shown |= {
        "ours": round(float(np.mean(ours)), 4),
        "peer": round(float(np.mean(peer)), 4),
        "each": dict(zip(SEEDS, (round(value, 4) for value in ours), strict=True)),
        "interval_of": SEEDS[middle],
        "published": {"RoBERTa-base": 0.974, "RoBERTa-large": 0.976},
        "bar": 0.94,
        "pass": float(np.mean(ours)) >= 0.94,
        "rows": sum(len(part.rows) for part in parts),
        "seed": bench.seed,
    }
    return [shown]


def _allagree(folder: Path, seed: str) -> Iterable[sentences.Labelled]:
    """Sentences that a split holds on both sides count in test only."""
    import pandas as pd

    tables = {
        part: pd.read_excel(folder / f"FPB-sentiment-analysis-allagree-{part}-{seed}.xlsx")
        for part in ("test", "train")
    }
    held: set[str] = set()
    for part, table in tables.items():
        for text, label in zip(table["sentence"].astype(str), table["label"].astype(int), strict=True):
            key = sentences.key(text)
            if part == "train" and key in held:
                continue
            held.add(key)
            yield text.strip(), ORDER[label], "", part


def unfair_clauses(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """All fifty documents, each judged by a model that has read none of its sentences."""
    rows = clauses.unfair_clauses(Place(root, bench.seed))
    fold = np.full(len(rows), -1)
    for number in range(FOLDS):
        fold[np.isin(rows.group, clauses.documents(root, "test", number))] = number
    if (fold < 0).any():
        raise ValueError(f"{int((fold < 0).sum())} clauses lie in no fold; fetch the corpus again")
    found = crossed(bench, "compliance", replace(rows, split=np.full(len(rows), "", dtype="U5")), fold)
    answers = {"ours": found.raw, BAGS: found.baseline, **found.without}
    told = beside("compliance", found.rows, answers, bench.seed)
    shown = row(
        "unfair_clauses", "compliance", told, BAGS, 0.75,
        others=others(told, BAGS), each={str(number): round(value, 4) for number, value in enumerate(found.each)},
        documents=told.clusters, rows=len(found.rows), seed=bench.seed,
    )  # fmt: skip
    return [shown, conformal("compliance", found.parts[0], bench.seed)]
