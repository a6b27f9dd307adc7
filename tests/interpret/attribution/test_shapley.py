"""Values against truths that are known: additive models in closed form, interactions by full enumeration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from interpret.attribution import regression
from interpret.attribution.game import Game, Memo, decode, game_of, values
from interpret.attribution.players import Player
from interpret.attribution.shapley import attribute, ranks
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
    """Shapley values by the definition, over all coalitions and all reference rows."""
    count, rows = len(game.players), game.references
    z = np.array([[n >> i & 1 for i in range(count)] for n in range(2**count)], dtype=float)
    asked = np.repeat(z, rows, axis=0), np.tile(np.arange(rows), len(z))
    worth = values(game, Memo(), *asked).reshape(len(z), rows, -1).mean(axis=1)
    phi = np.zeros((count, worth.shape[1]))
    for i in range(count):
        others = [j for j in range(count) if j != i]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for group in combinations(others, size):
                without = sum(1 << j for j in group)
                phi[i] += weight * (worth[without | 1 << i] - worth[without])
    return phi


def numbers_game(toy: Toy, raw: Any, references: int = 100, row: int = 0) -> Game:
    rows = toy["rows"](references + 20, 11).inputs
    bare = Inputs(owner=rows.owner, table=rows.table, series=rows.series)
    return game_of(toy["task"](), bare.take(np.array([row])), bare.take(np.arange(20, 20 + references)), raw, 7)


def words_game(raw: Callable[[FloatArray], FloatArray], count: int = 12) -> Game:
    """A game over words, whose value is a function of which of them are shown (m, count)."""
    words = [f"word{at:02d}" for at in range(count)]
    places = [(at * 7, at * 7 + 6) for at in range(count)]
    players = tuple(Player(word, "text", span=span, hides=(span,)) for word, span in zip(words, places, strict=True))

    def asked(inputs: Inputs) -> FloatArray:
        hidden = inputs.hidden or ((),) * len(inputs)
        return raw(np.array([[span not in spans for span in places] for spans in hidden], dtype=float))

    return Game(players, Inputs(owner=np.arange(1), text=(" ".join(words),)), None, asked)


def language(seed: int, count: int = 12) -> Callable[[FloatArray], FloatArray]:
    """A made-up model of words: main effects, pairs, threes and fives, and a saturation over all of them."""
    draw = np.random.default_rng(seed)
    main = draw.normal(size=count) ** 3
    sets = [(draw.choice(count, size, replace=False), draw.normal()) for size in (2,) * 8 + (3,) * 6 + (5,) * 2]

    def raw(shown: FloatArray) -> FloatArray:
        total = shown @ main + sum(weight * shown[:, held].prod(axis=1) for held, weight in sets)
        return np.stack([3 * np.tanh(total / 3), total], axis=1)

    return raw


def test_exact_values_of_a_text_equal_the_definition() -> None:
    game = words_game(language(1, 6), 6)
    found = attribute(game, 0, 64, 0.01, 1)
    assert found.method == "exact"
    np.testing.assert_allclose(found.values, truth(game), atol=1e-10)
    assert not found.errors.any()
    assert not found.reach.any()


def test_a_regression_over_all_coalitions_equals_the_definition_and_has_no_error() -> None:
    game = words_game(language(2, 7), 7)
    z, probability = regression.draw(7, 10_000, np.random.default_rng(3))
    assert len({tuple(row) for row in [*z.tolist(), *(~z).tolist()]}) == 2**7 - 2
    shown, hidden, whole, none = (values(game, Memo(), part) for part in (z, ~z, np.ones((1, 7)), np.zeros((1, 7))))
    found = regression.fit(z, (shown - hidden) / 2, probability, (whole - none)[0] / 2)
    np.testing.assert_allclose(found.values, truth(game), atol=1e-7)
    np.testing.assert_allclose(found.spread, 0, atol=1e-7)


def test_intervals_of_long_texts_hold_the_definition_as_often_as_they_say() -> None:
    hits, errors = [], []
    for model in range(4):
        game = words_game(language(model))
        true = truth(game)[:, 0]
        for seed in range(12):
            found = attribute(game, 0, 160, 0.0, seed)
            assert (found.method, found.evaluations <= 162) == ("regression", True)
            hits += (np.abs(found.values[:, 0] - true) <= found.reach[:, 0]).tolist()
            errors.append(np.abs(found.values[:, 0] - true).sum() / np.abs(true).sum())
    assert 0.92 <= np.mean(hits) <= 0.985
    assert np.mean(errors) <= 0.08


def test_intervals_hold_the_closed_form_over_the_whole_background(toy: Toy) -> None:
    """Eight fixed reference rows said "converged" here, and held it in one case of five."""
    game = numbers_game(toy, toy["raw"], references=400)
    t, s, bt, bs = game.row.table[0], game.row.series[0, 0], game.background.table, game.background.series[:, 0]
    money, debt = t[0] - bt[:, 0].mean() + 0.5 * (t[1] - bt[:, 1].mean()), -2 * (t[2] - bt[:, 2].mean())
    true = np.array([money, debt, 0, 0, 0, 0, 2 * (s[-1] - bs[:, -1].mean())])
    found = [attribute(game, 0, 60 * 14 + 1, 0.0, seed) for seed in range(60)]
    assert {each.runs for each in found} == {60}
    hits = np.array([np.abs(each.values[:, 0] - true) <= each.reach[:, 0] + 1e-12 for each in found])
    assert 0.90 <= hits[:, [0, 1, 6]].mean() <= 0.99
    assert hits[:, 2:6].all()


def test_intervals_hold_the_definition_where_parts_act_together(toy: Toy) -> None:
    game = numbers_game(toy, crossed)
    true = truth(game)[:, 0]
    found = [attribute(game, 0, 60 * 14 + 1, 0.0, seed) for seed in range(60)]
    live = np.abs(true) > 1e-9
    assert 0.91 <= np.mean([(np.abs(f.values[:, 0] - true) <= f.reach[:, 0])[live] for f in found]) <= 0.985
    few = [attribute(game, 0, 1, 0.0, seed) for seed in range(60)]
    assert {each.runs for each in few} == {8}
    assert 0.88 <= np.mean([(np.abs(f.values[:, 0] - true) <= f.reach[:, 0])[live] for f in few]) <= 0.99


def test_ranks_that_the_intervals_do_not_tell_apart_are_tied() -> None:
    draws = np.random.default_rng(5).normal(size=(50, 4))
    draws -= draws.mean(axis=0)
    spread = draws * [0.2, 0.2, 0.2, 0.0] / np.sqrt(50 * 49)
    assert ranks(np.array([3.0, -2.9, 0.5, 0.0]), spread * 5, 2.0) == [(1, True), (1, True), (3, False), (4, False)]
    assert ranks(np.array([3.0, -2.9, 0.5, 0.0]), spread / 2, 2.0) == [(1, False), (2, False), (3, False), (4, False)]
    together = np.stack([draws[:, 0], draws[:, 0]], axis=1) / 50  # what moves both alike does not blur their order
    assert ranks(np.array([3.0, 2.9]), together, 2.0) == [(1, False), (2, False)]


def test_values_add_up_to_the_served_answer_in_every_output(toy: Toy) -> None:
    for game in (numbers_game(toy, crossed), words_game(language(4)), words_game(language(4, 5), 5)):
        found = attribute(game, 0, 150, 0.01, 5)
        served = game.raw(game.row)[0]
        np.testing.assert_allclose(found.base + found.values.sum(axis=0), served, atol=1e-7)


def test_words_and_numbers_of_one_row_get_their_own_terms(toy: Toy) -> None:
    rows = toy["rows"](40, 2).inputs
    row = rows.take(np.array([3]))
    game = game_of(toy["task"](), row, rows.take(np.arange(20, 28)), toy["raw"], 7)
    found = attribute(game, 0, 2048, 0.01, 5)
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
    attributed = attribute(game, 0, 4000, 0.0, 1)
    found, reach = attributed.values[:, 0], attributed.reach[:, 0]
    assert abs(found[0] - found[1]) <= np.hypot(reach[0], reach[1])
    assert (found[2], reach[2]) == (0, 0)


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
    rows = toy["rows"](9, 2).inputs
    game = game_of(toy["task"](), rows.take(np.array([0])), rows.take(np.array([5])), toy["raw"], 7)
    found = attribute(game, 0, 8192, 0.01, 1)
    assert (found.method, found.runs) == ("permutation", 30)
    assert found.reach.max() <= 1e-9
    assert found.evaluations <= 30 * 2 * len(game.players) + 1


def test_a_single_word_and_a_single_player_are_explained(toy: Toy) -> None:
    game = game_of(toy["task"](), Inputs(owner=np.arange(1), text=("rose",)), None, toy["raw"], 7)
    assert attribute(game, 0, 16, 0.01, 1).values[:, 0].tolist() == [3.0]


def test_hidden_numbers_come_from_one_reference_row_and_hidden_text_keeps_its_place(toy: Toy) -> None:
    rows = toy["rows"](9, 2).inputs
    game = game_of(toy["task"](), rows.take(np.array([0])), rows.take(np.array([5, 6])), toy["raw"], 7)
    one = np.ones(1, dtype=np.int64)
    shown = decode(game, np.zeros((1, len(game.players)), dtype=bool), one)
    np.testing.assert_array_equal(shown.table, rows.table[[6]])
    np.testing.assert_array_equal(shown.series, rows.series[[6]])
    assert shown.text == (rows.text[0],)
    assert toy["seen"](shown)[0].replace("_", "").strip() == ""
    whole = decode(game, np.ones((1, len(game.players)), dtype=bool), one)
    np.testing.assert_array_equal(whole.table, rows.table[[0]])
    assert whole.hidden == ((),)


def test_numbers_without_reference_rows_are_refused(toy: Toy) -> None:
    row = toy["rows"](1, 1).inputs
    with pytest.raises(ValueError, match="needs background rows"):
        game_of(toy["task"](), row, None, toy["raw"], 7)
