"""Limits of a long-only portfolio: named and refused before anything is computed where no portfolio can meet them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TOLERANCE = 1e-6  # of the budget
ROUNDING = 1e-9  # of the budget: what is further from feasible than this, the solver does not call feasible


class Constraints(BaseModel):
    """Weights sum to one. Each lies between min_weight and max_weight; a group of assets together under its cap.

    From `previous_weights`, those held now, all weights together may change by `max_turnover`: 2 replaces everything.
    An asset that is not named there holds nothing, and what is left of the budget is cash.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min_weight: float = Field(default=0.0, ge=0, le=1)
    max_weight: float = Field(default=1.0, gt=0, le=1)
    groups: dict[str, list[str]] = {}
    max_group: dict[str, float] = {}
    previous_weights: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    max_turnover: float | None = Field(default=None, ge=0, le=2)


class Infeasible(ValueError):
    """Constraints that no portfolio can meet."""


def require_feasible(constraints: Constraints, names: Sequence[str]) -> None:
    """Raise Infeasible with every reason why no long-only portfolio of these assets meets the constraints.

    For boxes, caps of disjoint groups and a turnover the reasons are complete: none means that a portfolio exists.
    """
    wrong = [*_wrong_groups(constraints, names), *_wrong_holdings(constraints, names)]
    wrong = wrong or [*_boxes(constraints, len(names)), *_caps(constraints, len(names))]
    wrong = wrong or _turnover(constraints, names)
    if wrong:
        raise Infeasible("; ".join(wrong))


def violations(weights: Mapping[str, float], constraints: Constraints) -> list[str]:
    """Name every constraint that these weights break by more than TOLERANCE of the budget."""
    broken = [] if abs(sum(weights.values()) - 1) <= TOLERANCE else [f"weights sum to {sum(weights.values()):.6f}"]
    low, high = constraints.min_weight - TOLERANCE, constraints.max_weight + TOLERANCE
    broken += [f"{name} has weight {weight:.6f}" for name, weight in weights.items() if not low <= weight <= high]
    for group, cap in constraints.max_group.items():
        held = sum(weights[name] for name in constraints.groups[group])
        broken += [f"group {group} holds {held:.6f} of at most {cap}"] if held > cap + TOLERANCE else []
    if constraints.max_turnover is not None:
        moved = sum(abs(weight - constraints.previous_weights.get(name, 0.0)) for name, weight in weights.items())
        if moved > constraints.max_turnover + TOLERANCE * len(weights):
            broken.append(f"the turnover is {moved:.6f} of at most {constraints.max_turnover}")
    return broken


def _wrong_groups(constraints: Constraints, names: Sequence[str]) -> list[str]:
    """Caps without a group, members without prices, members of two groups, caps outside 0..1."""
    seen: dict[str, str] = {}
    wrong = [
        f"max_group {name!r} is no group: add it to groups"
        for name in constraints.max_group
        if name not in constraints.groups
    ]
    wrong += [
        f"max_group {name!r} = {cap} lies outside 0..1"
        for name, cap in constraints.max_group.items()
        if not 0 <= cap <= 1
    ]
    for group, members in constraints.groups.items():
        for name in members:
            if name not in names:
                wrong.append(f"groups {group!r} names {name!r}, which has no prices: add them or take it out")
            elif name in seen:
                wrong.append(f"{name!r} is in the groups {seen[name]!r} and {group!r}: an asset is in one group")
            seen[name] = group
    return wrong


def _wrong_holdings(constraints: Constraints, names: Sequence[str]) -> list[str]:
    """Holdings without prices, and more than the budget."""
    held = constraints.previous_weights
    wrong = [
        f"previous_weights names {name!r}, which has no prices: add them or take it out"
        for name in held
        if name not in names
    ]
    if sum(held.values()) > 1 + TOLERANCE:
        wrong.append(f"previous_weights sum to {sum(held.values()):.6g}: at most 1, what is left is cash")
    return wrong


def _boxes(constraints: Constraints, count: int) -> list[str]:
    """Compare the limits of a single weight with the budget."""
    low, high = constraints.min_weight, constraints.max_weight
    wrong = []
    if low > high:
        wrong.append(f"min_weight {low} is above max_weight {high}: lower it")
    if low * count > 1 + ROUNDING:
        wrong.append(
            f"min_weight {low} over {count} assets needs {low * count:.4g} of the budget: at most {1 / count:.4g}"
        )
    if high * count < 1 - ROUNDING:
        wrong.append(
            f"max_weight {high} over {count} assets holds {high * count:.4g} of the budget: at least {1 / count:.4g}"
        )
    return wrong


def _caps(constraints: Constraints, count: int) -> list[str]:
    """Compare the caps of groups with the least that their members must hold, and with the budget."""
    low, high = constraints.min_weight, constraints.max_weight
    wrong, room, free = [], 0.0, count
    for group, cap in constraints.max_group.items():
        size = len(constraints.groups[group])
        free -= size
        room += min(cap, high * size)
        if low * size > cap + ROUNDING:
            wrong.append(f"max_group {group!r} = {cap} is below min_weight {low} for its {size} assets: raise the cap")
    if constraints.max_group and room + free * high < 1 - ROUNDING:
        caps = ", ".join(f"{group!r} = {cap}" for group, cap in constraints.max_group.items())
        wrong.append(
            f"max_group {caps} with max_weight {high} leaves {room + free * high:.4g} of the budget: raise a cap"
        )
    return wrong


def _turnover(constraints: Constraints, names: Sequence[str]) -> list[str]:
    """Compare the allowed turnover with the least that the other limits ask for.

    Weights outside their limits must move to them, groups above their caps give up the excess, and what then misses or
    exceeds the budget moves once more, in whichever assets have room.
    """
    if constraints.max_turnover is None:
        return []
    low, high = constraints.min_weight, constraints.max_weight
    held = {name: constraints.previous_weights.get(name, 0.0) for name in names}
    near = {name: min(max(weight, low), high) for name, weight in held.items()}
    excess = [
        max(0.0, sum(near[name] for name in constraints.groups[group]) - cap)
        for group, cap in constraints.max_group.items()
    ]
    least = sum(abs(near[name] - held[name]) for name in names) + sum(excess)
    least += abs(sum(near.values()) - sum(excess) - 1)
    if constraints.max_turnover >= least - ROUNDING:
        return []
    return [
        f"max_turnover {constraints.max_turnover} is below {least:.4g}, the least that leads from previous_weights to "
        "the other limits: raise it"
    ]
