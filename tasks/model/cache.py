"""Hidden states by what they were computed from: who asks about the same texts and series again does not pay again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 20_000  # states that are kept; a game over mixed parts asks for the same few again and again


class Cache:
    """States (width,) by key. A cache belongs to one model: its keys name what was read, not who read it."""

    def __init__(self) -> None:
        self._states: dict[Hashable, NDArray[np.float32]] = {}

    def of(self, keys: Sequence[Hashable], compute: Callable[[list[int]], Any]) -> NDArray[np.float32]:
        """(len(keys), width) the state of each key, at least one; `compute` gives those of the places in `keys`.

        A key that stands several times, or that was asked for before, is computed once.
        """
        if len(self._states) > MOST:
            self._states.clear()
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in self._states}
        new = sorted(first.values())
        if new:
            self._states.update(zip([keys[place] for place in new], compute(new), strict=True))
        return np.stack([self._states[key] for key in keys])


class Recent:
    """Tensors by key, `limit` bytes of them: those that were not asked for longest go first."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self._kept: OrderedDict[bytes, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> Any:
        """What was put under a key; None where it is not there."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, value: Any) -> None:
        """Keep a copy of a tensor, if there is room for it at all."""
        if value.nbytes > self.limit or key in self._kept:
            return
        self._kept[key] = value.clone()
        self.held += value.nbytes
        while self.held > self.limit:
            self.held -= self._kept.popitem(last=False)[1].nbytes
