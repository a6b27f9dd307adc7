from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpret.attribution.game import decode, game_between
from interpret.attribution.players import MIXED_TEXT_PLAYERS, NothingToExplain, players_of, text_players
from tasks import get
from tasks.data.text import sentences
from tasks.task import Feature, Inputs, Place

Toy = dict[str, Callable[..., Any]]


@given(st.text(max_size=200), st.integers(1, 9))
def test_text_players_cover_every_word_once_in_order_and_are_few(text: str, most: int) -> None:
    players = text_players(text, most)
    assert len(players) <= most
    shown = [text[slice(*player.span)] for player in players]
    assert "".join("".join(shown).split()) == "".join(text.split())
    ends = [end for player in players for end in player.span]
    assert ends == sorted(ends)


def test_three_sentences_are_players_whole() -> None:
    text = "Sales rose. Costs fell by 3.5 per cent. The board of Alder Ltd. is content."
    assert [p.name for p in text_players(text, 7)] == [
        "Sales rose.",
        "Costs fell by 3.5 per cent.",
        "The board of Alder Ltd. is content.",
    ]


def test_one_sentence_becomes_phrases_that_do_not_end_in_a_joining_word() -> None:
    text = "Revenue of the division fell by 12 percent in the third quarter, although a small rise was planned."
    players = text_players(text, 6)
    assert len(players) == 6
    assert not any(p.name.split()[-1] in {"of", "the", "by", "in", "a"} for p in players)


def test_many_sentences_are_merged_to_the_limit() -> None:
    assert len(text_players(" ".join(f"Number {i} is here." for i in range(30)), 8)) == 8


@pytest.mark.parametrize(
    "text",
    [
        "Acme Inc. rose 5 %; costs fell. (See note 3.) The board approved it!",
        '4.2. Fees are due. He said "Stop." Then J. Smith left; the U.S. unit was sold.',
        "A title\n\nThe text; its end. (See (a) and [b].) [The] board met. ",
    ],
)
def test_evidence_and_explanation_are_cut_alike(text: str) -> None:
    evidence = sentences(text)
    players = [player.span for player in text_players(text, 9)]
    assert len(evidence) >= 3
    assert {end for _, end in evidence} <= {end for _, end in players}
    assert {start for start, _ in evidence} <= {start for start, _ in players}
    assert len(players) == len(evidence) + text.count(";")


def test_a_mixed_row_has_few_text_players_and_one_per_group_and_segment(toy: Toy) -> None:
    row = toy["rows"](1, 5).inputs
    players = players_of(toy["task"](), row, 7)
    kinds = [player.modality for player in players]
    assert kinds.count("text") == MIXED_TEXT_PLAYERS
    assert [p.name for p in players if p.modality == "table"] == ["money", "debt", "noise"]
    assert [p.steps for p in players if p.modality == "series"] == [(0, 4), (4, 8), (8, 12), (12, 16)]


def test_a_fact_that_text_and_table_state_is_one_player_and_hidden_in_both() -> None:
    task = get("risk")
    notes = "The roof was repaired. He asked twice."
    row, other = (
        task.encode([task.item(**{**task.example, **more})])
        for more in ({"notes": notes}, {"savings": "unknown_or_none"})
    )
    players = players_of(task, row, 12)
    spoken = [player.name for player in players if player.modality == "text"]
    assert spoken == ["The roof was repaired.", "He asked twice."]
    savings = next(player for player in players if player.name == "savings")
    assert row.text[0][slice(*savings.span)] == "below 100"
    game = game_between(task, players, row, other, lambda inputs: np.zeros((len(inputs), 1)))
    shown = np.array([player.name != "savings" for player in players])[None]
    seen = decode(game, shown, np.zeros(1, dtype=np.int64))
    columns = list(savings.columns)
    assert (seen.table[0, columns] == other.table[0, columns]).all()
    assert any(start <= savings.span[0] and savings.span[1] <= end for start, end in seen.hidden[0])
    assert sum(end - start for start, end in seen.hidden[0]) < len(row.text[0]) / 2
    assert task.restated("Something else.") == {}
    applicants = task.sources["embedded"].read(Place(root=None, seed=7)).inputs.text
    assert {len(task.restated(text)) for text in applicants} == {15}


def test_channels_with_one_prefix_play_together(toy: Toy) -> None:
    task = toy["task"](channels=("price.open", "price.close", "volume"))
    players = players_of(task, Inputs(owner=np.arange(1), series=np.zeros((1, 3, 16))), 7)
    assert {player.channels for player in players} == {(0, 1), (2,)}
    assert len(players) == 6


def test_an_empty_row_is_refused_with_the_cure(toy: Toy) -> None:
    with pytest.raises(NothingToExplain, match="give it text, table or series"):
        players_of(toy["task"](), Inputs(owner=np.arange(1), text=("  ",)), 7)


def test_too_many_groups_are_refused_with_the_number(toy: Toy) -> None:
    features = tuple(Feature(f"f{i}", f"g{i}") for i in range(70))
    with pytest.raises(NothingToExplain, match="70 players"):
        players_of(toy["task"](features=features), Inputs(owner=np.arange(1), table=np.zeros((1, 70))), 7)
