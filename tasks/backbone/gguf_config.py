"""The config.json of a GGUF file, by architecture; keys and their meaning are those of llama.cpp (gguf-py, conversion).

What cannot be said in a config is refused: passed over, it would give another model than the file holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.backbone.gguf_file import GgufFile, refuse

KINDS = ("llama", "qwen2", "qwen3", "deepseek2")
LARGEST = 2**24  # of any width or count: far above every model's, far below what would fill a memory
EXPERTS = 4096  # of one block
SIGMOID = 2  # llama.cpp's number for experts that are gated by a sigmoid, as DeepSeek V3's
FREQUENCIES = "rope_freqs.weight"
# Llama 3.1 and 3.2 as published: their factors stand in the file as a tensor alone.
LLAMA3: dict[str, Any] = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
FACTORS = (8.0, 32.0)


def config(file: GgufFile) -> dict[str, Any]:
    """The config.json of a file. Raises BackboneMissing for an architecture, a key or a number that is not known."""
    architecture = str(file.fields.get("general.architecture"))
    if architecture not in KINDS:
        refuse(file.name, f"its architecture is {architecture!r}", f"give one of {', '.join(KINDS)}")
    ask = _Asked(file, architecture)
    if "token_embd.weight" not in file.tensors:
        refuse(file.name, "it holds no token_embd.weight", "fetch it again, whole")
    heads = ask.whole("attention.head_count")
    found: dict[str, Any] = {
        "hidden_act": "silu",
        "hidden_size": ask.whole("embedding_length"),
        "intermediate_size": ask.whole("feed_forward_length"),
        "max_position_embeddings": ask.whole("context_length"),
        "num_attention_heads": heads,
        "num_hidden_layers": ask.whole("block_count"),
        "rms_norm_eps": ask.real("attention.layer_norm_rms_epsilon"),
        "rope_parameters": _positions(file, ask),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "vocab_size": file.tensors["token_embd.weight"].shape[0],
    }
    found |= _latent(ask, found) if architecture == "deepseek2" else _plain(ask, architecture, found)
    for name in ("bos", "eos", "padding"):
        token = file.fields.get(f"tokenizer.ggml.{name}_token_id")
        found[f"{name.removesuffix('ding')}_token_id"] = token if type(token) is int else None
    blocks = {name.split(".")[1] for name in file.tensors if name.startswith("blk.")}
    if blocks != {str(index) for index in range(min(found["num_hidden_layers"], len(file.tensors) + 1))}:
        refuse(file.name, f"it tells of {found['num_hidden_layers']} blocks and holds {len(blocks)}", "fetch it again")
    return found


class _Asked:
    """The metadata of one architecture, as numbers in bounds."""

    def __init__(self, file: GgufFile, architecture: str) -> None:
        self.file, self.prefix = file, f"{architecture}."

    def get(self, key: str, default: Any = None) -> Any:
        return self.file.fields.get(self.prefix + key, default)

    def whole(self, key: str, default: int | None = None, most: int = LARGEST) -> int:
        value = self.get(key, default)
        if type(value) is not int or not 0 < value <= most:
            refuse(self.file.name, f"{self.prefix}{key} is {value!r}, not 1 to {most:,}", "take it from its publisher")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A float32 by its shortest name: 1e-05 and not 9.999999747378752e-06."""
        value = self.get(key, default)
        if not isinstance(value, float) or not 0 < value < 1e12:
            refuse(self.file.name, f"{self.prefix}{key} is {value!r}, no positive number", "take it from its publisher")
        return float(str(np.float32(value)))


