"""What drove an answer of a table: Shapley values of the served log odds by group of features, with 95 % intervals.

The answer is a sum: what the table says through classical part and net, and what the text says. Each is a game of its
own, and Shapley values add (Shapley 1953). The table's is played here and now in antithetic pairs of permutations, each
against a reference row of its own (Strumbelj and Kononenko 2014; Mitchell et al. 2022), so that the spread of the
pairs holds both errors; the interval is Student's. A text that restates the table is not passed through the body for
this: what restatements moved in refused validation rows was measured when the version was judged, and widens the
interval.
The draw follows from the row alone, so that a replay gives the same reasons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from tasks.data.reasons import TEXT, check
from tasks.model import forward
from tasks.model.model import Model
from tasks.task import FloatArray, Inputs, IntArray, Rows, Task
from tasks.validate import pairs
from tasks.validate.reasons_file import FEWEST, Known, Spoken

PAIRS, LEAST_PAIRS = 64, 8  # of permutations, each against a reference row of its own
EVALUATIONS = 8192  # of the table's game, where that leaves the least number of pairs
REFERENCE = 128  # reference rows that a version keeps
MEASURED = 8  # validation rows whose restated texts are played, when a version is judged
NOTED = 4  # reference rows that free words are played against
WITHOUT_TEXT = frozenset({"text"})

Value = Callable[[FloatArray], FloatArray]  # rows of the table (n, features) -> (n,) raw answers


@dataclass(frozen=True)
class Values:
    """Shapley values of a row by group, in the log odds of the answer, and half the width of their 95 % intervals."""

    groups: tuple[str, ...]
    value: FloatArray
    reach: FloatArray


# -- when a version is judged


def learn(model: Model, name: str, train: Rows, valid: Rows, seed: int) -> Known | None:
    """What a version keeps for its reasons; None where its task has no list, or the model gives no numbers.

    Raises DataError where the list is not one for this task.
    """
    task = model.tasks[name]
    if task.reasons is None or train.inputs.table is None:
        return None
    check(task.reasons, task)
    if not np.isfinite(forward.raw(model, name, valid.inputs)).all():
        return None  # a refused version, which is written out all the same
    random = np.random.default_rng(seed)
    reference = _mixed(task, train.inputs.table, random)
    spoken = {} if task.in_words is None else _spoken(model, task, reference, valid.inputs, random)
    return Known(task.reasons, reference, spoken)


def _mixed(task: Task, table: FloatArray, random: np.random.Generator) -> FloatArray:
    """At most REFERENCE rows whose groups come each from a row of its own."""
    rows = table[random.permutation(len(table))[:REFERENCE]]
    for columns in _columns(task).values():
        rows[:, columns] = rows[random.permutation(len(rows))][:, columns]
    return rows


def _spoken(
    model: Model, task: Task, reference: FloatArray, valid: Inputs, random: np.random.Generator
) -> dict[str, Spoken]:
    """Play the game of restated texts alone, one pair a row, on refused validation rows; on any where none is."""
    assert valid.table is not None
    if "text" not in model.parts[task.name]:
        return {}
    raw = forward.raw(model, task.name, valid)[:, 0]
    first = random.permutation(len(raw))
    refused = first[task.reasons.sign * raw[first] > 0]
    chosen = (refused if len(refused) >= FEWEST else first)[:MEASURED]
    columns = _columns(task)
    groups, value = list(columns.values()), _said(model, task)
    found = np.zeros((len(chosen), len(columns)))
    for at, row in enumerate(chosen.tolist()):
        (found[at],) = _played(valid.table[row], _drawn(reference, 1, random), groups, value, random)
    spread = found.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(len(columns))
    return {
        group: Spoken(float(mean), float(deviation), len(found))
        for group, mean, deviation in zip(columns, found.mean(axis=0), spread, strict=True)
    }


def _said(model: Model, task: Task) -> Value:
    """What the text part says of rows whose text restates their table; every text is read once."""
    in_words = task.in_words
    assert in_words is not None

    def value(table: FloatArray) -> FloatArray:
        texts = [in_words(row) for row in table]
        places = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        first = np.array([texts.index(text) for text in places])
        rows = Inputs(np.arange(len(places)), text=tuple(places), table=table[first])
        return spoken_raw(model, task.name, rows)[[places[text] for text in texts]]

    return value


def spoken_raw(model: Model, name: str, inputs: Inputs) -> FloatArray:
    """(n,) what the text adds to the raw answers of rows."""
    found = forward.features(model, name, inputs)
    return np.asarray((forward.combine(model, name, found) - forward.combine(model, name, found, WITHOUT_TEXT))[:, 0])


# -- when it answers


def values(model: Model, name: str, known: Known, row: Inputs, raw: float, temperature: float) -> Values:
    """The Shapley values of a row by group, without those of which it holds nothing."""
    assert row.table is not None
    task, random = model.tasks[name], _random(row)
    columns = _columns(task)
    held = [group for group, each in columns.items() if np.isfinite(row.table[0, each]).any()]

    def value(table: FloatArray) -> FloatArray:
        return np.asarray(forward.raw(model, name, Inputs(np.arange(len(table)), table=table), WITHOUT_TEXT)[:, 0])

    drawn = _drawn(known.reference, _affordable(len(held)), random)
    found = _played(row.table[0], drawn, [columns[group] for group in held], value, random)
    mean = found.mean(axis=0)
    reach = np.sqrt(found.var(axis=0, ddof=1) / len(found)) * _wide(len(found) - 1)
    words = _words(model, task, row, raw - float(value(row.table)[0]), drawn)
    if known.spoken:
        told = [known.spoken[group] for group in held]
        mean = mean + [each.mean for each in told]
        reach = np.hypot(reach, [_next(each) for each in told]) + words.beside
    if words.value is not None:
        held, mean, reach = [*held, TEXT], np.append(mean, words.value), np.append(reach, words.reach)
    return Values(tuple(held), mean / temperature, reach / temperature)


@dataclass(frozen=True)
class Words:
    """What free words add to an answer: their value with half its interval, None where the row holds none.

    beside  how far they may change what restated facts add
    """

    value: float | None = None
    reach: float = 0.0
    beside: float = 0.0


def _words(model: Model, task: Task, row: Inputs, said: float, drawn: FloatArray) -> Words:
    """The free words of a row. Alone in the text they add all that it says; after a restatement they are played."""
    if row.text is None or row.table is None or "text" not in model.parts[task.name]:
        return Words()
    (text,) = row.text
    if task.in_words is None:
        return Words(said) if text.strip() else Words()
    facts = [task.in_words(each) for each in (row.table[0], *drawn[:NOTED])]
    if not text.startswith(facts[0]):
        raise ValueError(
            f"the text of a row of {task.name} does not begin with what restates its table; mend `in_words`"
        )
    free = text[len(facts[0]) :]
    if not free.strip():
        return Words()
    texts = [text, *facts, *(each + free for each in facts[1:])]
    table = np.vstack([row.table, row.table, drawn[:NOTED], drawn[:NOTED]])
    found = spoken_raw(model, task.name, Inputs(np.arange(len(texts)), text=tuple(texts), table=table))
    last, first = found[0] - found[1], found[2 + NOTED :] - found[2 : 2 + NOTED]
    reach = _wide(NOTED - 1) * float((first / 2).std(ddof=1)) / np.sqrt(NOTED)
    return Words(float((last + first.mean()) / 2), float(reach), float(np.abs(last - first).max()))


# -- the game


def _played(
    row: FloatArray, drawn: FloatArray, groups: Sequence[IntArray], value: Value, random: np.random.Generator
) -> FloatArray:
    """(pairs, groups) what each group adds in a random order and in its reverse, each pair from its reference row on.

    Columns of no group stay as the row has them.
    """
    count, players = len(drawn), len(groups)
    owner = np.full(len(row), players)
    for player, columns in enumerate(groups):
        owner[columns] = player

    def answers(shown: NDArray[np.bool_]) -> FloatArray:
        """Both ways begin and end alike, so the ends of the second are not asked again."""
        asked = np.concatenate([shown[:, 0], shown[:, 1, 1:-1]], axis=1)
        whole = np.concatenate([asked, np.ones((*asked.shape[:2], 1), dtype=np.bool_)], axis=2)
        tables = np.where(whole[:, :, owner], row, drawn[:, None, :])
        told = value(tables.reshape(-1, len(row))).reshape(count, -1)
        back = told[:, [0, *range(players + 1, 2 * players), players]]
        return np.stack([told[:, : players + 1], back], axis=1)

    return pairs.played(players, count, answers, random)[0]


def _affordable(players: int) -> int:
    """How many pairs are played: fewer of a very wide table, whose every pair costs two evaluations a group."""
    return int(np.clip(EVALUATIONS // (2 * max(players, 1)), LEAST_PAIRS, PAIRS))


def _drawn(reference: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """`count` reference rows, each once where there are so many."""
    return reference[random.choice(len(reference), count, replace=count > len(reference))]


def _columns(task: Task) -> dict[str, IntArray]:
    """Group -> the places of its columns, in the order of the table."""
    groups: dict[str, list[int]] = {}
    for place, feature in enumerate(task.features):
        groups.setdefault(feature.group, []).append(place)
    return {name: np.array(places, dtype=np.int64) for name, places in groups.items()}


def _random(row: Inputs) -> np.random.Generator:
    """A generator that the row alone decides: the same row is told the same reasons, by whichever process."""
    assert row.table is not None
    whole = hashlib.sha256(np.nan_to_num(row.table, nan=np.inf).astype("<f8").tobytes())
    whole.update("".join(row.text or ()).encode())
    return np.random.default_rng(int.from_bytes(whole.digest()[:16], "big"))


def _wide(freedom: int) -> float:
    """How many standard errors a 95 % interval reaches to each side; without an error it reaches everywhere."""
    return float(student.ppf(0.975, freedom)) if freedom > 0 else np.inf


def _next(told: Spoken) -> float:
    """Half the 95 % prediction interval of one more row, from a mean and deviation of few."""
    return _wide(told.rows - 1) * told.deviation * float(np.sqrt(1 + 1 / told.rows)) if told.rows >= FEWEST else np.inf
