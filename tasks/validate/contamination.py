"""Contamination (train-test overlap): a figure on rows that a version has learned from is no evidence, and says so.

Every version carries `seen.json`, short digests of its training and validation rows. What public backbones have seen
by their makers' own account stands in KNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks import digest
from tasks.data.check import row_digests
from tasks.model.folder import Folder
from tasks.task import Rows

LENGTH = 8  # bytes of a row's digest that are kept: two of a million rows meet once in thirty million runs
# Hub id of a backbone -> sources whose test rows its training has held.
KNOWN: dict[str, tuple[str, ...]] = {
    "ProsusAI/finbert": ("phrasebank",),  # Araci 2019, arXiv:1908.10063, section 4.1
    "mrm8488/distilroberta-finetuned-financial-news-sentiment-analysis": ("phrasebank",),  # its model card
}


def write(folder: Folder, *sides: Rows) -> None:
    """Put the digests of the rows that a version learned from, or was chosen by, into its folder."""
    folder.write(folder.seen, sorted({mark for rows in sides for mark in _marks(rows)}))


def write_tested(folder: Folder, test: Rows) -> None:
    """Put the digests of its test rows into a version's folder, by which they are known again."""
    folder.write(folder.tested, sorted(set(_marks(test))))


def overlap(folder: Folder, rows: Rows) -> int | None:
    """How many of the rows a version has seen; None where its folder does not say."""
    if not folder.seen.is_file():
        return None
    held = set(digest.read_json(folder.seen))
    return sum(mark in held for mark in _marks(rows))


@dataclass(frozen=True)
class Known:
    """Which of some rows a version knows (n,): those it learned from or was chosen by, those its report stands on."""

    learned: NDArray[np.bool_]
    tested: NDArray[np.bool_]


def known(folder: Folder, rows: Rows) -> Known | None:
    """Which of the rows a version knows; None where its folder does not say."""
    if not (folder.seen.is_file() and folder.tested.is_file()):
        return None
    marks = _marks(rows)
    learned, tested = (set(digest.read_json(file)) for file in (folder.seen, folder.tested))
    return Known(np.array([m in learned for m in marks], bool), np.array([m in tested for m in marks], bool))


def of_backbone(name: str, source: str) -> str | None:
    """A sentence where a backbone is known to have learned from a source's test rows."""
    if source not in KNOWN.get(name, ()):
        return None
    return (
        f"the backbone {name!r} has learned from the test rows of {source!r} by its makers' own account, so a figure "
        "there is no evidence: take another backbone or another test set"
    )


def _marks(rows: Rows) -> list[str]:
    return [each[:LENGTH].hex() for each in row_digests(rows)]
