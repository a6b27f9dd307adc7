"""What a token of learning costs, and the speed at which a GPU would be fully used: the measure behind MFU.

A token costs 4 FLOP per weight that it passes from the lowest adapter up: 2 forward and 2 backward to the inputs, since
a frozen weight has no gradient. Below, it costs 2 forward, or nothing where the states are stored. Embeddings, adapters
and attention scores are left out, as is what activation checkpointing computes again; of routed experts only those
count that a token is sent to.
Source of the measure: Chowdhery et al. 2022, PaLM, arXiv:2204.02311, appendix B.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from tasks.backbone.blocks import block_list
from tasks.model.model import Model

SIZE, ROUNDS = 8192, 20  # of the matrix product that measures a card


def ceiling(net: Model, *, stored: bool, workers: int) -> float | None:
    """Tokens per second at which the learning would take every FLOP of all workers' cards; None on a processor."""
    if net.body is None or net.device.type != "cuda":
        return None
    return workers * _peak(net.device) / per_token(net, stored=stored)


def per_token(net: Model, *, stored: bool) -> float:
    """FLOP of one token of one learning step."""
    inner = net.body.get_base_model()
    name, _ = block_list(inner)
    depth = 0 if net.trunk is None else net.trunk.depth
    below = 0 if stored else 2
    return sum(
        _passed(block, inner.config) * (4 if place >= depth else below)
        for place, block in enumerate(inner.get_submodule(name))
    )


def _passed(block: Any, config: Any) -> float:
    """Weights of a block that one token passes."""
    share = getattr(config, "num_experts_per_tok", 1) / getattr(config, "n_routed_experts", 1)
    return sum(
        weight.numel() * (share if ".experts." in f".{name}" else 1.0)
        for name, weight in block.named_parameters()
        if "lora_" not in name
    )


def _peak(device: Any) -> float:
    """FLOP per second of a large bf16 matrix product, measured on this card."""
    left, right = (torch.randn(SIZE, SIZE, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize(device)
    began = time.monotonic()
    for _ in range(ROUNDS):
        left @ right
    torch.cuda.synchronize(device)
    return 2.0 * SIZE**3 * ROUNDS / (time.monotonic() - began)
