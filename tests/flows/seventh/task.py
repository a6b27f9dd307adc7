"""Urgency: whether a message asks for something at once. A toy that only tests drop into the house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from tasks.classical.bag_of_words import tfidf_logistic
from tasks.data.section import TaskSection
from tasks.task import FloatArray, Head, Inputs, Item, Metric, Place, Prediction, Rows, Source, Task

LABELS = ("calm", "urgent")
HEAD = Head("classify", LABELS)
WORDS = (("when you have time", "next month", "no hurry"), ("at once", "within the hour", "right now"))


class Message(Item):
    """A message."""

    text: str


class Urgency(BaseModel):
    """Whether it is urgent."""

    label: str


def embedded(place: Place) -> Rows:
    dice = np.random.default_rng(place.seed)
    target = dice.integers(0, 2, 240)
    firms, acts = ("Aldora", "Benvik", "Corvani", "Dastel"), ("call", "pay", "answer", "wire the money to", "write to")
    text = tuple(
        f"Please {dice.choice(acts)} {dice.choice(firms)} {dice.choice(WORDS[label])}, number {n}."
        for n, label in enumerate(target)
    )
    days = np.datetime64("2024-01-01", "us") + np.arange(240) * np.timedelta64(1, "D")
    return Rows(
        ids=tuple(str(n) for n in range(240)),
        inputs=Inputs(owner=np.arange(240), text=text),
        target=target[:, None].astype(np.float64),
        time=days,
        known=days,
        group=np.array([str(n) for n in range(240)]),
        split=np.array([""] * 240),
    )


def accuracy(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    right = np.argmax(raw, axis=1) == rows.target[:, 0]
    return lambda weights: float((right * weights).sum() / weights.sum())


def encode(items: Sequence[Any]) -> Inputs:
    return Inputs(owner=np.arange(len(items), dtype=np.int64), text=tuple(item.text for item in items))


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    return {"label": LABELS[int(np.argmax(found.probability[0]))]}


def target(value: Any) -> Sequence[float]:
    return (float(LABELS.index(str(value))),)


TASK = Task(
    name="urgency",
    summary="Whether a message asks for something at once",
    reads=("text",),
    needs=("text",),
    head=HEAD,
    section=TaskSection,
    item=Message,
    answer=Urgency,
    sources={"embedded": Source(embedded, "Apache-2.0, written for a test", synthetic=True)},
    target=target,
    encode=encode,
    decode=decode,
    classical=tfidf_logistic(HEAD),
    metric=Metric("accuracy", accuracy),
    example={"text": "Please pay Aldora right now."},
)
