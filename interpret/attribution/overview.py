"""The global view over many explained rows: mean |value|, shares of modalities, expected signs, stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from interpret.attribution.cases import Case
from interpret.attribution.game import Game
from interpret.attribution.shapley import Attribution, ranks
from tasks.task import Feature, FloatArray, Modality, Task

DRAWS = 1000
FEWEST_PAIRS = 8  # rows below which no direction is looked for
TEXT = "text (all spans)"
Interval = tuple[float, float]
Verdict = Literal["agrees", "disagrees", "undecided", "not declared"]


TOP = 4  # players that are compared with another run, another background or a surrogate
LIVE = 1e-3  # of the sum of |value|: of a player below it, a few pairs may see nothing at all


@dataclass(frozen=True)
class Explained:
    """One explained row: its case, game and values. `served` is the answer of the plain, unmasked row.

    Rows of which several outputs are explained stand once for each, and share game and attribution.
    """

    case: Case
    game: Game
    attribution: Attribution
    served: FloatArray
    tolerance: float

    @property
    def values(self) -> FloatArray:
        """The values of the explained output, one per player."""
        return np.asarray(self.attribution.values[:, self.case.output])

    @property
    def errors(self) -> FloatArray:
        """Their standard errors, of all that was drawn: orders or coalitions, and reference rows."""
        return np.asarray(self.attribution.errors[:, self.case.output])

    @property
    def reach(self) -> FloatArray:
        """How far their 95 % intervals reach to either side."""
        return np.asarray(self.attribution.reach[:, self.case.output])

    @property
    def ranks(self) -> list[tuple[int, bool]]:
        """Their ranks by |value|, and whether each is tied with another: see shapley.ranks."""
        return ranks(self.values, self.attribution.spread[:, :, self.case.output], self.attribution.quantile)

    @property
    def converged(self) -> bool:
        """Whether no interval reaches further to one side than the tolerance, a share of the sum of |value|."""
        return bool(self.reach.max() <= self.tolerance * self.weight)

    @property
    def weight(self) -> float:
        """The sum of |value| over the players, never zero: errors are stated as shares of it."""
        return max(float(np.abs(self.values).sum()), 1e-300)

    @property
    def towards(self) -> float:
        """1 where the values together raise the explained output, else -1."""
        return 1.0 if self.values.sum() >= 0 else -1.0


@dataclass(frozen=True)
class Importance:
    """How much one player moves the answers: mean |value| over rows with its 95 % interval, and the mean value."""

    name: str
    modality: Modality
    mean_abs: float
    ci95: Interval
    mean: float


@dataclass(frozen=True)
class Share:
    """How much of the sum of |value| one modality carries, 0 to 1, with its 95 % interval."""

    modality: Modality
    share: float
    ci95: Interval


@dataclass(frozen=True)
class SignCheck:
    """The declared direction of a feature (+1, -1, or 0 for none) beside the rank correlation that was found, -1 to 1.

    "agrees" or "disagrees" where the 95 % interval leaves zero out, else "undecided"; "not declared" without a sign.
    `found` and `ci95` are None where the rows are too few or do not vary.
    """

    feature: str
    declared: int
    found: float | None = None
    ci95: Interval | None = None
    verdict: Verdict = "undecided"


@dataclass(frozen=True)
class Phrase:
    """A text span with its value and standard error, in raw units of `output`; `case` counts from one."""

    words: str
    value: float
    error: float
    case: int
    output: int


def largest(values: FloatArray) -> list[int]:
    """The places of the TOP largest of |values| (P,), the largest first."""
    return [int(place) for place in np.argsort(-np.abs(values), kind="stable")[:TOP]]


def interval(samples: FloatArray, seed: int) -> Interval:
    """The 95 % bootstrap interval of the mean over rows (percentiles of 1,000 seeded draws)."""
    draw = np.random.default_rng(seed)
    picks = draw.integers(0, len(samples), size=(DRAWS, len(samples)))
    low, high = np.percentile(samples[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def importance(rows: Sequence[Explained], seed: int) -> tuple[Importance, ...]:
    """Mean |value| per player, largest first. The text spans of a row are one line."""
    lines = [
        Importance(
            name=name,
            modality=modality,
            mean_abs=float(np.abs(values).mean()),
            ci95=interval(np.abs(values), seed),
            mean=float(values.mean()),
        )
        for (name, modality), values in _columns(rows).items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.mean_abs, line.name)))


def shares(rows: Sequence[Explained], seed: int) -> tuple[Share, ...]:
    """The share of each modality that plays in any row, mean over rows."""
    playing = {player.modality for row in rows for player in row.game.players}
    kinds: list[Modality] = [kind for kind in ("text", "table", "series") if kind in playing]
    parts = np.array([[_of_modality(row, kind) for kind in kinds] for row in rows])
    parts /= np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
    return tuple(
        Share(kind, float(part.mean()), interval(part, seed)) for kind, part in zip(kinds, parts.T, strict=True)
    )


def signs(task: Task, rows: Sequence[Explained], seed: int) -> tuple[SignCheck, ...]:
    """Declared against found direction of each feature that is a number; a word of a category only where it has a sign.

    Found is the rank correlation (Spearman) between the feature and its group's value, bootstrap interval over rows.
    """
    return tuple(
        _sign_check(feature, _pairs(rows, column), seed)
        for column, feature in enumerate(task.features)
        if not feature.levels and (feature.sign or "=" not in feature.name)
    )


def stability(rows: Sequence[Explained]) -> float | None:
    """Kendall's tau between the orders of mean |value| in two halves of the rows; None below three players."""
    columns = list(_columns(rows).values())
    lengths = {len(values) for values in columns}
    if len(columns) < 3 or len(lengths) != 1 or lengths.pop() < 4:
        return None
    from scipy.stats import kendalltau

    halves = [[float(np.abs(values[start::2]).mean()) for values in columns] for start in (0, 1)]
    return float(kendalltau(*halves).statistic)


