"""The served model as the value function of a game, which never reads the same masked text twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from interpret.game import Raw
from tasks.task import FloatArray, Inputs

MOST = 20_000  # hidden states kept; a game over mixed parts asks for the same few texts again and again


def raw_of(model: Any, name: str) -> Raw:
    """Inputs -> raw answers (n, width) of one task of a loaded model, equal to tasks.model.raw.

    Hidden states of masked texts are kept, because hiding a number does not change them: a game over text and table
    then costs one pass of the backbone per combination of text spans, however many combinations of numbers are asked.
    """
    from tasks import model as models

    kept: dict[Any, Any] = {}

    def raw(inputs: Inputs) -> FloatArray:
        if inputs.text is None or "text" not in model.parts[name]:
            return np.asarray(models.raw(model, name, inputs))
        hidden = inputs.hidden or ((),) * len(inputs)
        keys = list(zip(inputs.text, hidden, strict=True))
        new = list(dict.fromkeys(key for key in keys if key not in kept))
        if len(kept) + len(new) > MOST:
            kept.clear()
            new = list(dict.fromkeys(keys))
        if new:
            states = models.features(model, name, _texts(new), frozenset({"table", "series", "classical"})).hidden[
                "text"
            ]
            kept.update(zip(new, states, strict=True))
        rest = models.features(model, name, inputs, frozenset({"text"}))
        states = np.stack([kept[key] for key in keys])
        whole = models.Features({**rest.hidden, "text": states}, rest.present, rest.offset, rest.rows)
        return np.asarray(models.combine(model, name, whole))

    return raw


def _texts(keys: list[tuple[str, tuple[tuple[int, int], ...]]]) -> Inputs:
    return Inputs(
        owner=np.arange(len(keys), dtype=np.int64),
        text=tuple(text for text, _ in keys),
        hidden=tuple(hidden for _, hidden in keys),
    )
