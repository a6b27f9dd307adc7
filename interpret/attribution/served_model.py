"""The served model as the value function of a game, which never encodes the same text or series twice."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from interpret.attribution.game import Raw
from tasks.model import forward
from tasks.task import FloatArray, Inputs

MOST = 20_000  # hidden states kept; a game over mixed parts asks for the same few texts and series again and again


def raw_of(model: Any, name: str) -> Raw:
    """Inputs -> raw answers (n, width) of one task of a loaded model, equal to tasks.model.forward.raw.

    Hidden states of texts and series are kept, because hiding one part does not change the states of the others: a game
    over text and table then costs one pass of the backbone per combination of text spans, however many combinations of
    numbers are asked.
    """
    kept: dict[str, dict[Hashable, Any]] = {"text": {}, "series": {}}

    def raw(inputs: Inputs) -> FloatArray:
        hidden = {}
        for part, keys in _keys(inputs).items():
            if part in model.parts[name]:
                hidden[part] = _states(model, name, part, inputs, keys, kept[part])
        table = Inputs(owner=inputs.owner, table=inputs.table)
        rest = forward.features(model, name, table, frozenset({"classical"})).hidden
        present = None
        if "text" in hidden and inputs.text is not None:
            present = np.array([[bool(text.strip())] for text in inputs.text], dtype=np.float32)
        state = model.classical.get(name)
        offset = None if state is None else model.tasks[name].classical.raw(state, inputs)
        return np.asarray(
            forward.combine(model, name, forward.Features({**rest, **hidden}, present, offset, len(inputs)))
        )

    return raw


def _keys(inputs: Inputs) -> dict[str, list[Hashable]]:
    """What tells one text (with its hidden spans) or one series from another."""
    found: dict[str, list[Hashable]] = {}
    if inputs.text is not None:
        found["text"] = list(zip(inputs.text, inputs.hidden or ((),) * len(inputs), strict=True))
    if inputs.series is not None:
        found["series"] = [row.tobytes() for row in inputs.series]
    return found


def _states(
    model: Any, name: str, part: str, inputs: Inputs, keys: Sequence[Hashable], kept: dict[Hashable, Any]
) -> Any:
    """The hidden states (n, d) of one part, encoding only those that were not kept; `keys` tell the n rows apart."""
    if len(kept) > MOST:
        kept.clear()
    new = {key: at for at, key in reversed(list(enumerate(keys))) if key not in kept}
    if new:
        rows = inputs.take(np.array(sorted(new.values()), dtype=np.int64))
        alone = Inputs(owner=rows.owner, **{part: getattr(rows, part)}, hidden=rows.hidden if part == "text" else None)
        states = forward.features(model, name, alone, frozenset({"classical"})).hidden[part]
        kept.update(zip([keys[at] for at in sorted(new.values())], states, strict=True))
    return np.stack([kept[key] for key in keys])
