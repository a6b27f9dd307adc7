"""What a person who is refused may be told: a task's list of reasons, and the form of a reason in an answer.

The list is `reasons.toml` in the task's folder. A version carries the copy that it was judged with, so that an old
decision is told in the words of its day.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.task import DataError, Section, Task

FILE = "reasons.toml"
TEXT = "text"  # the player that the free words of a row are


class Code(Section):
    """One entry of the list: the code, a sentence that is true wherever the group counted against somebody, a name.

    `label` is what people call the group; without it its own name stands there.
    """

    code: str = Field(min_length=1)
    text: str = Field(min_length=1)
    label: str = ""


class ReasonList(Section):
    """`reasons.toml`.

    version  of this list; a code or sentence that changes needs another
    adverse  "high" where a probability above one half is the bad news, "low" where one below it is
    codes    group of features -> its entry; `text` for the free words beside a table
    fixed    groups that nobody can change, or that are protected: no counterfactual touches them
    never    group -> words that nobody is to be told to have, as "unknown"
    """

    version: str = Field(min_length=1)
    adverse: Literal["high", "low"] = "high"
    codes: Mapping[str, Code] = Field(min_length=1)
    fixed: tuple[str, ...] = ()
    never: Mapping[str, tuple[str, ...]] = {}

    @property
    def sign(self) -> float:
        """+1 where a higher answer is the worse one for the person, else -1."""
        return 1.0 if self.adverse == "high" else -1.0


class Reason(BaseModel):
    """One thing that counted against a person in the served model.

    attribute  the group of features; values, what the model was given of it, by feature
    log_odds   its Shapley value in the log odds of the answer, against the people that the version learned from, and
               ci95, its 95 % interval, which does not reach zero; positive is adverse
    """

    model_config = ConfigDict(frozen=True)

    code: str
    attribute: str
    values: dict[str, str | int | float]
    log_odds: float
    ci95: tuple[float, float]
    text: str


def read(path: Path) -> ReasonList | None:
    """The list beside a task's own file; None where there is none. Raises DataError with every mistake."""
    if not path.is_file():
        return None
    try:
        return ReasonList(**tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path.name} is not TOML in UTF-8: {error}") from error
    except (ValidationError, TypeError) as error:
        raise DataError(f"{path.name} cannot be used: {error}") from error


def check(listed: ReasonList, task: Task) -> None:
    """Raise DataError where a list does not fit its task: a head without two sides, a group without a code, or none."""
    if task.head.kind != "score" or not task.features or "series" in task.reads:
        raise DataError(
            f"{FILE}: reasons are given for a head of kind score on a table without series; remove the file"
        )
    groups = {feature.group for feature in task.features} | ({TEXT} if "text" in task.reads else set())
    missing, unknown = sorted(groups - set(listed.codes)), sorted(set(listed.codes) - groups)
    if missing:
        raise DataError(f"{FILE} has no code for {', '.join(missing)}: what decides must be sayable; add each")
    if unknown:
        raise DataError(
            f"{FILE} has a code for {unknown[0]!r}, which is no group; they are {', '.join(sorted(groups))}"
        )
    if strange := sorted({*listed.fixed, *listed.never} - groups):
        raise DataError(
            f"{FILE}: fixed or never names {strange[0]!r}, which is no group; they are {', '.join(sorted(groups))}"
        )
    twice = [one.code for one in listed.codes.values()]
    if len(set(twice)) < len(twice):
        raise DataError(f"{FILE} gives one code twice; give each group its own")


def shown(task: Task, group: str, row: Any) -> dict[str, str | int | float]:
    """What a row of the table (features,) holds of a group: of one column per word the one that is set, no NaN."""
    found: dict[str, str | int | float] = {}
    for feature, value in zip(task.features, row.tolist(), strict=True):
        if feature.group != group or value != value:  # noqa: PLR0124  (NaN)
            continue
        name, equals, word = feature.name.partition("=")
        if equals:
            if value:
                found[name] = word
        elif feature.levels:
            found[name] = feature.levels[int(value)]
        else:
            found[name] = int(value) if value == int(value) else value
    return found
