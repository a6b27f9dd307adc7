"""The task's classical part: a log-linear model over the programs that it proposes itself, able to refuse.

The probability of a program is a softmax of weighted features over all candidates of its question (a conditional
logit: McFadden 1974, Conditional logit analysis of qualitative choice behavior). The pattern's own probability, by the
words of the question, is a feature that is learned from held-out documents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks import program
from tasks.classical.bag_of_words import tfidf_logistic
from tasks.classical.logistic import numbers
from tasks.reasoning.candidates import FEATURES, Candidate, Pattern, Reader, pattern_of, words
from tasks.reasoning.right import result
from tasks.reasoning.text import from_text
from tasks.task import PROGRAM, Classical, FloatArray, Head, Inputs

State = Mapping[str, Any]
OTHER = "other"
SEEN = 2  # how often a pattern must have been seen
TRIED = 6  # patterns of a question
RIDGE, HALVES = 1.0, 4
FLOOR = -12.0  # the log-probability of a program that is not proposed
SURE = 1e-4


def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """Learn patterns, their words, and the weights of features from rows whose program is known; JSON."""
    written = [program.text(row) for row in target[:, 2:]]
    held = np.flatnonzero([bool(each) for each in written])
    if not len(held):
        raise ValueError("no training row holds a program, and a ranker learns from programs")
    known, gold = inputs.take(held), [written[at] for at in held.tolist()]
    patterns = _patterns(gold)
    state = {"patterns": [each.text for each in patterns], **_weights(known)}
    state["refuses"] = program.REFUSAL in gold
    kinds = _kinds(gold, patterns)
    state |= _learned(state, known, gold, kinds)
    return state | {"words": _fit_words(state, known, gold, kinds)}


def raw(state: State, inputs: Inputs) -> FloatArray:
    """(n, 1 + PROGRAM) the logit of the best program's probability, and the program."""
    found = np.full((len(inputs), 1 + PROGRAM), np.nan)
    chances = _pattern_chances(state, inputs)
    for place, (text, logs) in enumerate(zip(inputs.text or (), chances, strict=True)):
        best, score = _scored(state, text, logs)[0]
        chance = float(np.clip(np.exp(score), SURE, 1 - SURE))
        found[place, 0] = math.log(chance / (1 - chance))
        found[place, 1:] = program.codes(program.symbols(best))
    return found


def proposed(state: State, text: str) -> list[tuple[str, float]]:
    """The programs of one question with their log-probabilities, the best first."""
    one = Inputs(np.zeros(1, dtype=np.int64), text=(text,))
    return _scored(state, text, _pattern_chances(state, one)[0])


def _scored(state: State, text: str, logs: FloatArray) -> list[tuple[str, float]]:
    candidates = _candidates(state, text, logs)
    if not candidates:
        return [(program.REFUSAL, FLOOR)]
    scores = _features(candidates, logs) @ np.array(state["weights"])
    scores -= np.logaddexp.reduce(scores)
    merged: dict[str, float] = {}
    for candidate, score in zip(candidates, scores.tolist(), strict=True):
        merged[candidate.program] = float(np.logaddexp(merged.get(candidate.program, -np.inf), score))
    return sorted(merged.items(), key=lambda pair: -pair[1])


def _patterns(gold: Sequence[str]) -> list[Pattern]:
    counts = Counter(found for each in gold if (found := pattern_of(each)) is not None)
    least = SEEN if len(gold) > 50 else 1
    return [pattern for pattern, count in sorted(counts.items(), key=lambda pair: -pair[1]) if count >= least]


def _kinds(gold: Sequence[str], patterns: Sequence[Pattern]) -> FloatArray:
    """(n, 1) the place of each program's pattern; the last is what has none. `none` is no pattern: NaN."""
    place: dict[Pattern | None, int] = {pattern: at for at, pattern in enumerate(patterns)}
    at = [math.nan if each == program.REFUSAL else place.get(pattern_of(each), len(patterns)) for each in gold]
    return np.array(at, dtype=np.float64)[:, None]


def _weights(known: Inputs) -> dict[str, Any]:
    """How rare a word is among labels and questions: its weight."""
    seen: Counter[str] = Counter()
    for text in known.text or ():
        document, question = from_text(text)
        seen.update(words(question))
        seen.update(frozenset().union(*map(words, document.labels.values())))
    total = 2 * len(known)
    idf = {word: math.log(total / (count + 0.5)) for word, count in sorted(seen.items()) if count > 1}
    return {"idf": {word: round(value, 4) for word, value in idf.items()}, "unseen": round(math.log(total), 4)}


