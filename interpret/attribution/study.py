"""One task's explanations: choose rows, play a game on each, and measure what they say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from interpret.attribution import against, cases, evidence, overview, planted, repeats
from interpret.attribution.against import Alike
from interpret.attribution.cases import Case
from interpret.attribution.evidence import Deletion, Faithfulness, Sampling
from interpret.attribution.game import Game, Raw, game_between, game_of
from interpret.attribution.overview import Explained, Importance, Phrase, Share, SignCheck
from interpret.attribution.planted import Planted
from interpret.attribution.players import words_within
from interpret.attribution.repeats import Repeats
from interpret.attribution.scaffold import Scaffold, detect
from interpret.attribution.shapley import Attribution, attribute
from interpret.section import ExplainSection
from tasks.task import FloatArray, Inputs, IntArray, Rows, Task

TEXT_POOL, POOL = 96, 1024  # rows that cases are chosen from, at least and at most: text costs a pass each
GLOBAL_SHARE = 8  # a row of the global view gets a case's budget divided by this,
LEAST_TEXT_BUDGET = 16  # and a text at least so many evaluations
SPLIT = 96  # evaluations from which on words are told apart
PHRASES_SHARE = 4  # the share of a text's budget that finds its strongest phrases, whose words get the rest
WIDE_TEXT_PLAYERS = 2  # text spans of a row of the global view that also holds numbers
PHRASES = 12
PLANTED = 100  # rows that a planted model is played on
FAITHFUL = 48  # rows whose program is written again without what it cites
Supports = Callable[[Inputs, FloatArray], FloatArray]  # n rows, their programs (n, symbols) -> (n, 1) log-odds


@dataclass(frozen=True)
class Version:
    """What is explained.

    raw       the model: Inputs of n rows -> (n, width)
    anew      n rows and what `raw` says of them -> what is explained of them, by the version's files opened again
    learned   (raw, blank): what the net says without the classical part, and what it says once its adapter and head
              are drawn at random; None where it does not say
    supports  of a task that writes, how likely a program is; what is explained of a row is that of the program that it
              was served
    """

    raw: Raw
    anew: Callable[[Inputs, FloatArray], FloatArray]
    supports: Supports | None = None
    learned: tuple[Raw, Raw] | None = None


@dataclass(frozen=True)
class Setting:
    """How rows are explained.

    background  the rows that references are drawn from; None for text alone
    raws        row of the pool -> what is explained of it: Inputs of n rows -> (n, width)
    """

    background: Inputs | None
    raws: Callable[[int], Raw]
    section: ExplainSection
    seed: int


@dataclass(frozen=True)
class Study:
    """Everything that was measured about one task's explanations.

    pool, raw    the test rows that cases were chosen from, and their answers; Case.index counts in them
    faithful     how far answers rest on what they cite, by name; empty where the task does not say how to find out
    blank        how like the values of a model with random weights are
    backgrounds  overlap of the top four players against two halves of the background; None for text
    repeats      the cases drawn again; None where all coalitions were asked
    alone        share of the surest values whose sign hiding that part alone has too; asked of text alone
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
    faithfulness: Faithfulness
    scaffold: Scaffold | None
    planted: Planted | None
    blank: Alike | None
    backgrounds: float | None
    repeats: Repeats | None
    alone: float | None
    additivity: float
    evaluations: int
    background_rows: int


def study(task: Task, train: Rows, test: Rows, version: Version, section: ExplainSection, seed: int) -> Study:
    """Explain a task on its test rows against background rows of its training data.

    Raises ValueError where there is no test row.
    """
    if not len(test):
        raise ValueError(f"task {task.name!r} has no test rows, nothing to explain; set validate.splits.test")
    most = max(TEXT_POOL, section.rows) if test.inputs.text is not None else POOL
    pool = test.take(_sample(len(test), most, seed))
    answers = np.asarray(version.raw(pool.inputs), dtype=np.float64)
    right = None if task.writer is None else task.writer.right(pool, answers)
    setting = Setting(background_rows(task, train), _raws(version, answers), section, seed)
    small = replace(setting, section=_small(section, text_only=setting.background is None))
    truth = pool.target if right is None else right[:, None]
    chosen = cases.choose(task.head, answers, truth, section.cases, seed, partial(cases.alike, task, pool))
    others = _others(chosen, answers, task, max(0, section.rows - len(chosen)), seed)
    played = [_play(task, pool, case, setting) for case in chosen]
    played += [_play(task, pool, case, small) for case in others]
    served = _served_anew(version, pool, answers, [*chosen, *others])
    shown = [
        Explained(case, game, found, answer, section.tolerance)
        for case, (game, found), answer in zip([*chosen, *others], played, served, strict=True)
    ]
    rows, local = tuple(shown), _local(task, answers, shown[: len(chosen)])
    return Study(
        pool=pool,
        raw=answers,
        right=right,
        faithful=_faithful(task, pool, answers, version.raw, seed),
        local=local,
        rows=rows,
        importance=overview.importance(rows, seed),
        shares=overview.shares(rows, seed),
        signs=overview.signs(task, rows, seed),
        stability=overview.stability(rows),
        phrases=overview.phrases(local, PHRASES),
        sampling=evidence.sampling(local),
        deletion=evidence.deletion(local, seed),
        faithfulness=evidence.faithfulness(local, seed),
        planted=planted.planted(rows[:PLANTED], seed),
        blank=against.blank(shown[: len(chosen)], version.learned, small.section, seed),
        backgrounds=against.backgrounds(shown[: len(chosen)], small.section, seed),
        repeats=repeats.repeats(shown[: len(chosen)], section, seed),
        alone=against.hidden_alone(shown[: len(chosen)]) if setting.background is None else None,
        scaffold=detect(train, pool, answers, version.raw, rows, seed) if version.supports is None else None,
        additivity=evidence.additivity(rows),
        evaluations=sum(row.attribution.evaluations for row in rows),
        background_rows=0 if setting.background is None else len(setting.background),
    )


