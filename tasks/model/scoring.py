"""How likely a body writes a given program: minus its log-probability among all that the grammar allows, by token.

What the decoder could never write costs nothing. Learning minimises it; a program from elsewhere is judged by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tasks.data import program
from tasks.model.grammar import BEGIN, Grammar, Ids, Place, following, grammar_of, ids_of, spelled
from tasks.model.model import Model
from tasks.task import PROGRAM, FloatArray, Span, Writer

MOST = 3 * PROGRAM  # tokens of a program


@dataclass(frozen=True)
class Script:
    """One row as the body reads it: tokens of document and question, and the grammar of its programs.

    `cut` says that the document is longer than the window leaves room for: its end is not read.
    """

    document: Ids
    question: Ids
    grammar: Grammar
    cut: bool = False


@dataclass(frozen=True)
class Line:
    """One question and its program. `tokens` are both but for the last; states from `start` on say `program`.

    allowed  for each token of the program what the grammar lets stand there
    below    (tokens, width) the state that enters the lowest adapted block, None where that is the first
    """

    document: Ids
    tokens: Ids
    start: int
    program: Ids
    allowed: tuple[Ids, ...]
    below: Any = None


def script(model: Model, name: str, text: str, hidden: Sequence[Span] = ()) -> Script:
    """A row's text in tokens. What is hidden is blank in the prompt; what may be cited stays.

    The window holds the program too: the document ends where the question and MOST tokens would have no room.
    """
    writer, tokenizer = writer_of(model, name), model.tokenizer
    document, question = (ids_of(tokenizer, part) for part in writer.prompt(blank(writer, text, hidden)))
    window = tokenizer.backend.truncation["max_length"] - MOST
    asked = question[: window - 1]
    read = document[: window - len(asked)]
    return Script(
        read, asked, grammar_of(tokenizer, writer.names(text)), len(read) + len(asked) < len(document + question)
    )


def blank(writer: Writer, text: str, hidden: Sequence[Span]) -> str:
    """The text with blanks for the words that are hidden; its numbers, line breaks and tabs stay."""
    letters = list(text)
    for first, last in (span for kind in writer.words(text) for span in kind) if hidden else ():
        for at in range(first, last):
            if any(start <= at < end for start, end in hidden):
                letters[at] = " "
    return "".join(letters)


def writer_of(model: Model, name: str) -> Writer:
    """The task's own part of writing. Raises ValueError where the task has none, or the body no words to write with."""
    found = model.tasks[name].writer
    if found is None:
        raise ValueError(f"task {name} has a program head and no writer; give its Task one")
    if model.backbone is None or model.backbone.words is None:
        body = "none" if model.backbone is None else model.backbone.name
        raise ValueError(f"task {name} writes programs, which the backbone {body!r} cannot; take a decoder")
    return found


def line_of(model: Model, name: str, text: str, codes: FloatArray) -> Line:
    """One row in tokens. Raises ValueError for a program that its document does not allow."""
    return of_script(script(model, name, text), codes)


def of_script(row: Script, codes: FloatArray) -> Line:
    """The same of a row that is in tokens already."""
    written = spelled(row.grammar, program.symbols(program.text(codes)))
    return Line(
        row.document, row.question + written[:-1], len(row.question) - 1, written, allowed(row.grammar, written)
    )


def allowed(grammar: Grammar, written: Ids) -> tuple[Ids, ...]:
    """What may stand at each place of a program. Raises ValueError where the program breaks the grammar."""
    place: Place | None = BEGIN
    found: list[Ids] = []
    for token in written:
        after = {} if place is None else following(grammar, place)
        if token not in after:
            raise ValueError(f"a program cites what its document does not name, at token {len(found) + 1}")
        found.append(tuple(after))
        place = after[token]
    return tuple(found)


def minus_log(model: Model, hidden: Any, lines: Sequence[Line]) -> Any:
    """(n,) minus the log-probability of each program, from the hidden states (n, tokens, width) of its line."""
    words = sorted({token for line in lines for each in line.allowed for token in each})
    column = {token: place for place, token in enumerate(words)}
    said = torch.cat([hidden[row, line.start : line.start + len(line.program)] for row, line in enumerate(lines)])
    scores = said @ model.words(words).T
    barred = np.ones((len(said), len(words)), dtype=bool)
    for row, each in enumerate(each for line in lines for each in line.allowed):
        barred[row, [column[token] for token in each]] = False
    truth = torch.tensor([column[token] for line in lines for token in line.program], device=scores.device)
    masked = scores.masked_fill(torch.from_numpy(barred).to(scores.device), -torch.inf)
    each = torch.nn.functional.cross_entropy(masked, truth, reduction="none")
    return torch.stack([part.sum() for part in each.split([len(line.program) for line in lines])])
