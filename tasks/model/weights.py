"""The weights that learn, by name: what an optimizer is given, what is saved, what one task hands to another."""

from __future__ import annotations

from typing import Any

import torch

from tasks.model.model import Model


def parameters(model: Model, name: str) -> dict[str, Any]:
    """The weights that one task learns, by name: its adapter ("adapter.<...>") and its net ("net.<...>")."""
    found = {}
    adapter = model.adapters.get(name)
    if adapter is not None:
        mark = f".{adapter}."
        for key, value in model.body.named_parameters():
            if "lora_" in key and mark in key:
                found[f"adapter.{key.replace(mark, '.')}"] = value
    for key, value in model.nets[name].named_parameters():
        if not value.requires_grad:  # PatchTST's fixed position codes
            continue
        found[f"net.{key}"] = value
    return dict(sorted(found.items()))


def copy(model: Model, name: str, other: str) -> None:
    """Give one task's weights to another of the same shape."""
    start = parameters(model, name)
    with torch.no_grad():
        for key, value in parameters(model, other).items():
            value.copy_(start[key])


def redrawn(model: Model, name: str, seed: int) -> Model:
    """The model itself, with everything that one task learned drawn at random, as large as it was."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in parameters(model, name).values():
            size = float(value.float().std()) if value.numel() > 1 else 1.0
            value.copy_(torch.randn(value.shape, generator=draw) * (size or 0.02))
    return model


def trainable(model: Model) -> dict[str, Any]:
    """Every weight that learns, by "<adapter or task>/<name>" in a fixed order; a shared adapter is listed once.

    PEFT marks only the active adapter as trainable; an optimizer must be given all of these.
    """
    found: dict[str, Any] = {}
    for name in sorted(model.tasks):
        for key, value in parameters(model, name).items():
            owner = model.adapters[name] if key.startswith("adapter.") else name
            found[f"{owner}/{key}"] = value
    return found
