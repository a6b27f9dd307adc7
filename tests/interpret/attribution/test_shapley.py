"""Values against truths that are known: additive models in closed form, interactions by full enumeration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from interpret.attribution.game import Game, Memo, decode, game_of, values
from interpret.attribution.shapley import attribute
from tasks.task import FloatArray, Inputs

Toy = dict[str, Callable[..., Any]]


def crossed(inputs: Inputs) -> FloatArray:
    """A model with interactions of two and three features, and one between table and series."""
    t, s = inputs.table, inputs.series
    assert t is not None
    assert s is not None
    total = t[:, 0] * t[:, 1] + t[:, 2] * t[:, 3] * s[:, 0, 0] + np.tanh(t[:, 0] + s[:, 0, 15])
    return np.stack([total, 2 * total], axis=1)


def truth(game: Game) -> FloatArray:
    """Shapley values by the definition, over all coalitions."""
    count = len(game.players)
    z = np.array([[n >> i & 1 for i in range(count)] for n in range(2**count)], dtype=float)
    worth = values(game, Memo(), z).mean(axis=1)
    phi = np.zeros((count, worth.shape[1]))
    for i in range(count):
        others = [j for j in range(count) if j != i]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for group in combinations(others, size):
                without = sum(1 << j for j in group)
                phi[i] += weight * (worth[without | 1 << i] - worth[without])
    return phi


def numbers_game(toy: Toy, raw: Any, references: int = 6, row: int = 0) -> Game:
    rows = toy["rows"](40, 11).inputs
    bare = Inputs(owner=rows.owner, table=rows.table, series=rows.series)
    return game_of(toy["task"](), bare.take(np.array([row])), bare.take(np.arange(20, 20 + references)), raw, 7)


def test_exact_values_equal_the_definition(toy: Toy) -> None:
    game = numbers_game(toy, crossed)
    found = attribute(game, 0, 10_000, 0.01, 1)
    assert found.method == "exact"
    np.testing.assert_allclose(found.values, truth(game), atol=1e-10)
    assert not found.errors.any()


def test_permutations_come_near_the_truth_and_know_how_near(toy: Toy) -> None:
    game = numbers_game(toy, crossed)
    found = attribute(game, 0, 760, 1e-9, 3)  # just below what enumeration needs
    assert found.method == "permutation"
    gap = np.abs(found.values - truth(game))[:, 0]
    assert gap.sum() <= 0.35 * np.abs(found.values[:, 0]).sum()
    sampled = found.errors[:, 0] > 0
    assert (gap[sampled] <= 5 * found.errors[sampled, 0]).all()
    assert (gap[~sampled] < 1e-9).all()
    assert not found.converged


def test_intervals_cover_the_truth_about_as_often_as_they_say(toy: Toy) -> None:
    game = numbers_game(toy, crossed, references=2)
    true = truth(game)[:, 0]
    hits = []
    for seed in range(40):
        found = attribute(game, 0, 250, 0.0, seed)  # 250 < 2 x 2^7, so eight pairs of permutations
        assert found.runs == 8
        live = found.errors[:, 0] > 0
        hits += (np.abs(found.values[live, 0] - true[live]) <= 2.365 * found.errors[live, 0]).tolist()  # t(7), 97.5 %
    assert 0.90 <= np.mean(hits) <= 0.99


def test_values_add_up_to_the_served_answer_in_every_output(toy: Toy) -> None:
    for budget in (300, 10_000):
        game = numbers_game(toy, crossed)
        found = attribute(game, 0, budget, 0.01, 5)
        served = crossed(game.row)[0]
        np.testing.assert_allclose(found.base + found.values.sum(axis=0), served, atol=1e-10)


def test_an_additive_model_gets_its_own_terms_in_every_modality(toy: Toy) -> None:
    rows = toy["rows"](40, 2).inputs
    row, background = rows.take(np.array([3])), rows.take(np.arange(20, 28))
    game = game_of(toy["task"](), row, background, toy["raw"], 7)
    found = attribute(game, 0, 2048, 0.01, 5)
    values_by = {p.name: v for p, v in zip(game.players, found.values[:, 0], strict=True)}
    t, s = row.table[0], row.series[0, 0]
    bt, bs = background.table.mean(axis=0), background.series[:, 0].mean(axis=0)
    assert values_by["money"] == pytest.approx((t - bt)[0] + 0.5 * (t - bt)[1])
    assert values_by["debt"] == pytest.approx(-2 * (t - bt)[2])
    assert values_by["noise"] == pytest.approx(0)
    assert values_by["price, steps 13-16"] == pytest.approx(2 * (s - bs)[-1])
    words = {p.name: v for p, v in zip(game.players, found.values[:, 0], strict=True) if p.modality == "text"}
    assert sum(words.values()) == pytest.approx(3.0 * (("rose" in row.text[0]) - ("fell" in row.text[0])))
    assert sum(abs(v) > 1e-9 for v in words.values()) == int(any(w in row.text[0] for w in ("rose", "fell")))


def test_two_equal_players_get_equal_values_and_a_dead_one_none(toy: Toy) -> None:
    def twins(inputs: Inputs) -> FloatArray:
        t = inputs.table
        return np.maximum(t[:, [0]] + t[:, [2]], 0)  # features 0 and 2 stand in two groups

    rows = toy["rows"](40, 2).inputs
    table = rows.table.copy()
    table[:, 2] = table[:, 0]
    bare = Inputs(owner=rows.owner, table=table)
    game = game_of(toy["task"](), bare.take(np.array([0])), bare.take(np.arange(20, 28)), twins, 7)
    found = attribute(game, 0, 10_000, 0.01, 1).values[:, 0]
    assert found[0] == pytest.approx(found[1])
    assert found[2] == pytest.approx(0)


def test_the_same_seed_gives_the_same_bits_and_leaves_numpy_as_it_was(toy: Toy) -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    first, second = (attribute(numbers_game(toy, crossed), 0, 300, 0.0, 9) for _ in range(2))
    assert first.values.tobytes() == second.values.tobytes()
    assert first.errors.tobytes() == second.errors.tobytes()
    assert np.random.get_state()[1].tolist() == before
    other = attribute(numbers_game(toy, crossed), 0, 300, 0.0, 10)
    assert other.values.tobytes() != first.values.tobytes()


def test_sampling_stops_early_where_nothing_is_left_to_learn(toy: Toy) -> None:
    game = game_of(toy["task"](), *(toy["rows"](9, 2).inputs.take(np.array(i)) for i in ([0], [5, 6])), toy["raw"], 7)
    found = attribute(game, 0, 2048, 0.01, 1)
    assert found.method == "permutation"
    assert found.runs == 8
    assert found.converged
    assert found.evaluations <= 8 * (2 * len(game.players) + 1) * 2


def test_a_single_word_and_a_single_player_are_explained(toy: Toy) -> None:
    game = game_of(toy["task"](), Inputs(owner=np.arange(1), text=("rose",)), None, toy["raw"], 7)
    assert attribute(game, 0, 16, 0.01, 1).values[:, 0].tolist() == [3.0]


def test_hidden_numbers_come_from_one_reference_row_and_hidden_text_keeps_its_place(toy: Toy) -> None:
    rows = toy["rows"](9, 2).inputs
    game = game_of(toy["task"](), rows.take(np.array([0])), rows.take(np.array([5, 6])), toy["raw"], 7)
    shown = decode(game, np.zeros((1, len(game.players)), dtype=bool), 1)
    np.testing.assert_array_equal(shown.table, rows.table[[6]])
    np.testing.assert_array_equal(shown.series, rows.series[[6]])
    assert shown.text == (rows.text[0],)
    assert toy["seen"](shown)[0].replace("_", "").strip() == ""
    whole = decode(game, np.ones((1, len(game.players)), dtype=bool), 1)
    np.testing.assert_array_equal(whole.table, rows.table[[0]])
    assert whole.hidden == ((),)


def test_numbers_without_reference_rows_are_refused(toy: Toy) -> None:
    row = toy["rows"](1, 1).inputs
    with pytest.raises(ValueError, match="needs background rows"):
        game_of(toy["task"](), row, None, toy["raw"], 7)
