"""`[backbone]` and `[lora]`: which body, and where its adapters stand. Read without torch."""

from __future__ import annotations

from typing import Literal

from tasks.task import Section

DEFAULT = "all-MiniLM-L6-v2"
SMOLLM2 = "smollm2-135m-instruct"


class BackboneSection(Section):
    """`[backbone]`: which body. `digest` is that of its weights, or of the GGUF file that `name` means.

    An empty one pins nothing but the packaged bodies, which are always the published ones.
    """

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