def _model(state: State) -> Classical:
    return tfidf_logistic(Head("classify", (*state["patterns"], OTHER)), strength=30.0, ngrams=2)


def _fit_words(state: State, known: Inputs, gold: Sequence[str], kinds: FloatArray) -> dict[str, Any]:
    asked = np.flatnonzero(np.isfinite(kinds[:, 0]))
    if not len(asked):
        raise ValueError("every training row is refused, and a ranker needs programs to propose")
    return _model(state).fit(_questions(known.take(asked)), kinds[asked])


def _pattern_chances(state: State, inputs: Inputs) -> FloatArray:
    """(n, patterns + 1) log-probabilities of patterns, by the words of the question."""
    logits = _model(state).raw(state["words"], _questions(inputs))
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1)[:, None])


def _questions(inputs: Inputs) -> Inputs:
    return Inputs(inputs.owner, text=tuple(from_text(text)[1] for text in inputs.text or ()))


def _candidates(state: State, text: str, logs: FloatArray) -> list[Candidate]:
    chosen = [at for at in np.argsort(-logs).tolist() if at < len(state["patterns"])][:TRIED]
    patterns = [_read(each) for each in state["patterns"]]
    reader = Reader(text, state["idf"], state["unseen"])
    return list(reader.candidates(patterns, chosen, state["refuses"]))


def _read(text: str) -> Pattern:
    rows, columns = ({text[at + 1] for at, sign in enumerate(text) if sign == kind} for kind in "rc")
    return Pattern(text, len(rows), len(columns))


def _features(candidates: Sequence[Candidate], logs: FloatArray) -> FloatArray:
    patterns = np.array([0.0 if each.pattern < 0 else logs[each.pattern] for each in candidates])
    return np.column_stack([patterns, np.array([each.features for each in candidates])])


def _learned(state: dict[str, Any], known: Inputs, gold: Sequence[str], kinds: FloatArray) -> dict[str, Any]:
    """The weights of features, from candidates whose patterns were judged without their own documents."""
    part = _parts(known)
    blocks: list[FloatArray] = []
    right: list[FloatArray] = []
    for half in range(HALVES):
        rest, own = np.flatnonzero(part != half), np.flatnonzero(part == half)
        if not len(own) or not len(rest):
            continue
        there = state | {"words": _fit_words(state, known.take(rest), gold, kinds[rest])}
        chances = _pattern_chances(there, known.take(own))
        for at, logs in zip(own.tolist(), chances, strict=True):
            text = (known.text or ())[at]
            candidates = _candidates(there, text, logs)
            hits = np.array([_same(text, each.program, gold[at]) for each in candidates])
            if hits.any() and not hits.all():
                blocks.append(_features(candidates, logs))
                right.append(hits)
    return {"weights": numbers(_conditional_logit(blocks, right))}


def _parts(known: Inputs) -> FloatArray:
    """(n,) a part of the documents for each row: rows of one document stay together."""
    documents = [str(from_text(text)[0].table) + str(from_text(text)[0].paragraphs) for text in known.text or ()]
    order = {document: at for at, document in enumerate(dict.fromkeys(documents))}
    return np.array([order[document] % HALVES for document in documents])


def _same(text: str, one: str, gold: str) -> bool:
    """Whether a program is the gold one, or gives its result by the same pattern over other cells of equal value."""
    if one == gold or program.REFUSAL in (one, gold):
        return one == gold
    first, second = result(text, one), result(text, gold)
    return first is not None and second is not None and abs(first - second) <= 1e-9 * max(1.0, abs(second))


def _conditional_logit(blocks: Sequence[FloatArray], right: Sequence[FloatArray]) -> FloatArray:
    """The weights under which the right candidates of every question are likeliest, with a ridge."""
    from scipy.optimize import minimize

    if not blocks:
        return np.zeros(len(FEATURES))
    values, hits = np.concatenate(blocks), np.concatenate(right)
    starts = np.cumsum([0, *map(len, blocks)][:-1])
    owner = np.repeat(np.arange(len(blocks)), list(map(len, blocks)))

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = values @ weights
        scores -= np.maximum.reduceat(scores, starts)[owner]
        grown = np.exp(scores)
        every, good = np.add.reduceat(grown, starts), np.add.reduceat(grown * hits, starts) + 1e-300
        slope = values.T @ (grown / every[owner] - grown * hits / good[owner])
        gap = float((np.log(every) - np.log(good)).sum()) + 0.5 * RIDGE * float(weights @ weights)
        return gap, slope + RIDGE * weights

    start = np.zeros(values.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)


RANKER = Classical("ranked programs", fit, raw)
