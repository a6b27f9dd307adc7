"""The blocks of a body: where their list stands, how many are adapted, which linear layers LoRA takes."""

from __future__ import annotations

from typing import Any, Literal

import torch


def targets(body: Any, layers: int | Literal["all"]) -> list[str]:
    """Full names of the linear layers that LoRA adapts: those of the top `layers` blocks, in the body's own order.

    Never an expert router or gate (it decides who computes, and moves the load), never a pooler that no one reads. In a
    body with routed experts only attention (MLA) is adapted: PEFT reads `gate_proj` there as the fused tensor of all
    routed experts, which allows neither dropout nor mixed batches.
    """
    stack, count = block_list(body)
    prefixes = tuple(f"{stack}.{index}." for index in range(depth(layers, count), count))
    linear = [
        name
        for name, module in body.named_modules()
        if isinstance(module, torch.nn.Linear)
        and name.startswith(prefixes)
        and name.rsplit(".", 1)[-1] not in ("router", "gate", "shared_expert_gate")
    ]
    experts = any(name.endswith(".experts") for name, _ in body.named_modules())
    return [name for name in linear if ".self_attn." in name] if experts else linear


def depth(layers: int | Literal["all"], count: int) -> int:
    """How many of a body's `count` blocks lie below the top `layers` ones. Raises ValueError below 1."""
    adapted = count if layers == "all" else min(layers, count)
    if adapted < 1:
        raise ValueError(f"lora.layers is {layers!r}; give 'all' or a number from 1 to {count}")
    return count - adapted


def block_list(body: Any) -> tuple[str, int]:
    """Name and size of the list of blocks: the longest ModuleList that is not inside another one."""
    lists = [(name, len(module)) for name, module in body.named_modules() if isinstance(module, torch.nn.ModuleList)]
    outer = [entry for entry in lists if not any(entry[0].startswith(other + ".") for other, _ in lists)]
    if not outer:
        raise ValueError(f"{type(body).__name__} has no list of layers; use a BERT, Llama, Qwen or DeepSeek body")
    return max(outer, key=lambda entry: entry[1])
