"""Compliance: which clauses of a text may be unfair to a consumer, of which kind, how clearly, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.classical.bag_of_words import ExtraTokens, tfidf_ovr
from tasks.compliance import concepts, rationale, read_back
from tasks.compliance.source import CLEAR, CODES, LABELS, OUTPUTS, SOURCES
from tasks.data.rationale import Rationale
from tasks.data.section import TaskSection
from tasks.data.text import LongText, sentences
from tasks.task import Classical, Feature, FloatArray, Head, Inputs, Item, Metric, Prediction, Rows, Task

HEAD = Head("multilabel", OUTPUTS)
KINDS = len(LABELS)


class ComplianceItem(Item):
    """A clause, a message or a whole contract."""

    text: LongText = Field(description="a clause, a message or a whole contract; each sentence is judged")


class Evidence(BaseModel):
    """The sentence that speaks most for a label: its characters from start to end (exclusive), and its words."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    text: str


class Finding(BaseModel):
    """One kind of unfair clause that was found, how probable it is, how clearly unfair, and the evidence.

    `severity` is "clear" where the sentence of the evidence is more likely than not clearly unfair.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    probability: float
    severity: Literal["clear", "potential"]
    evidence: Evidence


class ComplianceAnswer(BaseModel):
    """Whether anything unfair was found, each finding, and the highest probability of every label."""

    model_config = ConfigDict(frozen=True)

    unfair: bool
    findings: list[Finding]
    probabilities: dict[str, float]


def encode(items: Sequence[Any]) -> Inputs:
    """One row per sentence, so that a finding can name the sentence it rests on."""
    pieces = [(number, item.text[a:b]) for number, item in enumerate(items) for a, b in sentences(item.text)]
    owner = np.array([number for number, _ in pieces], dtype=np.int64)
    return Inputs(owner=owner, text=tuple(text for _, text in pieces))


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """Each label from its highest sentence. Where the text was judged as one piece, the evidence is the whole text."""
    spans = sentences(item.text)
    if len(spans) != len(found.probability):
        spans = ((0, len(item.text)),) * len(found.probability)
    best, probability = found.raw.argmax(axis=0), found.probability.max(axis=0)
    findings: list[dict[str, Any]] = [
        {
            "label": LABELS[label],
            "probability": float(probability[label]),
            "severity": "clear" if found.raw[at, KINDS] > 0 else "potential",
            "evidence": _evidence(item.text, spans[at]),
        }
        for label, at in enumerate(best[:KINDS].tolist())
        if found.raw[at, label] > 0
    ]
    findings.sort(key=lambda finding: -finding["probability"])
    return {
        "unfair": bool(findings),
        "findings": findings,
        "probabilities": dict(zip(HEAD.outputs, probability.tolist(), strict=True)),
    }


def _evidence(text: str, span: tuple[int, int]) -> dict[str, Any]:
    return {"start": span[0], "end": span[1], "text": text[span[0] : span[1]]}


def target(value: Any) -> Sequence[float]:
    """The labels of one clause: a list, or words parted by comma, semicolon or blank; "none" or [] where it is fair.

    Words and the CLAUDETTE codes (ltd, ter ...) are both read; "clear" beside a kind says that the clause is clearly
    unfair. Raises ValueError for any other word, and for "clear" alone.
    """
    names = re.split(r"[,;\s]+", value.strip()) if isinstance(value, str) else [str(name) for name in value or ()]
    held = {CODES.get(name.lower(), name.lower()) for name in names} - {"", "none", "-"}
    unknown = sorted(held - set(HEAD.outputs))
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is none of {', '.join(HEAD.outputs)}; write 'none' for a fair clause")
    if held == {CLEAR}:
        raise ValueError(f"{CLEAR!r} alone names no kind of unfair clause; add one of {', '.join(LABELS)}")
    return tuple(float(label in held) for label in HEAD.outputs)


def unfair_f1(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    """F1 of "unfair": a row is unfair where a kind is true, and found where a kind's calibrated logit is above zero."""
    true, found = (rows.target[:, :KINDS] > 0).any(axis=1), (raw[:, :KINDS] > 0).any(axis=1)

    def score(weights: FloatArray) -> float:
        hits = float(weights[true & found].sum())
        return 2 * hits / max(float(weights[true].sum() + weights[found].sum()), 1e-12)

    return score


def pair(head: Head, columns: Sequence[Feature]) -> tuple[Classical, Classical]:
    """A bag of words that also counts concepts of contracts; the baseline is the plain bag."""
    plain = tfidf_ovr(head, strength=20.0, balanced=True)
    return tfidf_ovr(head, strength=20.0, balanced=True, extra=ExtraTokens(concepts.marks, size=0.1)), plain


CLASSICAL, BASELINE = pair(HEAD, ())

TASK = Task(
    name="compliance",
    summary="Which clauses of a text may be unfair to a consumer, of which kind, with the sentence as evidence",
    reads=("text",),
    needs=("text",),
    head=HEAD,
    section=TaskSection,
    item=ComplianceItem,
    answer=ComplianceAnswer,
    sources=SOURCES,
    target=target,
    encode=encode,
    decode=decode,
    classical=CLASSICAL,
    additive=True,
    baseline=BASELINE,
    metric=Metric("unfair_f1", unfair_f1, cluster="group"),
    pair=pair,
    rationale=Rationale(LABELS, rationale.given, rationale.write, read_back.read),
    example={
        "text": "The card costs 4 euros a month. Paylora may close your account at any time without notice. "
        "You may cancel whenever you like."
    },
)
