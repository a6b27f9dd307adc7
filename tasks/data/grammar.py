"""A small grammar that writes labelled sentences from templates: synthetic text for a first run without any network.

A grammar is a plain text file:

    # a comment
    @name: one | another | a third      words that {name} stands for; they may hold further {names}
    label | template with {name}        a template; several labels are joined by "+", "-" means none

Templates that stand together without an empty line are variants of one frame. Rows of one frame depend on each other,
so they share a group: they are split and drawn together.

Built-in names make numbers: {pct}, {small}, {count}, {day}, {month}, {year}, {quarter}, {money}, and {rise} and {fall},
which are two amounts with the later one first ("EUR 13.1 mn against EUR 11.2 mn"), so that the words and figures agree.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Template:
    """One line of a grammar: its labels, its words with slots, and the line on which its frame starts."""

    labels: tuple[str, ...]
    words: str
    frame: int


@dataclass(frozen=True)
class Grammar:
    """The words that slots stand for, and the templates."""

    name: str
    slots: Mapping[str, tuple[str, ...]]
    templates: tuple[Template, ...]


@dataclass(frozen=True)
class Sample:
    """One written sentence. `frame` names the grammar and the frame that it came from."""

    text: str
    labels: tuple[str, ...]
    frame: str


def read(path: Path) -> Grammar:
    """The grammar of a file. Raises ValueError with the line where it cannot be read."""
    slots: dict[str, tuple[str, ...]] = {}
    templates: list[Template] = []
    frame = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            frame = 0
            continue
        if line.startswith("@"):
            name, _, words = line[1:].partition(":")
            slots[name.strip()] = slots.get(name.strip(), ()) + tuple(word.strip() for word in words.split("|"))
            continue
        labels, bar, words = line.partition("|")
        if not bar:
            raise ValueError(f"{path.name} line {number} has no '|' between label and template; write 'label | words'")
        frame = frame or number
        held = () if labels.strip() == "-" else tuple(label.strip() for label in labels.split("+"))
        templates.append(Template(held, words.strip(), frame))
    return Grammar(path.stem, slots, tuple(templates))


def held_out(grammar: Grammar) -> frozenset[str]:
    """The frames to validate on: of each label set with three frames or more, the third and then every sixth."""
    frames: dict[tuple[str, ...], dict[int, None]] = {}
    first: dict[int, tuple[str, ...]] = {}
    for template in grammar.templates:
        frames.setdefault(first.setdefault(template.frame, template.labels), {})[template.frame] = None
    return frozenset(f"{grammar.name}:{frame}" for same in frames.values() for frame in list(same)[2::6])


def write(grammar: Grammar, shares: Mapping[tuple[str, ...], int], seed: int) -> list[Sample]:
    """Sentences with the asked number of each label set, no two alike, every template used about equally often.

    `shares` maps a label set to its count. The same seed gives the same sentences. Raises ValueError where the
    templates of a label set cannot give that many different sentences.
    """
    dice = random.Random(seed)
    samples: dict[str, Sample] = {}
    for labels, count in shares.items():
        templates = [template for template in grammar.templates if template.labels == labels]
        _of_one_label(grammar, templates, count, dice, samples)
    shuffled = list(samples.values())
    dice.shuffle(shuffled)
    return shuffled


def _of_one_label(
    grammar: Grammar, templates: list[Template], count: int, dice: random.Random, samples: dict[str, Sample]
) -> None:
    """Add `count` sentences to `samples`, which go by their text."""
    wanted = len(samples) + count
    for attempt in range(count * 50):
        if len(samples) == wanted:
            return
        template = templates[attempt % len(templates)] if templates else Template((), "", 0)
        text = _capital(" ".join(_fill(grammar, template.words, dice).split()))
        samples.setdefault(text, Sample(text, template.labels, f"{grammar.name}:{template.frame}"))
    if len(samples) < wanted:
        found = len(samples) - wanted + count
        raise ValueError(f"the grammar {grammar.name} gives only {found} of {count} sentences; add templates")


def _fill(grammar: Grammar, words: str, dice: random.Random) -> str:
    def one(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in grammar.slots:
            return _fill(grammar, dice.choice(grammar.slots[name]), dice)
        if name in _NUMBERS:
            return _NUMBERS[name](dice)
        raise ValueError(f"the grammar {grammar.name} uses {{{name}}}, which is not defined; add a line '@{name}: ...'")

    return re.sub(r"\{(\w+)\}", one, words)


def _capital(text: str) -> str:
    """The text with its first letter in capitals; a template that starts with "~" keeps its writer's own way."""
    if text.startswith("~"):
        return text[1:].lstrip()
    first = next((index for index, character in enumerate(text) if character.isalpha()), 0)
    return text[:first] + text[first : first + 1].upper() + text[first + 1 :]


def _money(dice: random.Random) -> str:
    return _amount(dice.uniform(1.2, 900.0), dice)


def _amount(value: float, dice: random.Random) -> str:
    return dice.choice(("EUR {} mn", "USD {} million", "EUR {}m", "${}m", "{} million euros")).format(f"{value:.1f}")


def _pair(dice: random.Random, up: bool) -> str:
    low = dice.uniform(1.2, 600.0)
    high = low * dice.uniform(1.06, 1.8)
    form = dice.choice(("EUR {} mn", "USD {} million", "EUR {}m", "{} million euros"))
    first, second = (high, low) if up else (low, high)
    joined = dice.choice((" against ", " compared with ", " from ", ", versus "))
    return form.format(f"{first:.1f}") + joined + form.format(f"{second:.1f}")


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November")
_NUMBERS: Mapping[str, Callable[[random.Random], str]] = {
    "pct": lambda dice: f"{dice.uniform(1.1, 38):.{dice.choice((0, 1))}f}{dice.choice(('%', ' %', ' percent'))}",
    "small": lambda dice: str(dice.randint(2, 12)),
    "count": lambda dice: f"{dice.randint(2, 90) * 10:,}",
    "day": lambda dice: str(dice.randint(1, 28)),
    "month": lambda dice: dice.choice(_MONTHS),
    "year": lambda dice: str(dice.randint(2016, 2026)),
    "quarter": lambda dice: dice.choice(("first quarter", "second quarter", "third quarter", "fourth quarter")),
    "money": _money,
    "rise": lambda dice: _pair(dice, True),
    "fall": lambda dice: _pair(dice, False),
}
