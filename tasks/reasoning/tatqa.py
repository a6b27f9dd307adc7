"""The arithmetic questions of TAT-QA, where a user has it: tables and paragraphs of financial reports.

Source: Zhu et al., TAT-QA: A Question Answering Benchmark on a Hybrid of Tabular and Textual Content in Finance,
ACL 2021.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.reasoning.gold import program_of
from tasks.reasoning.practice import practice
from tasks.reasoning.right import result
from tasks.reasoning.rows import Question, rows_of
from tasks.reasoning.text import PARTS, from_text, text_of
from tasks.reasoning.twins import twins
from tasks.task import DataError, Place, Rows

FOLDER, FILE = "reasoning_tatqa", "tatqa_dataset_dev.json"
LICENCE = "CC BY 4.0; Zhu et al. 2021, TAT-QA, aclanthology.org/2021.acl-long.254"
FOLDS, SEED, FOLD = 5, 0, 0  # by document; the source is tested on fold 0
VALID = 10  # one document in so many of the others is for validation
PRACTICE = 5  # questions by rule for each training document
TWINS = 0.25  # unanswerable twins for each training row


def tatqa(place: Place) -> Rows:
    """Its arithmetic questions; fold 0 of five by document is the test. Raises DataError where the file is absent."""
    return fold(place, FOLD)


def fold(place: Place, test: int) -> Rows:
    """The same with another of the five folds as the test; a share of the other rows has a twin without its answer."""
    if place.root is None:
        raise DataError("the source tatqa needs data.root: the folder that holds " + FOLDER)
    held = _read(place.root / FOLDER / FILE)
    documents = sorted({each.group for each in held if each.split != str(test)})
    random.Random(place.seed).shuffle(documents)
    side = dict.fromkeys(documents, "train") | dict.fromkeys(documents[: len(documents) // VALID], "valid")
    asked = [each.on(side.get(each.group, "test")) for each in held]
    learned = [question for question in asked if question.split != "test"]
    return rows_of([*asked, *_practice(asked), *twins(learned, TWINS, place.seed)], "tatqa")


def _practice(asked: Sequence[Question]) -> Iterator[Question]:
    """Questions by rule over the documents of the training side alone."""
    documents = {each.group: each for each in asked if each.split == "train"}
    for group, each in documents.items():
        for place, (question, written) in enumerate(practice(from_text(each.text)[0], PRACTICE, group)):
            text = PARTS.join([each.text.rpartition(PARTS)[0], question])
            answer = result(text, written)
            if answer is not None:
                yield Question(f"{group}-practice-{place}", text, answer, 1.0, written, group, "train")


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
