"""The arithmetic questions of TAT-QA, where a user has it: tables and paragraphs of financial reports.

Source: Zhu et al., TAT-QA: A Question Answering Benchmark on a Hybrid of Tabular and Textual Content in Finance,
ACL 2021.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.reasoning.gold import program_of
from tasks.reasoning.rows import Question, rows_of
from tasks.reasoning.text import from_text, text_of
from tasks.reasoning.twins import twins
from tasks.task import DataError, Place, Rows

FOLDER, FILE = "reasoning_tatqa", "tatqa_dataset_dev.json"
LICENCE = "CC BY 4.0; Zhu et al. 2021, TAT-QA, aclanthology.org/2021.acl-long.254"
FOLDS, SEED, FOLD = 5, 0, 0  # by document; the source is tested on fold 0
TWINS = 0.25  # unanswerable twins for each training row


def tatqa(place: Place) -> Rows:
    """Its arithmetic questions; fold 0 of five by document is the test. Raises DataError where the file is absent."""
    return fold(place, FOLD)


def fold(place: Place, test: int) -> Rows:
    """The same with another of the five folds as the test; a share of the other rows has a twin without its answer."""
    if place.root is None:
        raise DataError("the source tatqa needs data.root: the folder that holds " + FOLDER)
    held = [q.on("test" if q.split == str(test) else "train") for q in _read(place.root / FOLDER / FILE)]
    learned = [question for question in held if question.split == "train"]
    return rows_of([*held, *twins(learned, TWINS, place.seed)], "tatqa")


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[Question, ...]:
    """Every question; its split is the number of its document's fold."""
    try:
        documents = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); run `data get tatqa`") from error
    order = list(range(len(documents)))
    random.Random(SEED).shuffle(order)
    side = {at: str(place % FOLDS) for place, at in enumerate(order)}
    return tuple(q.on(side[at]) for at, document in enumerate(documents) for q in _questions(document))


def _questions(document: Mapping[str, Any]) -> Iterator[Question]:
    table, paragraphs = document["table"]["table"], [each["text"] for each in document["paragraphs"]]
    for asked in document["questions"]:
        if asked["answer_type"] != "arithmetic":
            continue
        answer, factor = float(str(asked["answer"]).replace(",", "")), 100.0 if asked["scale"] == "percent" else 1.0
        text = text_of(table, paragraphs, asked["question"])
        written = program_of(*from_text(text), asked["derivation"], answer, factor)
        yield Question(asked["uid"], text, answer, factor, written, document["table"]["uid"])