def phrases(rows: Sequence[Explained], most: int) -> tuple[Phrase, ...]:
    """The text spans that moved an answer most, largest |value| first."""
    found = [
        Phrase(player.name, float(value), float(error), number, row.case.output)
        for number, row in enumerate(rows, start=1)
        for player, value, error in zip(row.game.players, row.values, row.errors, strict=True)
        if player.modality == "text" and abs(value) > 0.01 * np.abs(row.values).sum()
    ]
    return tuple(sorted(found, key=lambda phrase: (-abs(phrase.value), phrase.words))[:most])


def _of_modality(row: Explained, kind: Modality) -> float:
    return float(sum(abs(v) for p, v in zip(row.game.players, row.values, strict=True) if p.modality == kind))


def _columns(rows: Sequence[Explained]) -> dict[tuple[str, Modality], FloatArray]:
    """Player -> its value in each row; the text spans of a row are added up."""
    columns: dict[tuple[str, Modality], list[float]] = {}
    for row in rows:
        totals: dict[tuple[str, Modality], float] = {}
        for player, value in zip(row.game.players, row.values, strict=True):
            key: tuple[str, Modality] = (TEXT, "text") if player.modality == "text" else (player.name, player.modality)
            totals[key] = totals.get(key, 0.0) + float(value)
        for key, total in totals.items():
            columns.setdefault(key, []).append(total)
    return {key: np.array(values) for key, values in columns.items()}


def _pairs(rows: Sequence[Explained], column: int) -> FloatArray:
    """The column's feature beside the value of its group, (n, 2), over the rows where both are numbers."""
    pairs = [
        (row.game.row.table[0, column], value)
        for row in rows
        if row.game.row.table is not None
        for player, value in zip(row.game.players, row.values, strict=True)
        if column in player.columns
    ]
    return np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2)


def _sign_check(feature: Feature, pairs: FloatArray, seed: int) -> SignCheck:
    plain: Verdict = "undecided" if feature.sign else "not declared"
    if len(pairs) < FEWEST_PAIRS or np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return SignCheck(feature.name, feature.sign, verdict=plain)
    draw = np.random.default_rng(seed)
    found = _spearman(pairs)
    again = [_spearman(pairs[draw.integers(0, len(pairs), len(pairs))]) for _ in range(200)]
    low, high = (float(x) for x in np.percentile(again, [2.5, 97.5]))
    sure: Verdict = "agrees" if np.sign(found) == feature.sign else "disagrees"
    return SignCheck(feature.name, feature.sign, found, (low, high), sure if feature.sign and low * high > 0 else plain)


def _spearman(pairs: FloatArray) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=0) - (len(pairs) + 1) / 2
    size = float(np.sqrt((ranks[:, 0] ** 2).sum() * (ranks[:, 1] ** 2).sum()))
    return float(ranks[:, 0] @ ranks[:, 1]) / size if size else 0.0
