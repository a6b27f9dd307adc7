"""`[backbone]` and `[lora]`: which body, and where its adapters stand. Read without torch."""

from __future__ import annotations

from typing import Literal

from tasks.task import Section

DEFAULT = "all-MiniLM-L6-v2"


class BackboneSection(Section):
    """`[backbone]`: which body. An empty digest pins nothing but the default's, which is always the published one."""

    name: str = DEFAULT
    revision: str = ""
    digest: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"


class LoraSection(Section):
    """`[lora]`: the adapters. `layers` counts from the top of the body; below it nothing needs a gradient."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    layers: int | Literal["all"] = 2
    mode: Literal["per_task", "shared"] = "per_task"
