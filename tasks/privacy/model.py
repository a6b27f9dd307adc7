"""The token model: multinomial logistic regression over what tokens.py sees, as JSON; what it finds as spans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.privacy.spans import ADDRESS, LEARNED, ORGANISATION, PERSON, Found
from tasks.privacy.tokens import OFFSETS, REACH, Token, own, symbol, together, tokens

FILE = Path(__file__).parent / "weights.json"
CLASSES = ("none", *LEARNED)
GROW, GROW_ADDRESS = 0.2, 0.05  # how probable the neighbour of a found word must be
REMEMBERED = 200_000  # words whose sums are kept
JOINS = {PERSON: "-'’.,", ORGANISATION: "-'’.,&", ADDRESS: "-'’.,/#\n"}  # signs that may stand inside a span
Floats = NDArray[np.float32]


@dataclass
class Weights:
    """Feature -> (classes,), by distance for single tokens and for tokens together; sums per word are kept.

    `learned_from` is the digest of the grammar, the lists and the code that the weights were learned from.
    """

    bias: Floats
    single: Mapping[int, Mapping[str, Floats]]
    joint: Mapping[str, Floats]
    learned_from: str
    words: dict[str, Floats] = field(default_factory=dict)
    groups: dict[tuple[str, ...], Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Marked:
    """A token with its kind and how sure that is."""

    token: Token
    kind: str
    sure: float


@cache
def shipped() -> Weights:
    """The weights in weights.json; `python -m tasks.privacy.fit` makes them."""
    return opened(json.loads(FILE.read_text(encoding="utf-8")))


def opened(document: Mapping[str, object]) -> Weights:
    """Weights from their JSON document: {"bias", "single": {distance: {feature: numbers}}, "joint", "learned_from"}."""

    def arrays(held: Mapping[str, Sequence[float]]) -> dict[str, Floats]:
        return {name: np.array(values, dtype=np.float32) / np.float32(100) for name, values in held.items()}

    single: Mapping[str, Mapping[str, Sequence[float]]] = document["single"]  # type: ignore[assignment]
    return Weights(
        np.array(document["bias"], dtype=np.float32) / np.float32(100),
        {int(offset): arrays(held) for offset, held in single.items()},
        arrays(document["joint"]),  # type: ignore[arg-type]
        str(document["learned_from"]),
    )


def probabilities(weights: Weights, found: Sequence[Token]) -> Floats:
    """(tokens, classes) how probable each class is of each token."""
    count = len(found)
    if not count:
        return np.zeros((0, len(CLASSES)), dtype=np.float32)
    words = np.stack([_word(weights, one.text) for one in found])  # (tokens, distances, classes)
    edge = _word(weights, "")
    padded = np.concatenate(
        [np.broadcast_to(edge, (REACH, *edge.shape)), words, np.broadcast_to(edge, (REACH, *edge.shape))]
    )
    logits = weights.bias + _groups(weights, [symbol(one.text) for one in found])
    for place, offset in enumerate(OFFSETS):
        logits = logits + padded[REACH + offset : REACH + offset + count, place]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def _word(weights: Weights, word: str) -> Floats:
    """(distances, classes) what a token adds at each distance; "" stands for what is beyond the text."""
    kept = weights.words.get(word)
    if kept is None:
        features = list(own(word)) if word else ["w=<>"]
        kept = np.zeros((len(OFFSETS), len(CLASSES)), dtype=np.float32)
        for place, offset in enumerate(OFFSETS):
            held = weights.single[offset]
            for name in features:
                if name in held:
                    kept[place] += held[name]
        if len(weights.words) >= REMEMBERED:
            weights.words.clear()
        weights.words[word] = kept
    return kept


def _groups(weights: Weights, symbols: list[str]) -> Floats:
    """(tokens, classes) what tokens add together."""
    edged = ["<>", "<>", *symbols, "<>", "<>"]
    rows = []
    for at in range(len(symbols)):
        key = tuple(edged[at : at + 5])
        kept = weights.groups.get(key)
        if kept is None:
            kept = np.zeros(len(CLASSES), dtype=np.float32)
            for name in together(edged, at + 2):
                kept = kept + weights.joint.get(name, np.float32(0))
            if len(weights.groups) >= REMEMBERED:
                weights.groups.clear()
            weights.groups[key] = kept
        rows.append(kept)
    return np.stack(rows)


def modelled(text: str, cut: float, weights: Weights | None = None) -> list[Found]:
    """Spans of a plain text whose words are of some kind with a probability above `cut`, and what belongs to them.

    A word beside one that was found is taken in sooner: half of an address is as good as all of it.
    """
    found = tokens(text)
    table = probabilities(weights or shipped(), found)
    words = [at for at, one in enumerate(found) if one.text[0].isalnum()]
    sure = (1 - table[:, 0])[words]
    best = table[:, 1:].argmax(axis=1)
    grow = np.where(best[words] == LEARNED.index(ADDRESS), GROW_ADDRESS, GROW)
    marked = _grown(sure > cut, sure > grow)
    return list(
        _joined(
            text,
            [
                Marked(found[at], LEARNED[int(best[at])], float(sure[place]))
                for place, at in enumerate(words)
                if marked[place]
            ],
        )
    )


def _grown(seeds: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Seeds, and the neighbours that hang together with one of them (hysteresis, Canny 1986)."""
    allowed = seeds | near
    edges = np.flatnonzero(np.diff(np.concatenate([[False], allowed, [False]]).astype(np.int8)))
    kept = seeds.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if seeds[start:end].any():
            kept[start:end] = True
    return kept


def _joined(text: str, marked: Sequence[Marked]) -> Iterator[Found]:
    """Neighbours of one kind as one span; its confidence is the mean of theirs."""
    run: list[Marked] = []
    for one in (*marked, None):
        if run and (
            one is None or one.kind != run[-1].kind or not _joins(text[run[-1].token.end : one.token.start], one.kind)
        ):
            mean = sum(each.sure for each in run) / len(run)
            yield Found(run[0].token.start, run[-1].token.end, run[0].kind, round(mean, 3), "model")
            run = []
        if one is not None:
            run.append(one)


def _joins(between: str, kind: str) -> bool:
    signs = [sign for sign in between if not sign.isspace() or sign == "\n"]
    return len(signs) <= 2 and all(sign in JOINS.get(kind, "-'’.") for sign in signs)