def background_rows(task: Task, train: Rows) -> Inputs | None:
    """The training rows that references are drawn from: normal ones where a series is scored. None for text alone."""
    if train.inputs.table is None and train.inputs.series is None:
        return None
    if task.head.kind == "score" and train.inputs.table is None and (train.target[:, 0] < 0.5).any():
        return train.inputs.take(np.flatnonzero(train.target[:, 0] < 0.5))
    return train.inputs


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


def _raws(version: Version, answers: FloatArray) -> Callable[[int], Raw]:
    """What is explained of a row of the pool; of a program, how likely it is with parts of its row hidden."""
    supports = version.supports
    if supports is None:
        return lambda _: version.raw
    return lambda place: lambda inputs: supports(inputs, np.tile(answers[place, 1:], (len(inputs), 1)))


def _served_anew(version: Version, pool: Rows, answers: FloatArray, asked: Sequence[Case]) -> FloatArray:
    """What the version's files, opened again, answer to the plain rows."""
    index = np.array([case.index for case in asked])
    return np.asarray(version.anew(pool.inputs.take(index), answers[index]), dtype=np.float64)


def _local(task: Task, answers: FloatArray, shown: Sequence[Explained]) -> tuple[Explained, ...]:
    """The cases, one for every label that a row was given."""
    by_row = {row.case.index: row for row in shown}
    labels = cases.each_label(task.head, answers, [row.case for row in shown])
    return tuple(replace(by_row[case.index], case=case) for case in labels)


def _play(task: Task, pool: Rows, case: Case, setting: Setting) -> tuple[Game, Attribution]:
    """Play the game of one row of the pool, with a seed of its own."""
    row, section = pool.inputs.take(np.array([case.index])), setting.section
    raw, seed = setting.raws(case.index), setting.seed + 101 * (case.index + 1)
    if row.table is None and row.series is None:
        return of_text(task, row, raw, section, seed)
    game = game_of(task, row, setting.background, raw, section.players)
    return game, attribute(game, case.output, section.budget, section.tolerance, seed)


def of_text(task: Task, row: Inputs, raw: Raw, section: ExplainSection, seed: int) -> tuple[Game, Attribution]:
    """Explain one text: its phrases exactly, then the words of the strongest ones where the budget holds more.

    The strongest are those with the largest sum of |value| over the outputs, so that one game serves them all.
    """
    budget = section.text_budget
    game = game_of(task, row, None, raw, max(1, min(section.players, int(np.log2(budget)))))
    words = len((row.text or ("",))[0].split())
    if task.writer is not None or budget < SPLIT or words <= len(game.players):
        return game, attribute(game, 0, budget, section.tolerance, seed)
    first = game_of(task, row, None, raw, int(np.log2(budget // PHRASES_SHARE)))
    coarse = attribute(first, 0, budget, section.tolerance, seed)
    sizes = np.abs(coarse.values).sum(axis=1)
    players = words_within((row.text or ("",))[0], first.players, sizes, section.players)
    game = game_between(task, players, row, None, raw)
    fine = attribute(game, 0, budget - coarse.evaluations, section.tolerance, seed)
    return game, replace(fine, evaluations=coarse.evaluations + fine.evaluations)


def _others(chosen: Sequence[Case], answers: FloatArray, task: Task, count: int, seed: int) -> list[Case]:
    """Rows for the global view, drawn at random from those that are not cases."""
    taken = {case.index for case in chosen}
    free = [int(i) for i in np.random.default_rng(seed + 2).permutation(len(answers)) if int(i) not in taken]
    outputs = cases.explained_output(task.head, answers)
    return [Case(index, cases.RANDOM, int(outputs[index])) for index in sorted(free[:count])]


def _sample(count: int, most: int, seed: int) -> IntArray:
    """At most `most` of `count` places, seeded, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]).astype(np.int64)
