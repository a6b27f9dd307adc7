"""What depends on this machine: threads, memory, the card, and whether bfloat16 by autocast is fast.

On a processor the matrix products of a step gain from it, but the backward pass of torch's own attention was several
times slower than in float32 (seen in torch's profiler, on two cores with AVX512-BF16): there attention keeps float32.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "sdpa_in_float32"
KERNELS = "16"  # compiled kernels that oneDNN keeps


def is_fast(device: str) -> bool:
    """Whether this card or processor computes in bfloat16 itself."""
    if device != "cpu":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text(encoding="utf-8") for flag in ("avx512_bf16", "amx_bf16"))


def keep_few_kernels() -> None:
    """Bound what oneDNN and its bridge in torch keep of compiled kernels; to be called before the first product.

    They keep 1024, one for each shape of a batch: more than half of the memory of a job on a small body, and more with
    more rows. Compiling again takes a few hundredths of the time.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, KERNELS)


def group_heads() -> None:
    """Let the query heads of a group share its keys and values: transformers copies them for each beside a mask.

    On a processor torch's attention takes groups beside a mask, to the same bits; on a card it then leaves the fast
    kernel. A writer's training reads a whole document's keys in each row, so that the copies were a quarter of a step.
    """
    if not torch.cuda.is_available():
        os.environ.setdefault("TRANSFORMERS_SDPA_FORCE_GQA", "1")


def keep_attention(body: Any) -> None:
    """Make a body compute attention in float32 under autocast."""

    def attention(module: Any, query: Any, key: Any, value: Any, mask: Any, **settings: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return sdpa_attention_forward(module, query.float(), key.float(), value.float(), mask, **settings)

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    body.set_attn_implementation(NAME)


def device_name() -> str:
    """What a body would be trained on here: the GPU's name, or the processor with torch's thread count."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {torch.cuda.device_count()} in all"
    return f"no GPU; the processor with {torch.get_num_threads()} threads, which is enough for small encoders"


def set_threads(count: int) -> None:
    """How many threads torch computes with. The last digits of a sum depend on it, so a run states it."""
    torch.set_num_threads(count)


def trim_heap() -> None:
    """Hand the system what is free in the C heap: tokens, fits and passes of many sizes leave it torn (glibc alone)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
