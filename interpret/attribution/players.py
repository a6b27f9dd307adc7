"""Who plays in the presence-vector game: text spans, table groups and series segments of one row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from tasks.data.text import sentences
from tasks.privacy.redact import blanked
from tasks.task import FloatArray, Inputs, Modality, Span, Task

SEGMENTS = 4  # of a series with one group of channels
SERIES_PLAYERS = 6  # where several groups of channels play: their combinations are passes through the series encoder
MIXED_TEXT_PLAYERS = 4
MOST_PLAYERS = 64
MOST_UNITS = 256  # places of a sentence where a phrase may end; the search for the best ones grows with their square
JOINED_TO_NEXT = re.compile(
    r"an?|the|of|to|in|on|at|by|for|from|with|and|or|but|not?|its|his|her|their|our|your|this|that|is|was|are|were|be|been|as"
    r"|than|if|will|may|shall|can|could|would|should|has|have|had|any|all|per|about|into|over|under"
)
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Player:
    """One part of a row that is either shown to the model or not.

    span      its own words in the text: of a text player, or of a fact that stands in text and table
    hides     the spans of the text that are hidden with it
    columns   the table columns of a table player
    channels  the series channels of a series player, at the steps `start` to `end` (end excluded)
    """

    name: str
    modality: Modality
    span: Span = (0, 0)
    hides: tuple[Span, ...] = ()
    columns: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    steps: Span = (0, 0)


class NothingToExplain(ValueError):
    """A row that holds no text, no table and no series."""


def players_of(task: Task, row: Inputs, most_text: int) -> tuple[Player, ...]:
    """The players of one row: at most `most_text` text spans, one per feature group, one per series cell.

    Where a row mixes text with numbers, text is cut into at most four parts, because each combination of parts is one
    pass through the backbone. A group of features that the text restates is one player, hidden in both (Task.restated).
    Raises NothingToExplain where the row is empty.
    """
    table = table_players(task) if row.table is not None else ()
    series = series_players(task, row) if row.series is not None else ()
    limit = min(most_text, MIXED_TEXT_PLAYERS) if table or series else most_text
    said = row.text[0] if row.text is not None else ""
    facts = task.restated(said) if task.restated is not None and table and said else {}
    if facts:
        text, table = _facts(said, table, facts, limit)
    else:
        text = () if row.text is None else _spoken(task, said, limit)
    players = (*text, *table, *series)
    if not players:
        raise NothingToExplain(
            f"the row of task {task.name!r} holds nothing that could be hidden; give it text, table or series"
        )
    if len(players) > MOST_PLAYERS:
        raise NothingToExplain(
            f"the row of task {task.name!r} has {len(players)} players, more than {MOST_PLAYERS}; "
            "declare fewer feature groups"
        )
    return players


def table_players(task: Task) -> tuple[Player, ...]:
    """One player per declared group of features, in the order of their first column: correlated columns go together."""
    groups: dict[str, list[int]] = {}
    for column, feature in enumerate(task.features):
        groups.setdefault(feature.group, []).append(column)
    return tuple(Player(name, "table", columns=tuple(columns)) for name, columns in groups.items())


def channel_groups(channels: tuple[str, ...], width: int) -> dict[str, tuple[int, ...]]:
    """Channels by the part of their name before the first dot or colon; unnamed channels are one group."""
    if len(channels) != width:
        return {"series": tuple(range(width))}
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(channels):
        groups.setdefault(re.split(r"[.:]", name, maxsplit=1)[0], []).append(index)
    return {name: tuple(indexes) for name, indexes in groups.items()}


def _facts(
    text: str, table: Sequence[Player], facts: Mapping[str, Sequence[Span]], most: int
) -> tuple[tuple[Player, ...], tuple[Player, ...]]:
    """The players of a text that restates a table: those of its other sentences, and the table's, hidden in both.

    A part of the text goes with each of the facts that it states: it is shown while all of them are, so that no row
    says in words what its table does not hold.
    """
    whole = list(sentences(text, semicolons=True))
    stated = [span for spans in facts.values() for span in spans]
    parts = _merged([part for part in whole if any(map(partial(_meet, part), stated))], most)
    free = _merged([part for part in whole if not any(map(partial(_meet, part), stated))], most)
    players = []
    for player in table:
        own = facts.get(player.name, ())
        hides = tuple(part for part in parts if any(map(partial(_meet, part), own)))
        players.append(replace(player, span=own[0] if own else (0, 0), hides=hides))
    return tuple(_span_player(text, part) for part in free), tuple(players)


def _meet(one: Span, other: Span) -> bool:
    """Whether two spans share a character."""
    return one[0] < other[1] and other[0] < one[1]


def series_players(task: Task, row: Inputs) -> tuple[Player, ...]:
    """Segments of equal length by channel groups, oldest first."""
    if row.series is None:
        return ()
    _, width, length = row.series.shape
    groups = channel_groups(task.channels, width)
    segments = max(1, min(SEGMENTS, SERIES_PLAYERS // len(groups)))
    edges = [round(length * part / segments) for part in range(segments + 1)]
    return tuple(
        Player(f"{name}, steps {start + 1}-{end}", "series", channels=channels, steps=(start, end))
        for name, channels in groups.items()
        for start, end in pairwise(edges)
        if end > start
    )


def text_players(text: str, most: int) -> tuple[Player, ...]:
    """Sentences where there are three or more, else phrases of whole words; together they cover every word.

    A semicolon ends a sentence here, and every end of a sentence that a finding's evidence knows is one here too.
    Sentences are merged with their neighbour until at most `most` are left. Phrases never cross the end of a sentence.
    """
    spans = _merged(list(sentences(text, semicolons=True)), most)
    if len(spans) < min(3, most):
        spans = _phrases_of(text, spans, most)
    return tuple(_span_player(text, span) for span in spans)


def _span_player(text: str, span: Span) -> Player:
    """The player of one span of a text, named by its words, as far as they may be shown."""
    return Player(" ".join(blanked(text)[slice(*span)].split()), "text", span=span, hides=(span,))


def words_within(text: str, phrases: Sequence[Player], sizes: FloatArray, most: int) -> tuple[Player, ...]:
    """The strongest phrases cut into their words, the largest size first, while there are at most `most` players.

    Words that are too many for the strongest phrase go together; the other phrases stay whole.
    """
    held = {at: [phrase.span] for at, phrase in enumerate(phrases)}
    for at in np.argsort(-sizes, kind="stable").tolist():
        words = _units([match.span() for match in WORD.finditer(text, *phrases[at].span)])
        room = most - sum(map(len, held.values())) + 1
        if len(words) <= room:
            held[at] = words
        elif room > 2 and all(len(spans) == 1 for spans in held.values()):
            held[at] = _cut_words(text, words, room)
    spans = [span for at in held for span in held[at]]
    return tuple(_span_player(text, span) for span in spans)


def _spoken(task: Task, text: str, most: int) -> tuple[Player, ...]:
    return text_players(text, most) if task.writer is None else word_players(text, task.writer.words(text), most)


def word_players(text: str, kinds: Sequence[Sequence[Span]], most: int) -> tuple[Player, ...]:
    """Neighbours among the words of each kind, for a task that writes; the later kinds get what does not divide evenly.

    What stands between the words of a player, such as the numbers of a table, is not hidden with them.
    """
    held, shown = [list(kind) for kind in kinds if kind][-most:], blanked(text)
    players = []
    for place, kind in enumerate(held):
        share = most // len(held) + (len(held) - place <= most % len(held))
        for start, end in _merged(kind, share):
            inside = [shown[first:last] for first, last in kind if start <= first and last <= end]
            name = (" " if place == len(held) - 1 else " · ").join(inside)
            players.append(Player(name, "text", span=(start, end), hides=((start, end),)))
    return tuple(players)


def _merged(spans: list[Span], most: int) -> list[Span]:
    """Neighbours merged, the shortest pair of all first (of equal ones the first), until at most `most` are left.

    Pairs stand in a heap; one that has changed since is met again with its old length and passed over.
    """
    ends, following, alive = [end for _, end in spans], [*range(1, len(spans)), -1], [True] * len(spans)
    before = list(range(-1, len(spans) - 1))
    heap = [(spans[at + 1][1] - spans[at][0], at) for at in range(len(spans) - 1)]
    heapify(heap)
    for _ in range(len(spans) - most):
        while True:
            length, at = heappop(heap)
            if alive[at] and following[at] >= 0 and length == ends[following[at]] - spans[at][0]:
                break
        other = following[at]
        ends[at], following[at], alive[other] = ends[other], following[other], False
        if following[at] >= 0:
            before[following[at]] = at
            heappush(heap, (ends[following[at]] - spans[at][0], at))
        if before[at] >= 0:
            heappush(heap, (ends[at] - spans[before[at]][0], before[at]))
    return [(spans[at][0], ends[at]) for at in range(len(spans)) if alive[at]]


def _phrases_of(text: str, whole: list[Span], most: int) -> list[Span]:
    """Phrases for one or two whole sentences: each gets players by its share of the words, at least one."""
    by_sentence = [_units([match.span() for match in WORD.finditer(text, *span)]) for span in whole]
    total = sum(map(len, by_sentence))
    spans: list[Span] = []
    left = most
    for later, words in zip(reversed(range(len(whole))), by_sentence, strict=True):
        count = max(1, min(left - later, round(most * len(words) / total))) if later else left
        spans += _cut_words(text, words, min(count, len(words)))
        left -= count
    return spans


def _units(words: list[Span]) -> list[Span]:
    """At most MOST_UNITS runs of consecutive words, among whose ends the best cuts are looked for."""
    size = -(-len(words) // MOST_UNITS) or 1
    return [(part[0][0], part[-1][1]) for part in (words[at : at + size] for at in range(0, len(words), size))]


def _cut_words(text: str, words: list[Span], parts: int) -> list[Span]:
    """Cut words into `parts` runs of similar length that prefer to end at punctuation and not after a joining word.

    Dynamic programme over cut places; a run costs its squared distance from the even length plus the price of its end.
    """
    count, even = len(words), len(words) / parts
    price = [_end_price(text[start:end].rsplit(maxsplit=1)[-1]) for start, end in words]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}] + [{} for _ in range(parts)]
    for part in range(1, parts + 1):
        for end in range(part, count - (parts - part) + 1):
            options = [(c + (end - at - even) ** 2 + (price[end - 1] if end < count else 0.0), at)
                       for at, (c, _) in best[part - 1].items() if at < end]  # fmt: skip
            if options:
                best[part][end] = min(options)
    cuts = [count]
    for part in range(parts, 0, -1):
        cuts.append(best[part][cuts[-1]][1])
    return [(words[a][0], words[b - 1][1]) for a, b in pairwise(reversed(cuts))]


def _end_price(word: str) -> float:
    if word[-1] in ",;:.)":
        return -2.0
    bare = word.lower().strip("\"'(")
    return 5.0 if JOINED_TO_NEXT.fullmatch(bare) else 2.0 if bare[:1].isdigit() else 0.0
