"""One task's explanations: choose rows, play a game on each, and measure what they say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from interpret.attribution import cases, evidence, overview
from interpret.attribution.cases import Case
from interpret.attribution.evidence import Deletion, Sampling
from interpret.attribution.game import Raw, game_of
from interpret.attribution.overview import Explained, Importance, Phrase, Share, SignCheck
from interpret.attribution.shapley import attribute
from interpret.section import ExplainSection
from tasks.task import FloatArray, Inputs, IntArray, Rows, Task

TEXT_POOL, POOL = 96, 1024  # rows that cases are chosen from: text costs a pass through the backbone each
GLOBAL_SHARE = 8  # a row of the global view gets a case's budget divided by this,
LEAST_TEXT_BUDGET = 16  # and a text at least so many evaluations
WIDE_TEXT_PLAYERS = 2  # text spans of a row of the global view that also holds numbers
PHRASES = 12
FAITHFUL = 48  # rows whose program is written again without what it cites
Supports = Callable[[Inputs, FloatArray], FloatArray]  # n rows, their programs (n, symbols) -> (n, 1) log-odds


@dataclass(frozen=True)
class Setting:
    """How rows are explained.

    background  the reference rows that hidden numbers are taken from; None for text alone
    raws        row of the pool -> what is explained of it: Inputs of n rows -> (n, width)
    answers     the same of every row of the pool, unhidden
    """

    background: Inputs | None
    raws: Callable[[int], Raw]
    answers: FloatArray
    section: ExplainSection
    seed: int


@dataclass(frozen=True)
class Study:
    """Everything that was measured about one task's explanations.

    pool, raw    the test rows that cases were chosen from, and their answers; Case.index counts in them
    faithful     how far answers rest on what they cite, by name; empty where the task does not say how to find out
    right        (pool,) whether the program of each row is right; None where the task writes none
    local        the explained cases; rows, those of the global view (the cases first)
    evaluations  what all rows cost, in evaluations of the model
    """

    pool: Rows
    raw: FloatArray
    right: FloatArray | None
    faithful: Mapping[str, float]
    local: tuple[Explained, ...]
    rows: tuple[Explained, ...]
    importance: tuple[Importance, ...]
    shares: tuple[Share, ...]
    signs: tuple[SignCheck, ...]
    stability: float | None
    phrases: tuple[Phrase, ...]
    sampling: Sampling
    deletion: Deletion
    additivity: float
    evaluations: int
    background_rows: int


def study(
    task: Task, train: Rows, test: Rows, raw: Raw, section: ExplainSection, seed: int, supports: Supports | None = None
) -> Study:
    """Explain a task on its test rows against background rows of its training data.

    raw is the served model: Inputs of n rows -> (n, width). Of a task that writes, `supports` says how likely a program
    is, and what is explained of a row is that of the program it was served. Raises ValueError where there is no test
    row.
    """
    if not len(test):
        raise ValueError(
            f"task {task.name!r} has no test rows, so there is nothing to explain; set validate.splits.test"
        )
    pool = test.take(_sample(len(test), TEXT_POOL if test.inputs.text is not None else POOL, seed))
    answers = np.asarray(raw(pool.inputs), dtype=np.float64)
    right = None if task.writer is None else task.writer.right(pool, answers)
    shown, raws = answers, lambda _: raw
    if supports is not None:
        shown, raws = supports(pool.inputs, answers[:, 1:]), partial(_served, supports, answers[:, 1:])
    setting = Setting(background_rows(task, train, section.background, seed), raws, shown, section, seed)
    small = replace(setting, section=_small(section, text_only=setting.background is None))
    chosen = cases.choose(task.head, answers, pool.target if right is None else right[:, None], section.cases, seed)
    others = _others(chosen, answers, task, max(0, section.rows - len(chosen)), seed)
    local = tuple(_explain(task, pool, case, setting) for case in chosen)
    rows = (*local, *(_explain(task, pool, case, small) for case in others))
    return Study(
        pool=pool,
        raw=answers,
        right=right,
        faithful=_faithful(task, pool, answers, raw, seed),
        local=local,
        rows=rows,
        importance=overview.importance(rows, seed),
        shares=overview.shares(rows, seed),
        signs=overview.signs(task, rows, seed),
        stability=overview.stability(rows),
        phrases=overview.phrases(local, PHRASES),
        sampling=evidence.sampling(local),
        deletion=evidence.deletion(local, seed),
        additivity=evidence.additivity(rows),
        evaluations=sum(row.attribution.evaluations for row in rows),
        background_rows=0 if setting.background is None else len(setting.background),
    )


def background_rows(task: Task, train: Rows, count: int, seed: int) -> Inputs | None:
    """Reference rows from the training data: normal ones where the head scores an alarm. None for text alone."""
    if train.inputs.table is None and train.inputs.series is None:
        return None
    index = np.arange(len(train))
    if task.head.kind == "score" and train.inputs.table is None and (train.target[:, 0] < 0.5).any():
        index = np.flatnonzero(train.target[:, 0] < 0.5)
    return train.inputs.take(index[_sample(len(index), count, seed + 1)])


def most_text(section: ExplainSection, budget: int) -> int:
    """Text spans at most: as the section says, and few enough that all coalitions of a text fit the budget."""
    return max(1, min(section.players, int(np.log2(budget))))


def _small(section: ExplainSection, *, text_only: bool) -> ExplainSection:
    """What is spent on a row of the global view."""
    text_budget = max(LEAST_TEXT_BUDGET, section.text_budget // GLOBAL_SHARE)
    spent = {"budget": section.budget // GLOBAL_SHARE, "text_budget": text_budget}
    return section.model_copy(update=spent | ({} if text_only else {"players": WIDE_TEXT_PLAYERS}))


def _faithful(task: Task, pool: Rows, answers: FloatArray, raw: Raw, seed: int) -> Mapping[str, float]:
    if task.writer is None or task.writer.faithful is None:
        return {}
    asked = (pool.inputs.text or ())[:FAITHFUL]

    def write(texts: Sequence[str]) -> FloatArray:
        return np.asarray(raw(Inputs(np.arange(len(texts)), text=tuple(texts))))

    return task.writer.faithful(asked, answers[: len(asked)], write, seed)


def _served(supports: Supports, programs: FloatArray, place: int) -> Raw:
    """How likely the program of one row is, of rows that are that row with parts hidden."""
    return lambda inputs: supports(inputs, np.tile(programs[place], (len(inputs), 1)))


def _explain(task: Task, pool: Rows, case: Case, setting: Setting) -> Explained:
    """Play the game of one row of the pool, with a seed of its own."""
    row, section = pool.inputs.take(np.array([case.index])), setting.section
    text_only = row.table is None and row.series is None
    budget = section.text_budget if text_only else section.budget
    game = game_of(task, row, setting.background, setting.raws(case.index), most_text(section, budget))
    found = attribute(game, case.output, budget, section.tolerance, setting.seed + 101 * (case.index + 1))
    return Explained(case, game, found, setting.answers[case.index])


def _others(chosen: Sequence[Case], answers: FloatArray, task: Task, count: int, seed: int) -> list[Case]:
    """Rows for the global view, drawn at random from those that are not cases."""
    taken = {case.index for case in chosen}
    free = [int(i) for i in np.random.default_rng(seed + 2).permutation(len(answers)) if int(i) not in taken]
    outputs = cases.explained_output(task.head, answers)
    return [Case(index, cases.RANDOM, int(outputs[index])) for index in sorted(free[:count])]


def _sample(count: int, most: int, seed: int) -> IntArray:
    """At most `most` of `count` places, seeded, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]).astype(np.int64)