def _plain(ask: _Asked, architecture: str, found: dict[str, Any]) -> dict[str, Any]:
    if ask.get("expert_count", 0):
        refuse(ask.file.name, f"it is {architecture!r} with experts", "give a body without them, or of deepseek2")
    heads = found["num_attention_heads"]
    width = ask.whole("attention.key_length", max(found["hidden_size"] // heads, 1))
    turned = ask.whole("rope.dimension_count", width)
    if (width, width) != (ask.whole("attention.value_length", width), turned) or width % 2:
        refuse(ask.file.name, f"heads of {width} turn by {turned}", "give a folder of safetensors")
    biased = {"attention_bias": False} if architecture != "qwen2" else {}
    kept = ask.whole("attention.head_count_kv", heads)
    return {"model_type": architecture, "head_dim": width, "num_key_value_heads": kept} | biased


def _latent(ask: _Asked, found: dict[str, Any]) -> dict[str, Any]:
    """DeepSeek's attention and experts. Files of an older llama.cpp name no groups: one holds all experts, as there."""
    sigmoid = ask.get("expert_gating_func", 1) == SIGMOID
    turned = ask.whole("rope.dimension_count")
    key = ask.whole("attention.key_length_mla", ask.get("attention.key_length"))
    groups = ask.whole("expert_group_count", 1)
    if key <= turned:
        refuse(ask.file.name, f"heads of {key} turn by {turned}", "take the file from its publisher")
    own = {} if sigmoid else {"topk_method": "group_limited_greedy" if groups > 1 else "greedy"}
    return own | {
        "attention_bias": False,
        "first_k_dense_replace": ask.get("leading_dense_block_count", 0),
        "kv_lora_rank": ask.whole("attention.kv_lora_rank"),
        "model_type": "deepseek_v3" if sigmoid else "deepseek_v2",
        "moe_intermediate_size": ask.whole("expert_feed_forward_length"),
        "n_group": groups,
        "n_routed_experts": ask.whole("expert_count", most=EXPERTS),
        "n_shared_experts": ask.whole("expert_shared_count", 1),
        "norm_topk_prob": bool(ask.get("expert_weights_norm", False)),
        "num_experts_per_tok": ask.whole("expert_used_count"),
        "num_key_value_heads": found["num_attention_heads"],
        "q_lora_rank": ask.get("attention.q_lora_rank") and ask.whole("attention.q_lora_rank"),
        "qk_nope_head_dim": key - turned,
        "qk_rope_head_dim": turned,
        "routed_scaling_factor": ask.real("expert_weights_scale", 1.0),
        "topk_group": ask.whole("expert_group_used_count", 1),
        "v_head_dim": ask.whole("attention.value_length_mla", ask.get("attention.value_length")),
    }


def _positions(file: GgufFile, ask: _Asked) -> dict[str, Any]:
    """How positions turn the heads, as transformers' rope_parameters."""
    base: dict[str, Any] = {"rope_theta": ask.real("rope.freq_base", 10000.0), "rope_type": "default"}
    kind = ask.get("rope.scaling.type", "none")
    if FREQUENCIES in file.tensors:
        return base | _llama3(file, base["rope_theta"])
    if kind == "none":
        return base
    if kind not in ("linear", "yarn"):
        refuse(file.name, f"its positions are scaled by {kind!r}", "give a folder of safetensors")
    base |= {"rope_type": kind, "factor": ask.real("rope.scaling.factor")}
    if kind == "yarn":
        base["original_max_position_embeddings"] = ask.whole("rope.scaling.original_context_length")
    if ask.get("rope.scaling.yarn_log_multiplier"):  # a tenth of DeepSeek's two equal mscales
        base["mscale"] = base["mscale_all_dim"] = round(10 * ask.real("rope.scaling.yarn_log_multiplier"), 6)
    return base


def _llama3(file: GgufFile, theta: float) -> dict[str, Any]:
    """The published setting whose factors stand in the file (transformers' _compute_llama3_parameters)."""
    factors = file.numbers(FREQUENCIES).ravel().astype(np.float64)
    wave = 2 * np.pi * theta ** (np.arange(len(factors)) / len(factors))
    low, high = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"]
    smooth = np.clip((LLAMA3["original_max_position_embeddings"] / wave - low) / (high - low), 0, 1)
    fit = [each for each in FACTORS if np.allclose(1 / ((1 - smooth) / each + smooth), factors, rtol=1e-4)]
    if not fit:
        refuse(file.name, f"{FREQUENCIES} holds factors of no published Llama", "give a folder of safetensors")
    return LLAMA3 | {"rope_type": "llama3", "factor": fit[0]}
