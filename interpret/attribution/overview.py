"""The global view over many explained rows: mean |value|, shares of modalities, expected signs, stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpret.attribution.cases import Case
from interpret.attribution.game import Game
from interpret.attribution.shapley import Attribution
from tasks.task import FloatArray, Modality, Task

DRAWS = 1000
TEXT = "text (all spans)"


@dataclass(frozen=True)
class Explained:
    """One explained row: its case, game and values. `served` is the answer of the plain, unmasked row."""

    case: Case
    game: Game
    attribution: Attribution
    served: FloatArray

    @property
    def values(self) -> FloatArray:
        """The values of the explained output, one per player."""
        return np.asarray(self.attribution.values[:, self.case.output])

    @property
    def errors(self) -> FloatArray:
        """Their standard errors of sampling."""
        return np.asarray(self.attribution.errors[:, self.case.output])

    @property
    def choice(self) -> FloatArray:
        """Their standard errors of the choice of reference rows."""
        return np.asarray(self.attribution.choice[:, self.case.output])


def interval(samples: FloatArray, seed: int) -> list[float]:
    """The 95 % bootstrap interval of the mean over rows (percentiles of 1,000 seeded draws)."""
    draw = np.random.default_rng(seed)
    picks = draw.integers(0, len(samples), size=(DRAWS, len(samples)))
    low, high = np.percentile(samples[picks].mean(axis=1), [2.5, 97.5])
    return [float(low), float(high)]


def importance(rows: Sequence[Explained], seed: int) -> list[dict[str, Any]]:
    """Mean |value| per player with its 95 % interval, largest first. The text spans of a row are one line."""
    columns = _columns(rows)
    table = [
        {
            "name": name,
            "modality": modality,
            "mean_abs": float(np.abs(values).mean()),
            "ci95": interval(np.abs(values), seed),
            "mean": float(values.mean()),
        }
        for (name, modality), values in columns.items()
    ]
    return sorted(table, key=lambda line: (-float(str(line["mean_abs"])), str(line["name"])))


def shares(rows: Sequence[Explained], seed: int) -> list[dict[str, Any]]:
    """How much of the sum of |value| each modality carries, mean over rows, with its 95 % interval."""
    kinds: list[Modality] = [
        kind
        for kind in ("text", "table", "series")
        if any(p.modality == kind for row in rows for p in row.game.players)
    ]
    parts = np.array([[_weight(row, kind) for kind in kinds] for row in rows])
    parts /= np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
    return [
        {"modality": kind, "share": float(parts[:, at].mean()), "ci95": interval(parts[:, at], seed)}
        for at, kind in enumerate(kinds)
    ]


def signs(task: Task, rows: Sequence[Explained], seed: int) -> list[dict[str, Any]]:
    """Declared against found direction of each feature that has a sign.

    Found is the rank correlation (Spearman) between the feature and its group's value, bootstrap interval over rows;
    "agrees" or "disagrees" where the interval leaves zero out, else "undecided".
    """
    lines = []
    for column, feature in enumerate(task.features):
        if feature.sign == 0:
            continue
        pairs = [
            (row.game.row.table[0, column], row.values[at])
            for row in rows
            if row.game.row.table is not None
            for at, player in enumerate(row.game.players)
            if column in player.columns
        ]
        clean = np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2)
        lines.append(
            {
                "feature": feature.name,
                "group": feature.group,
                "declared": feature.sign,
                **_direction(clean, feature.sign, seed),
            }
        )
    return lines


def stability(rows: Sequence[Explained]) -> float | None:
    """Kendall's tau between the orders of mean |value| in two halves of the rows; None below three players."""
    columns = list(_columns(rows).values())
    lengths = {len(values) for values in columns}
    if len(columns) < 3 or len(lengths) != 1 or lengths.pop() < 4:
        return None
    from scipy.stats import kendalltau

    halves = [[float(np.abs(values[start::2]).mean()) for values in columns] for start in (0, 1)]
    return float(kendalltau(*halves).statistic)


def phrases(rows: Sequence[Explained], most: int) -> list[dict[str, Any]]:
    """The text spans that moved an answer most, largest |value| first."""
    found = [
        {"phrase": player.name, "value": float(value), "error": float(error), "case": number, "output": row.case.output}
        for number, row in enumerate(rows, start=1)
        for player, value, error in zip(row.game.players, row.values, row.errors, strict=True)
        if player.modality == "text" and abs(value) > 0.01 * np.abs(row.values).sum()
    ]
    return sorted(found, key=lambda line: (-abs(float(str(line["value"]))), str(line["phrase"])))[:most]


def _weight(row: Explained, kind: Modality) -> float:
    return float(sum(abs(v) for p, v in zip(row.game.players, row.values, strict=True) if p.modality == kind))


def _columns(rows: Sequence[Explained]) -> dict[tuple[str, Modality], FloatArray]:
    """Player -> its value in each row; the text spans of a row are added up."""
    columns: dict[tuple[str, Modality], list[float]] = {}
    for row in rows:
        own: dict[tuple[str, Modality], float] = {}
        for player, value in zip(row.game.players, row.values, strict=True):
            key: tuple[str, Modality] = (TEXT, "text") if player.modality == "text" else (player.name, player.modality)
            own[key] = own.get(key, 0.0) + float(value)
        for key, total in own.items():
            columns.setdefault(key, []).append(total)
    return {key: np.array(values) for key, values in columns.items()}


def _direction(pairs: FloatArray, declared: int, seed: int) -> dict[str, Any]:
    if len(pairs) < 8 or np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return {"found": None, "ci95": None, "rows": len(pairs), "verdict": "undecided"}
    draw = np.random.default_rng(seed)
    found = _spearman(pairs)
    again = [_spearman(pairs[draw.integers(0, len(pairs), len(pairs))]) for _ in range(200)]
    low, high = (float(x) for x in np.percentile(again, [2.5, 97.5]))
    verdict = "undecided" if low <= 0 <= high else "agrees" if np.sign(found) == declared else "disagrees"
    return {"found": found, "ci95": [low, high], "rows": len(pairs), "verdict": verdict}


def _spearman(pairs: FloatArray) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=0) - (len(pairs) + 1) / 2
    size = float(np.sqrt((ranks[:, 0] ** 2).sum() * (ranks[:, 1] ** 2).sum()))
    return float(ranks[:, 0] @ ranks[:, 1]) / size if size else 0.0
