"""A report beside what its version's own files give when they are asked again: nothing that it says is believed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from tasks.model import forward
from tasks.model.model import Model
from tasks.task import FloatArray, Inputs
from tasks.validate.pairs import from_all

MOST_PLAYERS, MOST_EVALUATIONS = 10, 4096  # of cases whose coalitions are all asked, and of all of these together
DIGITS = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
NEAR, NOUGHT = 1e-3, 1e-6  # as far as another processor may move a number


def changed(held: Mapping[str, Any], again: Mapping[str, Any], numbers: Sequence[str]) -> list[str]:
    """The ids of the blocks in some sections that are not what was given again, missing ones and added ones too."""
    one, other = (_blocks(document, numbers) for document in (held, again))
    return [name for name in {**one, **other} if not alike(one.get(name), other.get(name))]


def same_libraries(held: Mapping[str, Any], again: Mapping[str, Any]) -> bool:
    """Whether both were made by the same versions of the libraries; else nothing need agree."""
    return not [name for name in changed(held, again, ("2",)) if name == "s2.libraries"]


def alike(one: Any, other: Any) -> bool:
    """Whether two parts of a document say the same, numbers and those inside texts up to what a processor moves."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=NEAR, abs_tol=NOUGHT)
    if isinstance(one, str) and isinstance(other, str):
        numbers = zip(DIGITS.findall(one), DIGITS.findall(other), strict=False)
        return DIGITS.sub("#", one) == DIGITS.sub("#", other) and all(alike(float(a), float(b)) for a, b in numbers)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return False


def exact(model: Model, name: str, held: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(relative L1 error, rank correlation) of the cases of text alone whose coalitions can all be asked of `model`."""
    left, found = MOST_EVALUATIONS, []
    for case in (block for section in held["sections"] for block in section["blocks"] if block["kind"] == "case"):
        players = case["players"]
        if len(players) > MOST_PLAYERS or any(player["modality"] != "text" for player in players):
            continue
        left -= 2 ** len(players)
        if left < 0:
            break
        at = held["outputs"].index(case["output"]) if held["kind"] in ("classify", "multilabel") else 0
        truth = from_all(_answers(model, name, case)[:, at])
        said = np.array([player["value"] for player in players])
        found.append((_error(said, truth), _order(said, truth)))
    return found


def _answers(model: Model, name: str, case: Mapping[str, Any]) -> FloatArray:
    """(2^players, width) what is answered to every coalition, numbered by the bits of who is shown."""
    text = "".join(piece["text"] for piece in case["text"])
    spans, count = dict(_spans(case)), len(case["players"])
    hidden = tuple(
        tuple(sorted(spans[player] for player in range(count) if player in spans and not shown >> player & 1))
        for shown in range(2**count)
    )
    asked = Inputs(np.arange(len(hidden)), text=(text,) * len(hidden), hidden=hidden)
    return np.asarray(forward.raw(model, name, asked), dtype=np.float64)


def _spans(case: Mapping[str, Any]) -> Iterator[tuple[int, tuple[int, int]]]:
    at = 0
    for piece in case["text"]:
        end = at + len(piece["text"])
        if piece["player"] is not None:
            yield piece["player"], (at, end)
        at = end


def _error(said: FloatArray, truth: FloatArray) -> float:
    return float(np.abs(said - truth).sum() / max(np.abs(truth).sum(), 1e-300))


def _order(said: FloatArray, truth: FloatArray) -> float:
    return float(spearmanr(said, truth).statistic) if np.ptp(said) > 0 and np.ptp(truth) > 0 else 1.0


def _blocks(document: Mapping[str, Any], numbers: Sequence[str]) -> dict[str, Any]:
    parts = (section for section in document["sections"] if section["number"] in numbers)
    return {block["id"]: block for section in parts for block in section["blocks"]}
