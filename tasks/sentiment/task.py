"""Sentiment: what a sentence of financial news means for the firm it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.classical.bag_of_words import ExtraTokens, tfidf_logistic
from tasks.classical.metrics import metric
from tasks.data.section import TaskSection
from tasks.data.text import Text
from tasks.sentiment import directions, figures
from tasks.sentiment.source import LABELS, SOURCES
from tasks.task import Classical, Feature, Head, Inputs, Item, Prediction, Task

HEAD = Head("classify", LABELS)


class SentimentItem(Item):
    """One sentence or short text of financial news."""

    text: Text = Field(description="one sentence or a short text")


class SentimentAnswer(BaseModel):
    """The most likely label, and the probability of each."""

    model_config = ConfigDict(frozen=True)

    label: Literal["negative", "neutral", "positive"]
    probabilities: dict[str, float]


def encode(items: Sequence[Any]) -> Inputs:
    """One row per item."""
    return Inputs(owner=np.arange(len(items), dtype=np.int64), text=tuple(item.text for item in items))


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """The probabilities of one row, and the label of the largest."""
    probabilities = found.probability[0]
    return {
        "label": LABELS[int(np.argmax(probabilities))],
        "probabilities": dict(zip(LABELS, probabilities.tolist(), strict=True)),
    }


def target(value: Any) -> Sequence[float]:
    """The place of a label. Raises ValueError where it is none of the three."""
    name = str(value).strip().lower()
    if name not in LABELS:
        raise ValueError(f"label {value!r} is none of {', '.join(LABELS)}: write one of these words")
    return (float(LABELS.index(name)),)


def marks(text: str) -> list[str]:
    """What the classical part counts of a text beside its words."""
    return [*directions.marks(text), *figures.marks(text)]


def pair(head: Head, columns: Sequence[Feature]) -> tuple[Classical, Classical]:
    """A bag of words that also counts directions and figures; the baseline is the plain bag."""
    return tfidf_logistic(head, extra=ExtraTokens(marks, size=0.5)), tfidf_logistic(head)


CLASSICAL, BASELINE = pair(HEAD, ())

TASK = Task(
    name="sentiment",
    summary="Whether a sentence of financial news is negative, neutral or positive for the firm it is about",
    reads=("text",),
    needs=("text",),
    head=HEAD,
    section=TaskSection,
    item=SentimentItem,
    answer=SentimentAnswer,
    sources=SOURCES,
    target=target,
    encode=encode,
    decode=decode,
    classical=CLASSICAL,
    additive=True,
    baseline=BASELINE,
    metric=metric("weighted_f1", HEAD, "group"),
    pair=pair,
    example={"text": "Corvani Shipping did not lower its outlook: the order book grew 12 % and borrowing fell."},
)
