"""Text to token ids: literal special tokens stay plain text, hidden spans become mask tokens, truncation is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as Backend

from tasks.task import IntArray, Span

# What each family pads with; where it has no such token, what ends a text.
PADS = (
    *("[PAD]", "<pad>", "<|finetune_right_pad_id|>", "<｜▁pad▁｜>"),
    *("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>"),
)

CHUNK = 512  # texts read at a time: an encoding takes twenty times the memory of its ids


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer with the two ids that padding and hiding need, and the special ids that no text may produce."""

    backend: Any
    pad: int
    mask: int
    specials: frozenset[int]


@dataclass(frozen=True)
class Tokens:
    """One array of ids per text, and whether its end was cut off."""

    ids: tuple[IntArray, ...]
    truncated: NDArray[np.bool_]


def from_json(text: str, max_tokens: int) -> Tokenizer:
    """A tokenizer from the content of a tokenizer.json, made safe for text that strangers wrote.

    Chat tags such as `<|User|>` are often listed as added but not special; they are marked special here, because only
    special tokens can be switched off when text is read.
    """
    document = json.loads(text)
    for added in document.get("added_tokens", []):
        added["special"] = True
    backend = Backend.from_str(json.dumps(document))
    backend.encode_special_tokens = True
    backend.no_padding()
    backend.enable_truncation(max_tokens)
    ids = {added["content"]: int(added["id"]) for added in document.get("added_tokens", [])}
    unknown = _first(ids, backend, ("[UNK]", "<unk>"))
    pad = _first(ids, backend, PADS)
    mask = _first(ids, backend, ("[MASK]", "<mask>"))
    pad = 0 if pad is None else pad
    fill = mask if mask is not None else unknown if unknown is not None else pad
    # Unknown stays allowed: it is what a character without a token becomes.
    return Tokenizer(backend, pad, fill, frozenset(ids.values()) - {unknown})


def encode(tokenizer: Tokenizer, texts: Sequence[str], hidden: Sequence[Sequence[Span]] | None = None) -> Tokens:
    """Token ids of texts; tokens that touch a visible character of a hidden span become the mask id, in place.

    A text that occurs several times is read once: an explanation asks about one text under many hidings.
    """
    first: dict[str, int] = {}
    for text in texts:
        first.setdefault(text, len(first))
    backend = tokenizer.backend
    read = backend.encode_batch if hidden is not None else backend.encode_batch_fast
    try:
        "".join(first).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"a text holds {half!r}, half of a character; send valid Unicode") from error
    unique, rows = list(first), [first[text] for text in texts]
    plain: list[IntArray] = []
    spread: list[NDArray[np.int64]] = []
    cut = np.zeros(len(unique), dtype=np.bool_)
    for start in range(0, len(unique), CHUNK):
        for text, encoding in zip(unique[start : start + CHUNK], read(unique[start : start + CHUNK]), strict=True):
            cut[len(plain)] = bool(encoding.overflowing)
            plain.append(_ids(tokenizer, encoding))
            if hidden is not None:
                spread.append(_spread(text, encoding))
    if hidden is None:
        return Tokens(tuple(plain[row] for row in rows), cut[rows])
    asked = [(row, tuple(spans)) for row, spans in zip(rows, hidden, strict=True)]
    masked: dict[tuple[int, tuple[Span, ...]], IntArray] = {}
    for row, spans in asked:
        if (row, spans) not in masked:
            masked[row, spans] = _hide(plain[row], spread[row], unique[row], spans, tokenizer.mask)
    return Tokens(tuple(masked[key] for key in asked), cut[rows])


def reach(tokenizer: Tokenizer, text: str) -> int:
    """The characters of a text that its tokens reach: what stands after them is cut off."""
    encoding = tokenizer.backend.encode(text)
    return int(_spread(text, encoding)[:, 1].max(initial=0))


def _first(ids: dict[str, int], backend: Any, names: Sequence[str]) -> int | None:
    found = (ids.get(name, backend.token_to_id(name)) for name in names)
    return next((int(value) for value in found if value is not None), None)


def _ids(tokenizer: Tokenizer, encoding: Any) -> IntArray:
    if not encoding.ids:  # an empty text where the family adds no token of its own
        return np.array([tokenizer.pad], dtype=np.int64)
    ids = np.array(encoding.ids, dtype=np.int64)
    content = np.array(encoding.special_tokens_mask, dtype=np.bool_) == 0
    smuggled = content & np.isin(ids, list(tokenizer.specials))
    if smuggled.any():  # a vocabulary may hold a special token as an ordinary word too
        ids[smuggled] = tokenizer.mask
    return ids


def _spread(text: str, encoding: Any) -> NDArray[np.int64]:
    """(tokens, 2) character offsets; special tokens have an empty range."""
    if not encoding.ids:
        return np.zeros((1, 2), dtype=np.int64)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    offsets[np.array(encoding.special_tokens_mask, dtype=np.bool_)] = 0
    return np.minimum(offsets, len(text))


def _hide(ids: IntArray, offsets: NDArray[np.int64], text: str, spans: Sequence[Span], mask: int) -> IntArray:
    if not spans:
        return ids
    covered = np.zeros(len(text), dtype=np.int64)
    for start, end in spans:
        covered[max(start, 0) : max(end, 0)] = 1
    # A space counts for nobody: byte-level tokenizers put it at the head of the next word's token.
    covered[[i for i, sign in enumerate(text) if sign.isspace()]] = 0
    total = np.concatenate([[0], np.cumsum(covered)])
    touched = total[offsets[:, 1]] > total[offsets[:, 0]]
    return np.where(touched, mask, ids)
