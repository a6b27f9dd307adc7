"""A row's text: document and question in one string, from which both are read again; what the body is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tasks.reasoning.document import Document, read, row_of

WORDS_BEFORE, WORDS_AFTER = 3, 2  # of a number of the text
PARTS = "\n\n"
INVOCATION = "Question:"  # from here on the adapter acts


def text_of(table: Sequence[Sequence[str]], paragraphs: Sequence[str], question: str) -> str:
    """Rows as lines of cells between tabs, paragraphs as lines, the question; an empty line between the three.

    White space is made uniform. A table has two columns at least, so that no row of it is an empty line.
    """
    width = max(2, *map(len, table)) if table else 0
    rows = ["\t".join([*map(_line, row), *[""] * (width - len(row))]) for row in table]
    kept = [_line(each) for each in paragraphs]
    return PARTS.join(["\n".join(rows), "\n".join(each for each in kept if each), _line(question)])


@lru_cache(maxsize=512)
def from_text(text: str) -> tuple[Document, str]:
    """The document and the question of a row's text. Raises ValueError for a text that is none of text_of."""
    table, first, rest = text.partition(PARTS)
    paragraphs, second, question = rest.rpartition(PARTS)
    if not first or not second:
        raise ValueError(f"{text[:60]!r} is no document and question: two empty lines must part it")
    return read(
        [line.split("\t") for line in table.split("\n") if line], paragraphs.split("\n") if paragraphs else ()
    ), question


@lru_cache(maxsize=512)
def prompt(text: str) -> tuple[str, str]:
    """What the body reads: the document, read once for all that is asked about it, and the question.

    Values do not stand in it: a program cites names, and the executor knows what they hold.
    """
    document, question = from_text(text)
    headed = [f"{words} = {column}" for column, words in document.headings.items() if words and column != "A"]
    lines = ["; ".join(headed), *_rows(document)]
    for name, mention in document.mentions.items():
        before = " ".join(mention.before.split()[-WORDS_BEFORE:])
        lines.append(f"{before} _ {' '.join(mention.after.split()[:WORDS_AFTER])}: {name}")
    return "".join(f"{line}\n" for line in lines), f"{INVOCATION} {question}\nProgram:"


def names(text: str) -> tuple[str, ...]:
    """What a program about a row's text may cite beside the constants."""
    return tuple(from_text(text)[0].values)


def _rows(document: Document) -> list[str]:
    """Each row's words, and the names of its numbers. Rows of headings stand in the first line already."""
    cited: dict[int, list[str]] = {}
    for name in document.cells:
        cited.setdefault(row_of(name), []).append(name)
    return [
        f"{words}: {' '.join(cited[number])}" if number in cited else words
        for number, words in document.labels.items()
        if words or number in cited
    ]


def _line(words: str) -> str:
    return " ".join(words.split())
