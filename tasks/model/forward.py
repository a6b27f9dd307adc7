"""The forward pass: from inputs to prepared rows, from these to hidden states, and from those to raw answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.backbone import tokenizer
from tasks.backbone.hidden_states import States
from tasks.backbone.tokenizer import Tokens
from tasks.model import writer
from tasks.model.cache import Cache
from tasks.model.features import Features
from tasks.model.model import Model
from tasks.model.padding import pad
from tasks.model.pooled import pooled
from tasks.model.texts import Texts, read
from tasks.task import FloatArray, Inputs, IntArray

NOTHING: frozenset[str] = frozenset()
SMALL = 1024  # rows in one pass of a small net


@dataclass(frozen=True)
class Prepared:
    """Rows ready for the net: texts as token ids (read once for all epochs), the rest as float32 arrays.

    `offset` is the classical part's raw answer, None where it is switched off. `lengths` (n,) counts tokens. `states`
    are the stored states of the texts, None where the whole body is to be computed.
    """

    ids: tuple[IntArray, ...] | None
    table: NDArray[np.float32] | None
    series: NDArray[np.float32] | None
    offset: NDArray[np.float32] | None
    present: NDArray[np.float32] | None
    lengths: IntArray
    states: States | None = None
    truncated: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def has_text(self) -> bool:
        """Whether the body is asked about these rows."""
        return self.ids is not None


@dataclass(frozen=True)
class Batch:
    """Some prepared rows as tensors on the model's device. `ids` and `attention` are (n, longest)."""

    ids: Any
    attention: Any
    table: Any
    series: Any
    offset: Any
    present: Any
    state: Any


def prepare(
    model: Model, name: str, inputs: Inputs, offset: FloatArray | None = None, tokens: Tokens | None = None
) -> Prepared:
    """Turn inputs into what the net reads. Modalities that the model has no part for are left out.

    `tokens` are those of the texts, where they have been read already.
    """
    parts = model.parts[name]
    table = series = ids = present = cut = None
    lengths = np.ones(len(inputs), dtype=np.int64)
    if "text" in parts and inputs.text is not None:
        tokens = tokens or tokenizer.encode(model.tokenizer, inputs.text, inputs.hidden)
        ids, cut = tokens.ids, tokens.truncated
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        present = np.array([bool(text.strip()) for text in inputs.text], dtype=np.float32).reshape(-1, 1)
    if "table" in parts and inputs.table is not None:
        table = model.frames[name].table(inputs.table)
    if "series" in parts and inputs.series is not None:
        series = _series(model, name, inputs.series)
    first = None if offset is None else offset.astype(np.float32)
    return Prepared(ids, table, series, first, present, lengths, truncated=cut)


def batch(model: Model, prepared: Prepared, index: IntArray) -> Batch:
    """The rows at `index` as tensors, padded to the longest of them."""
    device = model.device
    ids = attention = state = None
    if prepared.ids is not None:
        ids, attention = pad(model, [prepared.ids[i] for i in index.tolist()])
    if prepared.states is not None:
        state = prepared.states.padded(index).to(device)

    def pick(values: NDArray[np.float32] | None) -> Any:
        return None if values is None else torch.from_numpy(values[index]).to(device)

    return Batch(
        ids=ids,
        attention=attention,
        table=pick(prepared.table),
        series=pick(prepared.series),
        offset=pick(prepared.offset),
        present=pick(prepared.present),
        state=state,
    )


def forward(model: Model, name: str, rows: Batch, without: frozenset[str] = NOTHING) -> Any:
    """Raw answers (n, head.width) of a batch, with gradients; for training. Makes the task's adapter the active one."""
    hidden = {}
    if rows.ids is not None and "text" not in without:
        model.activate(name)
        hidden["text"] = model.pool(rows.ids, rows.attention, rows.state)
    for part in ("table", "series"):
        value = getattr(rows, part)
        if value is not None and part not in without:
            hidden[part] = model.nets[name].encode(part, value)
    held = next(value for value in (rows.ids, rows.table, rows.series, rows.offset) if value is not None)
    return _fuse(model, name, hidden, rows.present, None if "classical" in without else rows.offset, len(held))


