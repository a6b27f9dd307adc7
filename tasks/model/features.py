"""Hidden states of rows, between the costly half of an answer and the cheap one: taken apart, and joined again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray, IntArray


@dataclass(frozen=True)
class Features:
    """Hidden states of the parts (n, width of the part), computed once; `combine` turns them into answers cheaply.

    present    (n, 1) whether a row holds a text; offset (n, head.width) the classical answer
    truncated  (n,) whether the end of its text was not read
    written    (n, CANDIDATES, 2 + PROGRAM) as writer.Written has them
    """

    hidden: Mapping[str, NDArray[np.float32]]
    present: NDArray[np.float32] | None
    offset: FloatArray | None
    rows: int
    truncated: NDArray[np.bool_] | None = None
    written: FloatArray | None = None

    def take(self, index: IntArray) -> Features:
        """The rows at `index`, in that order."""
        rest = {name: None if value is None else value[index] for name, value in _arrays(self).items()}
        return Features({name: value[index] for name, value in self.hidden.items()}, rows=len(index), **rest)


def joined(parts: Sequence[Features]) -> Features:
    """The rows of several, at least one, one after the other."""
    if len(parts) == 1:
        return parts[0]

    def along(values: Sequence[Any]) -> Any:
        return None if any(value is None for value in values) else np.concatenate(values)

    arrays = [_arrays(part) for part in parts]
    return Features(
        hidden={name: along([part.hidden[name] for part in parts]) for name in parts[0].hidden},
        rows=sum(part.rows for part in parts),
        **{name: along([each[name] for each in arrays]) for name in arrays[0]},
    )


def _arrays(found: Features) -> dict[str, Any]:
    names = [field.name for field in fields(Features) if field.name not in ("hidden", "rows")]
    return {name: getattr(found, name) for name in names}
