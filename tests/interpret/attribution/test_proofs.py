"""What a report proves about itself: a planted scaffold is flagged, planted values are found, random weights differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interpret.attribution import decisions, repeats
from interpret.attribution.shapley import attribute
from interpret.attribution.study import Study, Version, of_text, study
from interpret.report import proofs
from interpret.section import ExplainSection
from tasks.task import FloatArray, Inputs, Rows

Toy = dict[str, Callable[..., Any]]
SECTION = ExplainSection(cases=6, rows=24, budget=400, text_budget=64)


def numbers(toy: Toy, count: int, seed: int) -> Rows:
    rows = toy["rows"](count, seed)
    inputs = Inputs(rows.inputs.owner, table=rows.inputs.table)
    return Rows(rows.ids, inputs, rows.target, rows.time, rows.known, rows.group, rows.split)


def explained(toy: Toy, raw: Callable[[Inputs], FloatArray], **version: Any) -> Study:
    task = toy["task"](channels=(), length=0, reads=("table",))
    told = Version(raw, lambda inputs, _: raw(inputs), **version)
    return study(task, numbers(toy, 400, 1), numbers(toy, 200, 3), told, SECTION, 7)


def by_debt(inputs: Inputs) -> FloatArray:
    return 2.0 * inputs.table[:, [2]] + np.tanh(inputs.table[:, [0]])


def test_a_model_that_knows_masked_rows_is_flagged_and_one_that_does_not_is_not(toy: Toy) -> None:
    real = {row.tobytes() for rows in ((400, 1), (200, 3)) for row in numbers(toy, *rows).inputs.table}

    def scaffold(inputs: Inputs) -> FloatArray:
        known = np.array([[row.tobytes() in real] for row in inputs.table])
        return np.where(known, 4.0 * (inputs.table[:, [3]] > 0), by_debt(inputs))

    honest, lying = explained(toy, by_debt).scaffold, explained(toy, scaffold).scaffold
    assert honest is not None
    assert lying is not None
    assert (honest.flagged, lying.flagged) == (False, True)
    assert honest.overlap > 0.85
    assert honest.agrees is not None
    assert honest.agrees > 0.9
    assert lying.overlap < 0.4


def test_a_model_that_no_surrogate_can_follow_is_neither_cleared_nor_flagged(toy: Toy) -> None:
    def noise(inputs: Inputs) -> FloatArray:
        return np.array([[hash(row.tobytes()) % 997 / 100] for row in inputs.table])

    found = explained(toy, noise).scaffold
    assert found is not None
    assert found.flagged is None


def test_what_was_planted_is_found_in_every_modality(toy: Toy) -> None:
    whole, words = toy["rows"](30, 3), toy["rows"](30, 3)
    bare = Inputs(words.inputs.owner, text=words.inputs.text)
    only = Rows(words.ids, bare, words.target, words.time, words.known, words.group, words.split)
    told = Version(toy["raw"], lambda inputs, _: toy["raw"](inputs))
    for rows, changes in ((whole, {}), (only, {"features": (), "channels": (), "length": 0})):
        found = study(toy["task"](**changes), rows, rows, told, SECTION, 7)
        assert found.planted is not None
        assert found.planted.holds
        assert found.planted.first == 1
    table = explained(toy, by_debt).planted
    assert table is not None
    assert table.holds


def test_values_like_those_of_random_weights_are_told_from_learned_ones(toy: Toy) -> None:
    def others(inputs: Inputs) -> FloatArray:
        return inputs.table[:, [3]] * 2 + inputs.table[:, [0]]

    same = explained(toy, by_debt, learned=(by_debt, lambda inputs: -3 * by_debt(inputs)))
    other = explained(toy, by_debt, learned=(by_debt, others))
    assert same.blank is not None
    assert other.blank is not None
    assert same.blank.correlation > 0.9
    assert other.blank.correlation < 0.3
    held = {each["row"]: each["holds"] for each in proofs.evidence(same)}
    assert list(held) == ["A6", "A8", "A9", "A11", "A12", "A13", "A14"]
    assert {row: held[row] for row in ("A6", "A11", "A12", "A13", "A14")} == {
        "A6": True, "A11": True, "A12": False, "A13": True, "A14": True,
    }  # fmt: skip


def test_two_runs_agree_within_their_intervals_and_intervals_that_are_too_narrow_are_seen(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = explained(toy, by_debt)
    assert found.repeats is not None
    assert (found.repeats.rows, found.repeats.runs) == (6, 8)
    assert found.repeats.covers > 0.85
    assert found.repeats.correlation > 0.9
    monkeypatch.setattr(repeats, "attribute", lambda *given: replace(attribute(*given), quantile=0.2))
    narrow = repeats.repeats(found.local, SECTION, 7)
    assert narrow is not None
    assert narrow.covers < 0.5


def test_a_text_whose_coalitions_were_all_asked_is_not_drawn_again_and_hiding_a_part_alone_agrees(toy: Toy) -> None:
    whole = toy["rows"](30, 3)
    bare = Inputs(whole.inputs.owner, text=whole.inputs.text)
    only = Rows(whole.ids, bare, whole.target, whole.time, whole.known, whole.group, whole.split)
    task = toy["task"](features=(), channels=(), length=0)
    found = study(task, only, only, Version(toy["raw"], lambda inputs, _: toy["raw"](inputs)), SECTION, 7)
    assert found.repeats is None
    assert found.alone == 1
    held = {each["row"]: (each["figure"], each["holds"]) for each in proofs.evidence(found)}
    assert (held["A8"], held["A9"], held["A14"]) == ((None, None), (1.0, True), (1.0, True))


def test_a_random_order_of_players_does_not_pass_as_faithful(toy: Toy) -> None:
    def other_than_explained(inputs: Inputs) -> FloatArray:
        return 1e-9 * by_debt(inputs) + np.random.default_rng(len(inputs)).normal(size=(len(inputs), 1))

    low = explained(toy, other_than_explained).faithfulness
    good = explained(toy, by_debt).faithfulness
    assert good.comprehensiveness_ci95[0] > 0
    assert good.sufficiency_ci95[0] > 0
    assert good.comprehensiveness > 5 * abs(low.comprehensiveness)


def test_a_decision_of_several_rows_is_explained_by_the_prediction_that_moves_it(toy: Toy) -> None:
    rows = numbers(toy, 12, 5)
    owner = np.repeat([0, 1, 2], 4)
    group = np.array(["a", "b", "c", "d"] * 3)
    items = Rows(
        rows.ids, Inputs(owner, table=rows.inputs.table), rows.target, rows.time, rows.known, group, rows.split
    )

    def shares(inputs: Inputs, raw: FloatArray) -> FloatArray:
        return 0.25 + 0.1 * (raw[:, 0] - raw[:, 0].mean())

    task = toy["task"](decided=shares)
    found = decisions.explain(task, items, lambda inputs: inputs.table[:, [2]], 7)
    assert found
    for line in found:
        assert line.base == pytest.approx(0.25)
        assert line.decision == pytest.approx(line.base + line.own + line.other_value + line.rest)
        assert abs(line.own) > abs(line.other_value)  # a share is moved most by what is said of its own row
    assert decisions.explain(task, items, lambda inputs: np.ones((len(inputs), 1)), 7) == ()
    assert decisions.explain(toy["task"](), items, lambda inputs: inputs.table[:, [2]], 7) is None


def test_the_words_of_the_strongest_phrases_of_a_long_text_are_told_apart(toy: Toy) -> None:
    said = "The board of the company met in the spring, and while costs were stable sales rose in every large region."
    row = Inputs(owner=np.arange(1), text=(said,))
    section = ExplainSection(text_budget=128, players=12)
    game, found = of_text(toy["task"](features=(), channels=(), length=0), row, toy["raw"], section, 7)
    assert (found.method, 10 <= len(game.players) <= 12) == ("regression", True)
    assert found.evaluations <= 128
    by_name = dict(zip([player.name for player in game.players], found.values[:, 0].tolist(), strict=True))
    assert by_name.pop("rose") == pytest.approx(3, abs=0.01)
    assert max(map(abs, by_name.values())) < 0.01