def features(
    model: Model, name: str, inputs: Inputs, without: frozenset[str] = NOTHING, cache: Cache | None = None
) -> Features:
    """Hidden states and the classical answer of rows: the costly half of `raw`, shared by every ablation."""
    if model.tasks[name].writer is not None:
        return _programs(model, name, inputs, without)
    prepared = prepare(model, name, inputs)
    hidden = _small(model, name, prepared, without, cache)
    if prepared.ids is not None and "text" not in without:
        hidden["text"] = pooled(model, prepared.ids, [model.adapters[name]] * len(prepared.ids), cache)
    offset = _offset(model, name, inputs, without)
    return Features(hidden, prepared.present, offset, len(inputs), prepared.truncated)


def combine(model: Model, name: str, found: Features, without: frozenset[str] = NOTHING) -> FloatArray:
    """Raw answers from hidden states, with some parts ("text", "table", "series", "classical") switched off."""
    device = model.device
    if found.written is not None:
        weights = model.nets[name].scale.detach().double().cpu().numpy().copy()
        weights[[part in without for part in ("text", "classical")]] = 0.0
        return writer.chosen(found.written, weights)
    with model.evaluating(), torch.no_grad():
        hidden = {part: torch.from_numpy(h).to(device) for part, h in found.hidden.items() if part not in without}
        offset = None if found.offset is None or "classical" in without else found.offset.astype(np.float32)
        present = None if found.present is None else torch.from_numpy(found.present).to(device)
        start = None if offset is None else torch.from_numpy(offset).to(device)
        total = _fuse(model, name, hidden, present, start, found.rows)
    return total.double().cpu().numpy()  # type: ignore[no-any-return]


def raw(
    model: Model, name: str, inputs: Inputs, without: frozenset[str] = NOTHING, cache: Cache | None = None
) -> FloatArray:
    """Raw answers (n, head.width), before calibration: evaluation mode, no gradients, the same for the same rows.

    With a cache the states of texts and series that it holds are not computed again: hiding one part of a row does not
    change the states of the others.
    """
    return combine(model, name, features(model, name, inputs, without, cache), without)


def features_many(
    model: Model, inputs: Mapping[str, Inputs], texts: Mapping[str, Texts] | None = None
) -> dict[str, Features]:
    """What `features` gives for each of several tasks, whose texts go through the body together.

    `texts` by task, where they have been read already.
    """
    found = {name: features(model, name, rows) for name, rows in inputs.items() if model.tasks[name].writer is not None}
    inputs = {name: rows for name, rows in inputs.items() if name not in found}
    known = read(model, inputs) if texts is None else texts
    names = [name for name in inputs if name in known]
    ids = [row for name in names for row in known[name].tokens.ids]
    adapters = [model.adapters[name] for name in names for _ in known[name].tokens.ids]
    states, start = pooled(model, ids, adapters, keys=[key for name in names for key in known[name].keys]), 0
    for name, rows in inputs.items():
        own = prepare(model, name, rows, tokens=known[name].tokens if name in known else None)
        hidden: dict[str, NDArray[np.float32]] = _small(model, name, own)
        if own.ids is not None:
            hidden["text"] = states[start : start + len(own.ids)]
            start += len(own.ids)
        found[name] = Features(hidden, own.present, _offset(model, name, rows, NOTHING), len(rows), own.truncated)
    return found


def raw_many(model: Model, names: Sequence[str], inputs: Inputs) -> FloatArray:
    """(n, widths) raw answers of several tasks to the same rows; a merged model's lower layers are run once a text."""
    found = features_many(model, dict.fromkeys(names, inputs))
    return np.hstack([combine(model, name, found[name]) for name in names])


