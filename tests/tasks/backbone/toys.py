"""The tokenizer of a tiny body."""

from __future__ import annotations

from tasks.backbone import tiny as bodies


def words(kind: str) -> str:
    return bodies._tokenizer(encoder=kind == "bert")
