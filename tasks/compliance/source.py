"""Where clauses come from: our own grammar, and the CLAUDETTE corpus of terms of service where a user has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data import grammar
from tasks.task import UNDATED, DataError, Inputs, Place, Rows, Source

CODES = {  # the corpus's tags -> our words, in the order of the outputs
    "a": "arbitration",
    "ch": "change",
    "cr": "content_removal",
    "j": "jurisdiction",
    "law": "law",
    "ltd": "limitation",
    "ter": "termination",
    "use": "use",
    "pinc": "privacy_included",
}
LABELS = tuple(CODES.values())
CLEAR = "clear"  # beside its kind, a clause is clearly unfair: the corpus's level 3 in place of level 2
OUTPUTS = (*LABELS, CLEAR)
SIZES = {"train": 840, "test": 360}
UNFAIR_SHARE = 0.42
FOLDER = "compliance_unfair_tos_claudette50"
FOLD = 0  # of the corpus's five folds by document


@dataclass(frozen=True)
class Clause:
    """One clause with the kinds of unfairness that it holds, its document or template, and its split."""

    text: str
    labels: tuple[str, ...]
    group: str
    split: str


def embedded(place: Place) -> Rows:
    """Synthetic clauses; train, valid and test come from disjoint templates, the group is the template's frame."""
    written: list[Clause] = []
    for part, size in SIZES.items():
        rules = grammar.read(Path(__file__).parent / f"{part}.txt")
        held = grammar.held_out(rules) if part == "train" else frozenset()
        written += [
            Clause(sample.text, sample.labels, sample.frame, "valid" if sample.frame in held else part)
            for sample in grammar.write(rules, _shares(rules, size), place.seed)
        ]
    return rows(written, "synthetic")


def _shares(rules: grammar.Grammar, size: int) -> dict[tuple[str, ...], int]:
    """Unfair clauses in proportion to their templates, the rest fair."""
    unfair = Counter(template.labels for template in rules.templates if template.labels)
    shares = {labels: round(size * UNFAIR_SHARE * n / unfair.total()) for labels, n in unfair.items()}
    return shares | {(): size - sum(shares.values())}


def unfair_clauses(place: Place) -> Rows:
    """English originals of the CLAUDETTE corpus, fold 0 of its split by document; the group is the document.

    A tag that ends in 2 (potentially unfair) or 3 (clearly unfair) is a label; one that ends in 1 (fair) is none. A
    sentence with a tag that ends in 3 is also "clear".
    Raises DataError where the files are absent, or a document and its tags differ in length.
    """
    if place.root is None:
        raise DataError("the source unfair_clauses needs data.root: the folder that holds " + FOLDER)
    corpus = place.root / FOLDER / "corpus"
    clauses: list[Clause] = []
    for part in ("train", "test"):
        for name in documents(place.root, part, FOLD):
            clauses += _document(corpus, name, part)
    return rows(clauses, "claudette")


def documents(root: Path, part: str, fold: int) -> list[str]:
    """The documents on one side, "train" or "test", of one of the corpus's five folds."""
    names = _lines(root / FOLDER / "corpus" / "lists" / f"LIST_{part.upper()}_{fold}.txt")
    return [name.strip().removesuffix(".txt") for name in names if name.strip()]


def _document(corpus: Path, name: str, part: str) -> list[Clause]:
    texts = _lines(corpus / "sentences" / "en" / "original" / f"{name}.txt")
    tags = _lines(corpus / "tags" / "en" / "original" / f"{name}.txt")
    if len(texts) != len(tags):
        raise DataError(f"{name} has {len(texts)} sentences and {len(tags)} lines of tags; fetch the corpus again")
    pairs = zip(texts, tags, strict=True)
    return [Clause(text.strip(), _unfair(tag.split()), name, part) for text, tag in pairs if text.strip()]


def _unfair(tags: Iterable[str]) -> tuple[str, ...]:
    held = {tag[:-1]: tag[-1] for tag in sorted(tags) if tag[-1:] in ("2", "3") and tag[:-1] in CODES}
    kinds = tuple(word for code, word in CODES.items() if code in held)
    return (*kinds, CLEAR) if "3" in held.values() else kinds


def _lines(path: Path) -> list[str]:
    """Lines as the corpus counts them: only a line feed ends one."""
    if not path.is_file():
        raise DataError(f"{path} is not there; point data.root at the folder that holds {FOLDER}")
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def rows(clauses: Sequence[Clause], name: str) -> Rows:
    """Rows of undated clauses."""
    when = np.full(len(clauses), UNDATED)
    return Rows(
        ids=tuple(f"{name}-{number}" for number in range(len(clauses))),
        inputs=Inputs(owner=np.arange(len(clauses), dtype=np.int64), text=tuple(clause.text for clause in clauses)),
        target=np.array([[float(label in clause.labels) for label in OUTPUTS] for clause in clauses]),
        time=when,
        known=when.copy(),
        group=np.array([clause.group for clause in clauses]),
        split=np.array([clause.split for clause in clauses]),
    )


SOURCES = {
    "embedded": Source(embedded, "Apache-2.0, written for this project", synthetic=True),
    "unfair_clauses": Source(
        unfair_clauses,
        "CC BY 4.0; Galassi et al. 2024, Artificial Intelligence and Law, doi 10.1007/s10506-024-09398-7",
    ),
}
