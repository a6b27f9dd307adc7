"""Where sentiment rows come from: sentences of our own grammar, and the Financial PhraseBank where a user has it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tasks.data import grammar
from tasks.task import UNDATED, DataError, Inputs, Place, Rows, Source

LABELS = ("negative", "neutral", "positive")
SIZES = {"train": 1050, "test": 450}
SHARES = {"negative": 0.28, "neutral": 0.40, "positive": 0.32}
FOLDER = "sentiment_financial_phrasebank"
Labelled = tuple[str, str, str, str]  # text, label, group, split


def embedded(place: Place) -> Rows:
    """Synthetic sentences; train, valid and test come from disjoint templates, the group is the template's frame."""
    written: list[Labelled] = []
    for part, size in SIZES.items():
        shares: dict[tuple[str, ...], int] = {(label,): round(size * share) for label, share in SHARES.items()}
        rules = grammar.read(Path(__file__).parent / f"{part}.txt")
        held = grammar.held_out(rules) if part == "train" else frozenset()
        written += [
            (sample.text, sample.labels[0], sample.frame, "valid" if sample.frame in held else part)
            for sample in grammar.write(rules, shares, place.seed)
        ]
    return rows(written, "synthetic")


def phrasebank(place: Place) -> Rows:
    """The Financial PhraseBank, 50 % agreement: test is FinLoRA's list of 1,212 sentences, train all other sentences.

    A sentence that the file holds twice counts once, with its first label. Raises DataError where the files are absent.
    """
    if place.root is None:
        raise DataError("the source phrasebank needs data.root: the folder that holds " + FOLDER)
    folder = place.root / FOLDER
    test = [(_prompted(row["context"]), str(row["target"])) for row in _json_lines(folder / "finlora_fpb_test.jsonl")]
    held = {key(text) for text, _ in test}
    train: dict[str, tuple[str, str]] = {}
    for line in _lines(folder / "Sentences_50Agree.txt", "latin-1"):
        text, _, label = line.rpartition("@")
        if text.strip() and key(text) not in held:
            train.setdefault(key(text), (text.strip(), label.strip()))
    parts = [("train", list(train.values())), ("test", test)]
    return rows([(text, label, "", part) for part, pairs in parts for text, label in pairs], "phrasebank")


def rows(labelled: Iterable[Labelled], name: str) -> Rows:
    """Rows of undated sentences. A sentence without a group is its own group."""
    texts, labels, groups, parts = zip(*labelled, strict=True)
    when = np.full(len(texts), UNDATED)
    ids = tuple(f"{name}-{number}" for number in range(len(texts)))
    return Rows(
        ids=ids,
        inputs=Inputs(owner=np.arange(len(texts), dtype=np.int64), text=tuple(texts)),
        target=np.array([[LABELS.index(label)] for label in labels], dtype=np.float64),
        time=when,
        known=when.copy(),
        group=np.array([group or row for group, row in zip(groups, ids, strict=True)]),
        split=np.array(parts),
    )


def _lines(path: Path, encoding: str) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} is not there; point data.root at the folder that holds {FOLDER}")
    return [line for line in path.read_text(encoding=encoding).splitlines() if line.strip()]


def _json_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in _lines(path, "utf-8")]


def _prompted(context: str) -> str:
    """The sentence inside FinLoRA's prompt: between "Input: " and the line "Answer:"."""
    return context.partition("Input: ")[2].rpartition("Answer:")[0].strip() or context.strip()


def key(text: str) -> str:
    """What makes two copies of one sentence the same: its words."""
    return " ".join(text.split())


SOURCES = {
    "embedded": Source(embedded, "Apache-2.0, written for this project", synthetic=True),
    "phrasebank": Source(
        phrasebank, "CC BY-NC-SA 3.0 (no commercial use); Malo et al. 2014, Good debt or bad debt, JASIST 65(4)"
    ),
}
