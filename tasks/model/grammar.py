"""The grammar of programs in a body's tokens: which of them may come next. The decoder writes nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks import program
from tasks.backbone.tokenizer import Tokenizer
from tasks.program import START, State

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """How far a program is, in tokens: `partial` are those of a symbol that may not be whole yet."""

    state: State = START
    partial: Ids = ()


BEGIN = Place()


@dataclass(frozen=True)
class Grammar:
    """The programs over some names: `pieces` holds the tokens of every symbol, each symbol read by itself."""

    names: tuple[str, ...]
    pieces: Mapping[str, Ids]

    @property
    def tokens(self) -> frozenset[int]:
        """Every token that may stand in a program."""
        return frozenset(token for ids in self.pieces.values() for token in ids)


def grammar_of(tokenizer: Tokenizer, names: Sequence[str]) -> Grammar:
    """The grammar of programs that may cite `names`."""
    citable = tuple(dict.fromkeys((*names, *program.CONSTANTS)))
    wanted = (*program.FIXED, program.END, *citable)
    return Grammar(citable, {symbol: ids_of(tokenizer, symbol) for symbol in dict.fromkeys(wanted)})


def ids_of(tokenizer: Tokenizer, text: str) -> Ids:
    """The tokens of a text without what the family puts around it."""
    return tuple(tokenizer.backend.encode(text, add_special_tokens=False).ids)


def spelled(grammar: Grammar, symbols: Sequence[str]) -> Ids:
    """The tokens of a program, END included."""
    return tuple(token for symbol in (*symbols, program.END) for token in grammar.pieces[symbol])


def spelt(grammar: Grammar, ids: Ids) -> list[str]:
    """The symbols that some tokens spell, without END; a longer symbol goes before one that it begins with."""
    longest = sorted(grammar.pieces.items(), key=lambda piece: -len(piece[1]))
    found, place = [], 0
    while place < len(ids):
        symbol, piece = next((s, p) for s, p in longest if ids[place : place + len(p)] == p)
        found.append(symbol)
        place += len(piece)
    return [symbol for symbol in found if symbol != program.END]


def following(grammar: Grammar, place: Place) -> dict[int, Place | None]:
    """Every token that may come next, with the place after it; None after the program's end.

    A symbol may begin another one (B1, B12): there both go on.
    """
    found: dict[int, Place | None] = {}
    whole: State | None = None
    size = len(place.partial)
    for symbol, after in program.following(place.state, grammar.names):
        ids = grammar.pieces[symbol]
        if ids[:size] != place.partial:
            continue
        if len(ids) == size:
            whole = after
        elif after is None:
            found[ids[size]] = None if len(ids) == size + 1 else Place(place.state, ids[: size + 1])
        else:
            found.setdefault(ids[size], Place(place.state, ids[: size + 1]))
    if whole is not None:
        found = following(grammar, Place(whole)) | found
    return found