def side_by_side(model: Model, name: str, found: Features) -> FloatArray:
    """(n, d) hidden states of all parts, zeros where a part is absent; for distances to known data."""
    if found.written is not None:
        return found.hidden["text"].astype(np.float64)
    blocks = [
        found.hidden.get(part, np.zeros((found.rows, width), dtype=np.float32))
        for part, width in model.nets[name].widths.items()
    ]
    return np.concatenate([np.zeros((found.rows, 0)), *blocks], axis=1)


def beyond(model: Model, name: str, inputs: Inputs) -> NDArray[np.bool_]:
    """(n,) whether a number of a row's table lies farther out than the net is shown, which clips it."""
    if inputs.table is None or "table" not in model.parts[name]:
        return np.zeros(len(inputs), dtype=np.bool_)
    return model.frames[name].beyond(inputs.table)


def truncated(model: Model, name: str, inputs: Inputs) -> NDArray[np.bool_]:
    """(n,) whether a row's text is longer than the body's window, so that its end was not read."""
    if model.tasks[name].writer is not None:
        return writer.cut(model, name, inputs)
    if inputs.text is None or model.backbone is None:
        return np.zeros(len(inputs), dtype=np.bool_)
    return tokenizer.encode(model.tokenizer, inputs.text).truncated


def _programs(model: Model, name: str, inputs: Inputs, without: frozenset[str]) -> Features:
    """Programs in place of hidden states that a net would read."""
    offset = _offset(model, name, inputs, without)
    found = writer.write(model, name, inputs, alone="classical" in without)
    hidden = {"text": found.states.astype(np.float32)}
    return Features(hidden, None, offset, len(inputs), found.cut, found.programs)


def _fuse(model: Model, name: str, hidden: dict[str, Any], present: Any, offset: Any, rows: int) -> Any:
    centre, spread = model.frames[name].ends(model.device)
    start = centre.expand(rows, -1) if offset is None else offset
    return model.nets[name].fuse(hidden, {} if present is None else {"text": present}, start, (centre, spread))


def _series(model: Model, name: str, series: FloatArray) -> NDArray[np.float32]:
    task = model.tasks[name]
    shape = (len(task.channels), task.length)
    if series.shape[1:] != shape:
        raise ValueError(f"task {name}: series of shape {series.shape[1:]}, expected {shape} (channels, length)")
    return np.nan_to_num(series, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


def _offset(model: Model, name: str, inputs: Inputs, without: frozenset[str]) -> FloatArray | None:
    state = model.classical.get(name)
    if state is None or "classical" in without:
        return None
    return model.tasks[name].classical.raw(state, inputs)


def _small(
    model: Model, name: str, prepared: Prepared, without: frozenset[str] = NOTHING, cache: Cache | None = None
) -> dict[str, NDArray[np.float32]]:
    """Hidden states of the table and the series; those of series may come from the cache."""
    found, series = {}, prepared.series
    if prepared.table is not None and "table" not in without:
        found["table"] = _encoded(model, name, "table", prepared.table)
    if series is not None and "series" not in without:
        if cache is None or not len(series):
            found["series"] = _encoded(model, name, "series", series)
        else:
            keys = [("series", row.tobytes()) for row in series]
            found["series"] = cache.of(keys, lambda new: _encoded(model, name, "series", series[new]))
    return found


def _encoded(model: Model, name: str, part: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, width) what the small net of one part gives, in passes of SMALL rows."""
    net = model.nets[name]
    if not len(values):
        return np.zeros((0, net.widths[part]), dtype=np.float32)
    with model.evaluating(), torch.no_grad():
        chunks = [torch.from_numpy(values[i : i + SMALL]).to(model.device) for i in range(0, len(values), SMALL)]
        return np.concatenate([net.encode(part, chunk).cpu().numpy() for chunk in chunks])
