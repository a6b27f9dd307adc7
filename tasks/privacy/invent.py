"""Invented people, places, firms and accounts: labelled text that belongs to nobody. Numbers keep their checksums."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tasks.privacy.rules import LENGTHS, luhn
from tasks.privacy.spans import ADDRESS, ORGANISATION, PERSON, PLACE

Dice = random.Random


@cache
def lists() -> Mapping[str, tuple[str, ...]]:
    """The lists of names.txt by name."""
    found = {}
    for line in (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            name, _, words = line[1:].partition(":")
            found[name] = tuple(word.strip() for word in words.split("|"))
    return found


def pick(dice: Dice, name: str) -> str:
    """One of a list."""
    return dice.choice(lists()[name])


def word(dice: Dice, endings: str = "") -> str:
    """A word that no list of names holds, with a capital; `endings` is the list of what it may end with."""
    starts, vowels, ends = (lists()[name] for name in ("start", "vowel", "end"))
    body = "".join(dice.choice(starts) + dice.choice(vowels) for _ in range(dice.choice((1, 1, 2))))
    last = dice.choice(ends) + dice.choice(lists()[endings]) if endings else dice.choice((*ends, "", "a", "o"))
    return (body + last).title()


def given(dice: Dice) -> str:
    """A first name, every third one invented."""
    return pick(dice, "given") if dice.random() < 0.65 else word(dice)


def surname(dice: Dice) -> str:
    """A last name, every second one invented."""
    return pick(dice, "surname") if dice.random() < 0.5 else word(dice, "of_surname" if dice.random() < 0.7 else "")


def person(dice: Dice) -> str:
    """A name in one of the ways in which names are written."""
    initial = dice.choice("ABCDEFGHJKLMNPRSTVW")
    found = dice.choices(
        (
            f"{given(dice)} {surname(dice)}",
            given(dice),
            surname(dice),
            f"{given(dice)} {initial}. {surname(dice)}",
            f"{given(dice)} {initial} {surname(dice)}",
            f"{given(dice)} {given(dice)} {surname(dice)}",
            f"{surname(dice)}, {given(dice)}",
            f"{initial}. {surname(dice)}",
            f"{given(dice)} {surname(dice)}-{surname(dice)}",
            f"{given(dice)}-{given(dice)} {surname(dice)}",
        ),
        (46, 12, 10, 7, 3, 4, 3, 5, 4, 2),
    )[0]
    return _case(dice, found, upper=0.04, lower=0.06)


def _case(dice: Dice, text: str, upper: float, lower: float) -> str:
    chance = dice.random()
    return text.upper() if chance < upper else text.lower() if chance < upper + lower else text


def place(dice: Dice) -> str:
    """A country, region or town."""
    found = dice.choices(
        (
            pick(dice, "country"),
            pick(dice, "city"),
            pick(dice, "state"),
            word(dice, "of_place"),
            f"{pick(dice, 'first')} {word(dice, 'of_place')}",
            f"{word(dice)} {word(dice, 'of_place')}",
            f"{word(dice, 'of_place')}-{word(dice)}",
            word(dice),
        ),
        (24, 22, 6, 22, 4, 4, 3, 6),
    )[0]
    return _case(dice, found, upper=0.14, lower=0.03)


def organisation(dice: Dice) -> str:
    """A firm, bank or club."""
    brand = pick(dice, "brand") if dice.random() < 0.5 else word(dice)
    letters = "".join(dice.choice("ABCDEFGHIKLMNOPRSTUVW") for _ in range(dice.choice((2, 3, 3, 4))))
    return dice.choices(
        (
            f"{brand} {pick(dice, 'trade')}",
            f"{brand} {pick(dice, 'form')}",
            f"{brand} {pick(dice, 'trade')} {pick(dice, 'form')}",
            brand,
            f"{surname(dice)}-{surname(dice)}",
            f"{surname(dice)}, {surname(dice)} and {surname(dice)}",
            f"{surname(dice)} and {surname(dice)}",
            f"{surname(dice)} & {surname(dice)} {pick(dice, 'form')}",
            f"{surname(dice)} {pick(dice, 'form')}",
            f"{surname(dice)} {pick(dice, 'trade')}",
            letters,
            f"{pick(dice, 'form')} of {place(dice)}" if dice.random() < 0.3 else f"Bank of {place(dice)}",
            f"The {brand} {pick(dice, 'form')}",
            f"{pick(dice, 'plain')} {pick(dice, 'noun')}",
            f"{pick(dice, 'plain')} {pick(dice, 'noun')} {pick(dice, dice.choice(('noun', 'trade', 'form')))}",
            f"{pick(dice, 'surname')} {pick(dice, 'noun')} {pick(dice, 'noun')}",
            f"{pick(dice, 'noun')} {pick(dice, 'noun')}",
        ),
        (13, 9, 8, 17, 9, 9, 7, 5, 8, 6, 5, 3, 3, 7, 7, 4, 4),
    )[0]


def number(dice: Dice) -> str:
    """A house's number."""
    plain = str(dice.choice((dice.randint(1, 99), dice.randint(1, 999), dice.randint(1000, 99999))))
    return plain + dice.choice(("", "", "", "", "a", "B", "/3", "-5"))


def postcode(dice: Dice) -> str:
    """A post code as one of many countries writes it."""
    return _digits(dice, pick(dice, "postcode"))


