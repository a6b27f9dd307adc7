"""Whether a rationale agrees with its decision. One that does not is withheld, and never costs the decision.

Checked are the verdict, the flags, each figure and each piece of evidence that a task's reader finds in the sentences;
that every quote stands in the input at its offsets, in the sentence that the head rests on; and that no number stands
in the sentences which the reader has not accounted for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.data.rationale import Claim, Evidence, Rationale
from tasks.task import FloatArray, Prediction, Task

# Flags that a rationale must tell of; the others it need not.
SPOKEN = ("abstained", "out_of_distribution", "suspicious", "truncated")
BOUNDS = {"100.0": "over 99.9", "0.0": "under 0.1"}  # nothing is called certain or impossible by rounding


class Disagrees(ValueError):
    """What in a rationale is not so. The sentence quotes nothing of the input: it may stand in a log."""


@dataclass(frozen=True)
class Decision:
    """What was decided of one item. `answer` is JSON; `texts` what the model read of each of its rows, if text.

    A flag is up where it is true: a boolean, or counts of what may mislead.
    """

    item: Any
    answer: Mapping[str, Any]
    predicted: Prediction
    flags: Mapping[str, Any]
    texts: Sequence[str] | None


@dataclass(frozen=True)
class Written:
    """A rationale, or why there is none: `fault` is None where the task has none."""

    text: str | None = None
    fault: str | None = None

    @property
    def disagrees(self) -> bool:
        """The flag of the answer: one was written, or should have been, and is withheld."""
        return self.fault is not None


def write(task: Task, decision: Decision) -> Written:
    """The rationale of a decision, checked. Raises nothing: what goes wrong is told by its name alone."""
    if task.rationale is None:
        return Written()
    try:
        text = task.rationale.write(given(task, task.rationale, decision))
        check(task, task.rationale, decision, text)
    except Disagrees as fault:
        return Written(fault=str(fault))
    except Exception as error:  # a decision never depends on its rationale
        return Written(fault=f"{type(error).__name__} while it was written or read")
    return Written(text)


def check(task: Task, how: Rationale, decision: Decision, text: str) -> None:
    """Hold sentences against a decision. Raises Disagrees with what is not so, ValueError where they cannot be read."""
    said, claim = given(task, how, decision), how.read(text)
    if sorted(claim.holds) != sorted(said.holds):
        raise Disagrees("its verdict is not the head's")
    if claim.likeliest not in (None, said.likeliest):
        raise Disagrees("another output is the likeliest")
    if tuple(sorted(claim.flags)) != said.flags:
        raise Disagrees("its flags are not the decision's")
    if claim.evidence != said.evidence:
        raise Disagrees("its evidence is not what was given")
    if any(not found.items() <= said.chance[where].items() for where, found in claim.chance.items()):
        raise Disagrees("a figure in it is not the head's")
    if set(_numbers(_unquoted(text))) - set(_accounted(task, claim)):
        raise Disagrees("a number stands in it that is neither in the input nor the head's")


def given(task: Task, how: Rationale, decision: Decision) -> Claim:
    """What may be said of a decision: the head's numbers, and evidence that stands in the input. Raises Disagrees."""
    if task.head.kind not in ("multilabel", "score"):
        raise Disagrees(f"a head of the kind {task.head.kind!r} has no verdict that could be read back")
    raw, outputs = decision.predicted.raw, task.head.outputs
    best = dict(zip(outputs, raw.argmax(axis=0).tolist(), strict=True))
    top = {name: float(raw[best[name], outputs.index(name)]) for name in how.speaks}
    evidence = tuple(how.given(decision.answer))
    for piece in evidence:
        _stands(piece, decision, best)
    return Claim(
        holds=tuple(name for name in how.speaks if top[name] > 0),
        likeliest=max(top, key=top.__getitem__),
        flags=tuple(name for name in SPOKEN if decision.flags.get(name)),
        chance={name: _row(outputs, decision.predicted.probability, best[name]) for name in how.speaks},
        evidence=evidence,
    )


def _row(outputs: Sequence[str], probability: FloatArray, row: int) -> dict[str, str]:
    """The probabilities of a row as they are written: in per cent, with one decimal."""
    shown = [f"{100 * chance:.1f}" for chance in probability[row].tolist()]
    return {name: f"{BOUNDS.get(each, each)} %" for name, each in zip(outputs, shown, strict=True)}


def _stands(piece: Evidence, decision: Decision, best: Mapping[str, int]) -> None:
    """The value is the item's own, at its offsets, in the row by which the head decides about its output."""
    if piece.field not in type(decision.item).model_fields or piece.output not in best:
        raise Disagrees("evidence names a field or an output that is not there")
    value = getattr(decision.item, piece.field)
    if piece.span is None:
        if str(value) != piece.value:
            raise Disagrees(f"the input has another value of {piece.field}")
        return
    start, end = piece.span
    if not 0 <= start < end <= len(value) or value[start:end] != piece.value:
        raise Disagrees(f"a quote does not stand in {piece.field} at its offsets")
    if decision.texts is not None and piece.value not in decision.texts[best[piece.output]]:
        raise Disagrees(f"a quote is not from the part of the input that decides about {piece.output}")


def _accounted(task: Task, claim: Claim) -> Iterator[str]:
    """Numbers that may stand outside of quotes: figures, offsets, values of the input, and those in names."""
    for name in task.head.outputs:
        yield from _numbers(name)
    for found in claim.chance.values():
        yield from _numbers(" ".join(found.values()))
    for piece in claim.evidence:
        yield from _numbers(piece.field)
        yield from map(str, piece.span) if piece.span is not None else _numbers(piece.value)


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def _unquoted(text: str) -> str:
    """The sentences without their quotes, which are JSON strings: an input may say what it likes in them."""
    pieces, at, decoder = [], 0, json.JSONDecoder()
    while (start := text.find('"', at)) >= 0:
        pieces.append(text[at:start])
        _, at = decoder.raw_decode(text, start)
    return " ".join([*pieces, text[at:]])
