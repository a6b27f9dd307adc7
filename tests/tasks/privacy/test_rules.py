"""Numbers are found by their checksums, however they are written; other numbers are left alone."""

from __future__ import annotations

import random
import time

import pytest

from tasks.privacy import invent, rules
from tasks.privacy.plain import plain
from tasks.privacy.redact import find, masked
from tasks.privacy.spans import RULED, Found, settled


def kinds(text: str) -> list[str]:
    return [one.kind for one in find(text, RULED)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("pay with 4111 1111 1111 1111 now", "card", "4111 1111 1111 1111"),
        ("pay with 4111-1111\n  1111-1111 now", "card", "4111-1111\n  1111-1111"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("on 12 4111111111111111 and 7", "card", "4111111111111111"),
        (
            "\uff14\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11",
            "card",
            None,
        ),
        (
            "\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661",
            "card",
            None,
        ),
        ("4111\u200b1111\u00ad1111\u20601111", "card", "4111\u200b1111\u00ad1111\u20601111"),
        ("4111\u20111111\u20111111\u20111111", "card", "4111\u20111111\u20111111\u20111111"),
        ("IBAN DE44 5001 0517 5407 3249 31 is mine", "iban", "DE44 5001 0517 5407 3249 31"),
        ("gb82west12345698765432", "iban", "gb82west12345698765432"),
        ("D\u0415445001051754073249" + "31", "iban", None),  # a Cyrillic letter
        ("ssn 123-45-6789", "ssn", "123-45-6789"),
        ("social security no 219099998", "ssn", "219099998"),
        ("the routing number 021000021", "routing", "021000021"),
        ("write to a.b+c@mail.example.co.uk.", "email", "a.b+c@mail.example.co.uk"),
        ("joe (at) example (dot) com", "email", "joe (at) example (dot) com"),
        ("r\u0430ul@example.org", "email", None),
        ("call +49 (0)30 1234567", "phone", "+49 (0)30 1234567"),
        ("call 60-56-85-91", "phone", "60-56-85-91"),
        ("Phone: 0490 75 40 81", "phone", "0490 75 40 81"),
        ("from 10.0.0.1 today", "ip", "10.0.0.1"),
        ("from fe80::1 today", "ip", "fe80::1"),
    ],
)
def test_a_number_is_found_as_it_is_written(text: str, kind: str, value: str | None) -> None:
    (one,) = find(text, RULED)
    assert (one.kind, text[one.start : one.end]) == (kind, value or text)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "a sale of 1 234 567 890 123 units for EUR 13.1 mn",
        "in 2014 2015 2016 2017",
        "on 2014-05-06 12:30:45",
        "on 31/12/2014 and 06-05-14",
        "0000 0000 0000 0000",
        "version 1.2.3, chapter 300.1.2.3",
        "profit of 123,456,789 against 987,654,321",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert kinds(text) == []


def test_invented_accounts_are_found_every_time_and_wrong_ones_never() -> None:
    dice = random.Random(4)
    for _ in range(200):
        card, iban = invent.card(dice), invent.iban(dice)
        assert kinds(f"{card} {iban}") == ["card", "iban"]
        digits = card.replace(" ", "").replace("-", "")
        assert not rules.luhn(digits[:-1] + str((int(digits[-1]) + 1) % 10))


def test_places_lead_back_to_the_characters_as_they_stand() -> None:
    seen = plain("a\u200b\u200bb\uff11c\u200b")
    assert seen.text == "ab1c"
    assert [seen.original(at, at + 1) for at in range(4)] == [(0, 1), (3, 4), (4, 5), (5, 6)]
    assert seen.original(0, 4) == (0, 6)


def test_what_a_redaction_has_left_is_left_alone() -> None:
    once = masked("card 4111 1111 1111 1111 of a.b@example.com")
    assert once == "card [CARD] of [EMAIL]"
    assert masked(once) == once


def test_a_span_of_the_model_keeps_what_a_proven_one_leaves_of_it() -> None:
    proven, other = Found(4, 8, "card", 0.99, "checksum"), Found(0, 10, "person", 0.9, "model")
    assert [(one.start, one.end, one.kind) for one in settled([other, proven])] == [
        (0, 4, "person"),
        (4, 8, "card"),
        (8, 10, "person"),
    ]


@pytest.mark.parametrize(
    "text", ["1" * 60_000, "1 " * 30_000, "a." * 30_000, "(1)" * 20_000, "AA00" * 15_000, ":" * 60_000]
)
def test_hostile_texts_take_time_in_proportion(text: str) -> None:
    began = time.process_time()
    find(text, RULED)
    assert time.process_time() - began < 5  # seconds of CPU; a pattern that goes back takes hours
