"""Questions that their document cannot answer: the rows that the program cites are taken out of the table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tasks.data import program
from tasks.reasoning.document import row_of
from tasks.reasoning.rows import Question
from tasks.reasoning.text import from_text, text_of


def twins(questions: Sequence[Question], share: float, seed: int) -> list[Question]:
    """An unanswerable twin for about this share of the questions whose program rests on the table alone."""
    found = []
    for question in questions:
        draw = hashlib.sha256(f"{seed}/{question.name}".encode()).digest()
        if int.from_bytes(draw[:4], "big") < share * 2**32 and (twin := without_answer(question)) is not None:
            found.append(twin)
    return found


def without_answer(question: Question) -> Question | None:
    """The question over a table that lacks its program's rows, cells and labels alike; to be refused.

    None where the program cites the text, or another row bears the label of one that goes.
    """
    if question.written in (None, program.REFUSAL):
        return None
    document, asked = from_text(question.text)
    cited = program.cited(program.symbols(question.written or ""))
    gone = {row_of(name) for name in cited if name in document.cells}
    labels = {document.labels[number] for number in gone}
    left = [row for number, row in enumerate(document.table, start=1) if number not in gone]
    stays = any(label in labels for number, label in document.labels.items() if number not in gone)
    if not gone or stays or len(gone) < len({*map(row_of, cited)}) or not left:
        return None
    text = text_of(left, document.paragraphs, asked)
    return replace(question, name=f"{question.name}/none", text=text, answer=float("nan"), written=program.REFUSAL)
