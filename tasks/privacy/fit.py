"""`python -m tasks.privacy.fit`: learns weights.json from the grammar, in about a minute, and says how sure it is.

The cut is chosen here too: on sentences of frames that were not learned from, never on anybody's data.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks import digest
from tasks.privacy.invent import SLOTS
from tasks.privacy.model import CLASSES, FILE, Weights, opened, probabilities
from tasks.privacy.tokens import OFFSETS, own, symbol, together, tokens

HERE = Path(__file__).parent
SEED, TIMES = 17, 40  # how often each line of the grammar is written
FEWEST = 5  # tokens that a feature must stand at
STRENGTH = 0.3  # scikit-learn's C
UNLISTED = 0.4  # share of sentences in which no list of names is looked up, so that the model knows strangers too
FIFTH, HELD_OUT = 5, 2  # of every five lines of the grammar the third is held out where figures are asked for
GOES_ON = 0.5  # share of texts of two lines
SMALLEST = 8  # of a weight, in hundredths; what is less changes nothing
SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Sample:
    """A written text, the number of its line, and of each of its characters the class."""

    text: str
    line: int
    classes: tuple[int, ...]


def learned_from() -> str:
    """The digest of what the weights are learned from: of sentences, their classes, and some features."""
    written = samples(SEED, 1)
    seen = [list(features(sample, True)) for sample in written[::20]]
    return digest.of_json([[[sample.text, sample.classes] for sample in written], seen, TIMES, STRENGTH, FEWEST])


def lines() -> list[str]:
    """The lines of the grammar."""
    found = (HERE / "grammar.txt").read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in found if line and not line.startswith("#")]


def write(line: str, number: int, dice: random.Random) -> Sample:
    """A line with its slots filled by invented people and places."""
    text, classes = "", list[int]()
    for at, part in enumerate(SLOT.split(line)):
        kind = None
        if at % 2:
            make, kind = SLOTS[part]
            part = make(dice)  # noqa: PLW2901
        text += part
        classes += [CLASSES.index(kind) if kind else 0] * len(part)
    chance = dice.random()
    text = text.lower() if chance < 0.04 and len(text.lower()) == len(text) else text
    return Sample(text, number, tuple(classes))


def samples(seed: int, times: int) -> list[Sample]:
    """Every line of the grammar, written several times; every second one goes on with another line."""
    dice = random.Random(seed)
    texts = lines()
    return [
        _followed(write(line, number, dice), texts, dice) if dice.random() < GOES_ON else write(line, number, dice)
        for _ in range(times)
        for number, line in enumerate(texts)
    ]


def _followed(first: Sample, texts: Sequence[str], dice: random.Random) -> Sample:
    """A sample and one more, of the same side of the line between learned from and held out."""
    place = dice.randrange(len(texts) // FIFTH) * FIFTH + first.line % FIFTH
    if first.line % FIFTH != HELD_OUT:
        place = dice.choice([at for at in range(len(texts)) if at % FIFTH != HELD_OUT])
    second, gap = write(texts[place], place, dice), dice.choice((" ", " ", "\n"))
    return Sample(first.text + gap + second.text, first.line, (*first.classes, 0, *second.classes))


def features(sample: Sample, known: bool) -> Iterator[tuple[list[str], int]]:
    """The features of each token, each with its distance before it ("" for tokens together), and its class."""
    found = tokens(sample.text)
    mine = [list(own(one.text, known)) for one in found]
    symbols = [symbol(one.text) for one in found]
    for at, one in enumerate(found):
        names = [
            f"{offset}:{name}"
            for offset in OFFSETS
            for name in (mine[at + offset] if 0 <= at + offset < len(found) else ["w=<>"])
        ]
        names += [f":{name}" for name in together(symbols, at)]
        yield names, max(sample.classes[one.start : one.end])


def fit(written: Sequence[Sample]) -> dict[str, Any]:
    """The weights as their JSON document, in hundredths; features that change nothing are left out."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    dice = random.Random(SEED)
    rows, truth = list[list[str]](), list[int]()
    for sample in written:
        for names, kind in features(sample, dice.random() > UNLISTED):
            rows.append(names)
            truth.append(kind)
    counts = Counter(name for names in rows for name in names)
    column = {name: place for place, name in enumerate(sorted(name for name, n in counts.items() if n >= FEWEST))}
    held = [[column[name] for name in names if name in column] for names in rows]
    starts = np.cumsum([0, *map(len, held)])
    places = np.fromiter((place for one in held for place in one), dtype=np.int32)
    table = csr_matrix((np.ones(len(places), dtype=np.float32), places, starts), shape=(len(rows), len(column)))
    learner = LogisticRegression(C=STRENGTH, max_iter=150, tol=1e-3).fit(table, truth)
    return _document(learner, list(column))


def _document(learner: Any, names: Sequence[str]) -> dict[str, Any]:
    coefficients = np.rint(100 * (learner.coef_ - learner.coef_.mean(axis=0))).astype(int)
    single: dict[str, dict[str, list[int]]] = {str(offset): {} for offset in OFFSETS}
    joint: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        values = coefficients[:, place].tolist()
        if max(map(abs, values)) >= SMALLEST:
            offset, _, feature = name.partition(":")
            (single[offset] if offset else joint)[feature] = values
    bias = np.rint(100 * learner.intercept_).astype(int).tolist()
    return {"bias": bias, "single": single, "joint": joint, "learned_from": learned_from()}


def figures(weights: Weights, written: Sequence[Sample], cuts: Sequence[float]) -> list[dict[str, float]]:
    """Per cut: the share of each kind's tokens that are masked, and the share of masked words that are harmless."""
    truth, sure = list[int](), list[float]()
    for sample in written:
        found = tokens(sample.text)
        table = probabilities(weights, found)
        for one, row in zip(found, table, strict=True):
            if one.text[0].isalnum():
                truth.append(max(sample.classes[one.start : one.end]))
                sure.append(float(1 - row[0]))
    kinds, above = np.array(truth), np.array(sure)
    told = []
    for cut in cuts:
        masked = above > cut
        told.append(
            {"cut": cut, "harmless": round(float((kinds[masked] == 0).mean()), 3)}
            | {name: round(float(masked[kinds == at].mean()), 3) for at, name in enumerate(CLASSES) if at}
        )
    return told


def write_weights() -> None:
    """Fit on all lines, and write weights.json."""
    document = fit(samples(SEED, TIMES))
    text = json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes")


def main() -> None:
    """Fit on four fifths of the lines and say what that reaches on the others; then fit on all, and write."""
    written = samples(SEED, TIMES)
    weights = opened(fit([sample for sample in written if sample.line % FIFTH != HELD_OUT]))
    held_out = [sample for sample in written if sample.line % FIFTH == HELD_OUT]
    for row in figures(weights, held_out[:2000], (0.1, 0.2, 0.3, 0.5)):
        print(row)
    write_weights()


if __name__ == "__main__":
    main()
