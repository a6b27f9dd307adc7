"""One task's explanations: choose rows, play a game on each, and measure what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpret.attribution import cases, evidence, overview
from interpret.attribution.cases import Case
from interpret.attribution.game import Game, Raw, game_of
from interpret.attribution.overview import Explained
from interpret.attribution.shapley import Attribution, attribute
from interpret.section import ExplainSection
from tasks.task import FloatArray, Inputs, IntArray, Rows, Task

TEXT_POOL, POOL = 96, 1024  # rows that cases are chosen from: text costs a pass through the backbone each
GLOBAL_SHARE = (
    8  # a row of the global view gets an eighth of a case's budget, but a text never fewer than 16 evaluations
)
WIDE_TEXT_PLAYERS = 2  # text spans of a row of the global view that also holds numbers


@dataclass(frozen=True)
class Study:
    """Everything that was measured about one task's explanations.

    pool, raw  the test rows that cases were chosen from, and their answers; Case.index counts in them
    local      the explained cases; rows, those of the global view (the cases first)
    """

    pool: Rows
    raw: FloatArray
    local: tuple[Explained, ...]
    rows: tuple[Explained, ...]
    importance: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    signs: list[dict[str, Any]]
    stability: float | None
    phrases: list[dict[str, Any]]
    sampling: dict[str, Any]
    sampling_all: dict[str, Any]
    deletion: dict[str, Any]
    additivity: float
    background_rows: int


def study(task: Task, train: Rows, test: Rows, raw: Raw, section: ExplainSection, seed: int) -> Study:
    """Explain a task on its test rows against background rows of its training data.

    raw is the served model: Inputs of n rows -> (n, width). Raises ValueError where there is no test row.
    """
    if not len(test):
        raise ValueError(
            f"task {task.name!r} has no test rows, so there is nothing to explain; set validate.splits.test"
        )
    pool = test.take(_sample(len(test), TEXT_POOL if test.inputs.text is not None else POOL, seed))
    answers = np.asarray(raw(pool.inputs), dtype=np.float64)
    chosen = cases.choose(task.head, answers, pool.target, section.cases, seed)
    background = background_rows(task, train, section.background, seed)
    local = [_explain(task, pool, answers, case, (background, raw, section, seed)) for case in chosen]
    small = _small(section, text_only=background is None)
    rest = _others(chosen, answers, task, max(0, section.rows - len(chosen)), seed)
    wide = [_explain(task, pool, answers, case, (background, raw, small, seed)) for case in rest]
    return _measure(
        task, pool, answers, (tuple(local), (*local, *wide)), 0 if background is None else len(background), seed
    )


def background_rows(task: Task, train: Rows, count: int, seed: int) -> Inputs | None:
    """Reference rows from the training data: normal ones where the head scores an alarm. None for text alone."""
    if train.inputs.table is None and train.inputs.series is None:
        return None
    index = np.arange(len(train))
    if task.head.kind == "score" and train.inputs.table is None and (train.target[:, 0] < 0.5).any():
        index = np.flatnonzero(train.target[:, 0] < 0.5)
    return train.inputs.take(index[_sample(len(index), count, seed + 1)])


def _small(section: ExplainSection, *, text_only: bool) -> ExplainSection:
    """What is spent on a row of the global view."""
    spent = {"budget": section.budget // GLOBAL_SHARE, "text_budget": max(16, section.text_budget // GLOBAL_SHARE)}
    return section.model_copy(update=spent | ({} if text_only else {"players": WIDE_TEXT_PLAYERS}))


def explain_row(
    task: Task, row: Inputs, background: Inputs | None, raw: Raw, section: ExplainSection, seed: int
) -> Explained:
    """Explain one row outside a report, as the explanation endpoint does; `row` has length one."""
    served = np.asarray(raw(row), dtype=np.float64)
    output = int(cases.explained_output(task.head, served)[0])
    game, found = _played(task, row, background, raw, (section, output, seed))
    return Explained(Case(0, "asked", output), game, found, served[0])


def most_text(section: ExplainSection, budget: int) -> int:
    """Text spans at most: as the section says, and few enough that all coalitions of a text fit the budget."""
    return max(1, min(section.players, int(np.log2(budget))))


def _explain(
    task: Task, pool: Rows, answers: FloatArray, case: Case, how: tuple[Inputs | None, Raw, ExplainSection, int]
) -> Explained:
    background, raw, section, seed = how
    row = pool.inputs.take(np.array([case.index]))
    game, found = _played(task, row, background, raw, (section, case.output, seed + 101 * (case.index + 1)))
    return Explained(case, game, found, answers[case.index])


def _played(
    task: Task, row: Inputs, background: Inputs | None, raw: Raw, how: tuple[ExplainSection, int, int]
) -> tuple[Game, Attribution]:
    section, output, seed = how
    text_only = row.table is None and row.series is None
    budget = section.text_budget if text_only else section.budget
    game = game_of(task, row, background, raw, most_text(section, budget))
    return game, attribute(game, output, budget, section.tolerance, seed)


def _others(chosen: Sequence[Case], answers: FloatArray, task: Task, count: int, seed: int) -> list[Case]:
    """Rows for the global view, drawn at random from those that are not cases."""
    taken = {case.index for case in chosen}
    free = [int(i) for i in np.random.default_rng(seed + 2).permutation(len(answers)) if int(i) not in taken]
    outputs = cases.explained_output(task.head, answers)
    return [Case(index, cases.RANDOM, int(outputs[index])) for index in sorted(free[:count])]


def _measure(
    task: Task,
    pool: Rows,
    raw: FloatArray,
    explained: tuple[tuple[Explained, ...], tuple[Explained, ...]],
    background: int,
    seed: int,
) -> Study:
    local, rows = explained
    return Study(
        pool=pool,
        raw=raw,
        local=local,
        rows=rows,
        importance=overview.importance(rows, seed),
        shares=overview.shares(rows, seed),
        signs=overview.signs(task, rows, seed),
        stability=overview.stability(rows),
        phrases=overview.phrases(local, 12),
        sampling=evidence.sampling(local),
        sampling_all=evidence.sampling(rows),
        deletion=evidence.deletion(local, seed),
        additivity=evidence.additivity(rows),
        background_rows=background,
    )


def _sample(count: int, most: int, seed: int) -> IntArray:
    """At most `most` of `count` places, seeded, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]).astype(np.int64)
