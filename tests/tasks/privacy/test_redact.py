"""What is found does not depend on where a file is cut; the weights are those of the grammar; nobody's sentence is in it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.privacy import fit, redact, stream
from tasks.privacy.model import shipped
from tasks.privacy.redact import find, identifier, masked
from tasks.privacy.spans import KINDS, LEARNED
from tasks.privacy.vocabulary import publishable


def written(lines: int, seed: int) -> str:
    return "\n".join(sample.text for sample in fit.samples(seed, 1)[:lines])


def test_the_shipped_weights_were_learned_from_the_grammar_as_it_stands() -> None:
    assert shipped().learned_from == fit.learned_from(), "run python -m tasks.privacy.fit"


def test_people_and_places_that_were_never_seen_are_found() -> None:
    text = "Zebulon Quartermaine moved from 12 Harrow Lane in Leeds and wrote to zq@example.com."
    found = {one.kind: text[one.start : one.end] for one in find(text)}
    assert found["person"] == "Zebulon Quartermaine"
    assert found["email"] == "zq@example.com"
    assert "Harrow" in found["address"]


def test_sentences_about_nobody_stay_as_they_are() -> None:
    for text in (
        "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn in the corresponding period.",
        "You may cancel the contract within fourteen days without giving a reason.",
        "What is the limit of my credit card, and can it be raised?",
    ):
        assert masked(text) == text


@pytest.mark.parametrize("size", [997, 4_096, 100_000])
def test_a_file_is_redacted_alike_however_it_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(150, 5) + "\n4111 1111\n1111 1111\n" + written(150, 6)
    whole = "".join(stream.redacted([text]))
    monkeypatch.setattr(stream, "PIECE", 3_000)
    spans = []
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    assert "".join(stream.redacted(pieces, told=spans.append)) == whole
    assert [(one.start, one.end) for one in spans] == [(one.start, one.end) for one in find(text)]
    assert "[CARD]" in whole


def test_a_text_without_a_blank_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PIECE", 3_000)
    text = "-" * 10_000
    assert "".join(stream.redacted(iter([text]))) == text


def test_no_sentence_of_the_lent_set_stands_in_the_grammar(shared_data: Path) -> None:
    def bare(text: str) -> str:
        return " ".join(re.sub(r"\{+\w+\}+", "_", text).lower().split())

    ours = {bare(line) for line in fit.lines()}
    for file in ("synth_dataset_v2.json", "generated_large.json"):
        rows = json.loads((shared_data / "pii_presidio_synth" / file).read_text(encoding="utf-8"))
        theirs = {bare(row["masked"]) for row in rows}
        assert not {line for line in ours & theirs if len(re.findall(r"[a-z]+", line)) > 2}


def test_only_the_asked_kinds_are_found_and_an_unknown_one_is_refused() -> None:
    text = "Anna Weber, 4111 1111 1111 1111"
    assert [one.kind for one in find(text, ["card"])] == ["card"]
    assert set(LEARNED) < set(KINDS)
    assert identifier("AAPL/2016-01-04") == "AAPL/2016-01-04"
    assert identifier("a.b@example.com") == "[EMAIL]"


def test_no_vocabulary_holds_a_planted_person_account_or_number() -> None:
    def rows() -> Iterator[str]:
        dice = random.Random(1)
        planted = "Complaint of Zebulon Quartermaine, account DE44500105175407324931, phone 0301234567: profit fell."
        for number in range(400):
            yield (
                planted
                if number % 100 == 7
                else f"Profit {dice.choice(['rose', 'fell'])} at the firm in quarter {number % 4}."
            )

    text = " ".join(publishable(list(rows()))).lower()
    for word in ("zebulon", "quartermaine", "de44500105175407324931", "0301234567"):
        assert word not in text
    assert "complaint of" in text
    assert "profit fell" in text


def test_dots_stand_in_the_place_of_each_character() -> None:
    text = "Anna Weber paid with 4111 1111 1111 1111."
    assert redact.blanked(text) == "•••••••••• paid with •••••••••••••••••••."


def test_what_a_field_of_the_row_says_beside_the_text_is_left_but_no_proven_number() -> None:
    text = "Employed: unemployed, skilled job, card 4111 1111 1111 1111."
    assert "unemployed" not in redact.blanked(text), "the token model takes it for a name; else this test holds nothing"
    spans = tuple((text.index(word), text.index(word) + len(word)) for word in ("unemployed", "4111 1111 1111 1111"))
    assert redact.blanked(text, spans) == "Employed: unemployed, skilled job, card •••••••••••••••••••."