def _digits(dice: Dice, pattern: str) -> str:
    """A pattern with # as digits and ~ as letters."""
    drawn = {"#": "0123456789", "~": "ABCDEFGHKLMNPRSTW"}
    return "".join(dice.choice(drawn[sign]) if sign in drawn else sign for sign in pattern)


def street(dice: Dice) -> str:
    """Street and house number, or what stands for them."""
    name = dice.choice((surname(dice), word(dice), word(dice, "of_place"), given(dice), pick(dice, "city")))
    more = f"{dice.choice(('N', 'S', 'E', 'W', 'North', 'Old'))} {name}" if dice.random() < 0.15 else name
    two = f"{more} {word(dice)}" if dice.random() < 0.15 else more
    house = number(dice)
    return dice.choices(
        (
            f"{house} {two} {pick(dice, 'road')}",
            f"{two} {pick(dice, 'road')} {house}",
            f"{two} {pick(dice, 'road')}",
            f"{word(dice)}{pick(dice, 'ending')} {house}",
            f"{house} {pick(dice, 'rue')} {name}",
            f"{pick(dice, 'via')} {two}{dice.choice(('', ',', ' n.'))} {house}",
            f"{two} u. {house}.",
            f"{two} {house}",
            f"{house} {two}",
            f"P.O. Box {dice.randint(10, 9999)}",
            f"{pick(dice, 'flat')} {house}",
            f"{house} {two} {pick(dice, 'road')} {pick(dice, 'flat')} {dice.randint(1, 999)}",
            f"the corner of {two} {house} and {surname(dice)} {pick(dice, 'road')}",
            f"{dice.choice(('PSC', 'CMR', 'Unit', 'USS'))} {dice.randint(100, 9999)}, Box {dice.randint(10, 9999)}",
            f"{dice.choice(('APO', 'FPO', 'DPO'))} {dice.choice(('AE', 'AP', 'AA'))} {postcode(dice)}",
            f"{dice.randint(1, 999)} {house} {two} {pick(dice, 'road')}",
            f"{word(dice, 'of_place')} {word(dice)} {house}",
        ),
        (26, 6, 9, 12, 6, 11, 3, 8, 5, 4, 7, 7, 3, 2, 2, 5, 4),
    )[0]


def card(dice: Dice) -> str:
    """A card number that keeps Luhn's sum, with or without blanks."""
    prefix, length = dice.choice((("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("3528", 16)))
    digits = prefix + "".join(str(dice.randint(0, 9)) for _ in range(length - len(prefix) - 1))
    digits += next(str(last) for last in range(10) if luhn(f"{digits}{last}"))
    gap = dice.choice(("", "", " ", "-"))
    return gap.join(digits[at : at + 4] for at in range(0, length, 4)) if length == 16 else digits


def iban(dice: Dice) -> str:
    """An IBAN that keeps its checksum, in one piece or in fours."""
    country = dice.choice(("DE", "GB", "FR", "NL", "ES", "CH", "NO", "PL"))
    body = "".join(str(dice.randint(0, 9)) for _ in range(LENGTHS[country] - 4))
    if country in ("GB", "NL"):
        body = "".join(dice.choice("ABDEGHLMNRST") for _ in range(4)) + body[4:]
    rest = int("".join(str(int(letter, 36)) for letter in f"{body}{country}00")) % 97
    whole = f"{country}{98 - rest:02d}{body}"
    return whole if dice.random() < 0.5 else " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def email(dice: Dice) -> str:
    """An address at a domain that is kept free for examples (RFC 2606)."""
    return f"{given(dice)}.{word(dice)}@example.{dice.choice(('com', 'org', 'net'))}".lower()


def phone(dice: Dice) -> str:
    """A telephone number in one of many forms."""
    return _digits(dice, pick(dice, "phone"))


def money(dice: Dice) -> str:
    """An amount."""
    return pick(dice, "money").replace("#", f"{dice.uniform(1, 900):.1f}")


def date(dice: Dice) -> str:
    """A day, in one of many forms."""
    return _digits(dice, pick(dice, "date"))


def city(dice: Dice) -> str:
    """A town, every second one invented."""
    return _case(dice, pick(dice, "city") if dice.random() < 0.5 else word(dice, "of_place"), 0.15, 0.02)


def country(dice: Dice) -> str:
    """A country."""
    return _case(dice, pick(dice, "country"), 0.05, 0.03)


def count(dice: Dice) -> str:
    """A whole number."""
    return str(dice.choice((dice.randint(2, 12), dice.randint(10, 400), dice.randint(1000, 9000))))


SLOTS: Mapping[str, tuple[Callable[[Dice], str], str | None]] = {
    "person": (person, PERSON),
    "given": (given, PERSON),
    "surname": (surname, PERSON),
    "street": (street, ADDRESS),
    "zip": (postcode, ADDRESS),
    "place": (place, PLACE),
    "city": (city, PLACE),
    "country": (country, PLACE),
    "org": (organisation, ORGANISATION),
    "card": (card, None),
    "iban": (iban, None),
    "email": (email, None),
    "phone": (phone, None),
    "title": (lambda dice: pick(dice, "title"), None),
    "job": (lambda dice: pick(dice, "job"), None),
    "n": (count, None),
    "year": (lambda dice: str(dice.randint(1950, 2026)), None),
    "age": (lambda dice: str(dice.randint(18, 95)), None),
    "money": (money, None),
    "date": (date, None),
    "nation": (lambda dice: pick(dice, "nation"), None),
}
