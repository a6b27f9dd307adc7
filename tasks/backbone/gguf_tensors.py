"""The tensors of a GGUF file by the names and in the shapes that transformers knows: none missing, none passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.backbone.gguf_config import FREQUENCIES
from tasks.backbone.gguf_file import GgufFile, refuse
from tasks.task import FloatArray

Shapes = dict[str, tuple[int, ...]]
OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
# Of a block; what follows the last point (weight, bias) stays.
PARTS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    **{f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"},
    **{f"attn_{part}_norm": f"self_attn.{part}_norm" for part in "qk"},
    **{f"attn_q_{part}": f"self_attn.q_{part}_proj" for part in "ab"},
    **{f"attn_{part}_a_norm": f"self_attn.{part}_a_layernorm" for part in ("q", "kv")},
    "attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa",
    "attn_kv_b": "self_attn.kv_b_proj",
    "attn_k_b": "self_attn.kv_b_proj",  # the two halves of a newer llama.cpp
    "attn_output": "self_attn.o_proj",
    **{f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")},
    **{f"ffn_{part}_shexp": f"mlp.shared_experts.{part}_proj" for part in ("gate", "up", "down")},
    "ffn_gate_inp": "mlp.gate",
}
WHOLE = {"exp_probs_b.bias": "mlp.gate.e_score_correction_bias"}
HALF = "attn_v_b.weight"


def tensors(file: GgufFile, asked: dict[str, Any]) -> Iterator[tuple[str, FloatArray]]:
    """Every tensor by its name in transformers, one tensor of the file at a time in the memory.

    Raises BackboneMissing where one is missing, stands there twice, is not known, or has another shape than is due.
    """
    expected = shapes(asked)
    for source, names in _plan(file, asked, expected).items():
        whole = _read(file, source, asked)
        parts = whole if source.endswith("_exps.weight") else (whole,)
        for name, part in zip(names, parts, strict=False):
            if part.shape != expected[name] or len(parts) != len(names):
                refuse(file.name, f"{source!r} is {whole.shape}, {name} is {expected[name]}", "fetch it again, whole")
            yield name, part


def _plan(file: GgufFile, asked: dict[str, Any], expected: Shapes) -> dict[str, list[str]]:
    """The names in transformers of each tensor of the file, in the file's order."""
    found: dict[str, list[str]] = {}
    given: set[str] = set()
    for source in file.tensors:
        if source == FREQUENCIES or source.endswith(HALF):
            continue
        found[source] = _names(source, asked)
        wrong = [name for name in found[source] if name not in expected or name in given]
        if wrong:
            refuse(file.name, f"{source!r} has no place in a {asked['model_type']}", "give a folder of safetensors")
        given.update(found[source])
    missing = sorted(expected.keys() - given)
    if missing:
        refuse(file.name, f"it holds nothing for {missing[0]} and {len(missing) - 1} others", "fetch it again, whole")
    return found


def _read(file: GgufFile, source: str, asked: dict[str, Any]) -> FloatArray:
    """The numbers of one tensor, its rows as transformers orders them."""
    found = file.numbers(source)
    if source.endswith("attn_k_b.weight"):
        return _joined(found, file, source, asked)
    if asked["model_type"] == "llama" and source.endswith(("attn_q.weight", "attn_k.weight")):
        heads = asked["num_attention_heads" if "attn_q" in source else "num_key_value_heads"]
        return _unturned(found, heads) if found.shape[0] % (2 * heads) == 0 else found
    return found


def _names(name: str, asked: dict[str, Any]) -> list[str]:
    """What one tensor of the file is in transformers; all experts of a block are one tensor there, and many here."""
    if name in OUTSIDE:
        return [OUTSIDE[name]]
    _, index, rest = (*name.split(".", 2), "", "")[:3]
    part, _, kind = rest.rpartition(".")
    block = f"model.layers.{index}."
    if part.endswith("_exps"):
        inner = f"{part.removeprefix('ffn_').removesuffix('_exps')}_proj.{kind}"
        return [f"{block}mlp.experts.{each}.{inner}" for each in range(asked.get("n_routed_experts", 0))] or [name]
    return [block + (WHOLE.get(rest) or f"{PARTS.get(part, part)}.{kind}")]


def _unturned(weights: FloatArray, heads: int) -> FloatArray:
    """Rows of a head in the order of transformers, halves instead of pairs: the inverse of llama.cpp's permute."""
    pairs = weights.reshape(heads, -1, 2, weights.shape[1])
    return pairs.swapaxes(1, 2).reshape(weights.shape)


def _joined(keys: FloatArray, file: GgufFile, source: str, asked: dict[str, Any]) -> FloatArray:
    """kv_b from its two halves: keys (heads, rank, plain), values (heads, value, rank)."""
    other = source.replace("attn_k_b.weight", HALF)
    heads, rank = asked["num_attention_heads"], asked["kv_lora_rank"]
    shape = (heads, asked["v_head_dim"], rank)
    if other not in file.tensors or file.tensors[other].shape != shape or keys.shape[:2] != shape[::2]:
        refuse(file.name, f"{source!r} has no {other!r} of shape {shape} beside it", "fetch it again, whole")
    return np.concatenate([keys.swapaxes(1, 2), file.numbers(other)], axis=1).reshape(-1, rank)


def shapes(asked: dict[str, Any]) -> Shapes:
    """Every tensor that transformers will ask for, experts one by one, with its shape."""
    width, inner, vocabulary = asked["hidden_size"], asked["intermediate_size"], asked["vocab_size"]
    found: Shapes = {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
    if not asked["tie_word_embeddings"]:
        found["lm_head.weight"] = (vocabulary, width)
    attention = _attention if "kv_lora_rank" not in asked else _latent_attention
    for index in range(asked["num_hidden_layers"]):
        block = f"model.layers.{index}."
        norms: Shapes = {"input_layernorm.weight": (width,), "post_attention_layernorm.weight": (width,)}
        dense = index < asked.get("first_k_dense_replace", index + 1)
        mlp = _mlp("mlp.", width, inner) if dense else _experts(asked)
        found |= {block + name: shape for name, shape in (norms | attention(asked) | mlp).items()}
    return found


def _mlp(prefix: str, width: int, inner: int) -> Shapes:
    up = {f"{prefix}{part}_proj.weight": (inner, width) for part in ("gate", "up")}
    return {**up, f"{prefix}down_proj.weight": (width, inner)}


def _attention(asked: dict[str, Any]) -> Shapes:
    width, head = asked["hidden_size"], asked["head_dim"]
    rows = {"q": asked["num_attention_heads"] * head, "k": asked["num_key_value_heads"] * head}
    rows["v"] = rows["k"]
    found: Shapes = {f"self_attn.{part}_proj.weight": (count, width) for part, count in rows.items()}
    if asked["model_type"] == "qwen2":
        found |= {f"self_attn.{part}_proj.bias": (count,) for part, count in rows.items()}
    if asked["model_type"] == "qwen3":
        found |= {f"self_attn.{part}_norm.weight": (head,) for part in "qk"}
    return found | {"self_attn.o_proj.weight": (width, rows["q"])}


def _latent_attention(asked: dict[str, Any]) -> Shapes:
    width, heads, rank = asked["hidden_size"], asked["num_attention_heads"], asked["kv_lora_rank"]
    plain, turned, value = asked["qk_nope_head_dim"], asked["qk_rope_head_dim"], asked["v_head_dim"]
    queries, low = heads * (plain + turned), asked["q_lora_rank"]
    found: Shapes = {
        "self_attn.kv_a_proj_with_mqa.weight": (rank + turned, width),
        "self_attn.kv_a_layernorm.weight": (rank,),
        "self_attn.kv_b_proj.weight": (heads * (plain + value), rank),
        "self_attn.o_proj.weight": (width, heads * value),
    }
    if low is None:
        return found | {"self_attn.q_proj.weight": (queries, width)}
    inner: Shapes = {"q_a_proj": (low, width), "q_a_layernorm": (low,), "q_b_proj": (queries, low)}
    return found | {f"self_attn.{name}.weight": shape for name, shape in inner.items()}


def _experts(asked: dict[str, Any]) -> Shapes:
    width, inner, count = asked["hidden_size"], asked["moe_intermediate_size"], asked["n_routed_experts"]
    found: Shapes = {"mlp.gate.weight": (count, width)}
    if asked["model_type"] == "deepseek_v3":
        found["mlp.gate.e_score_correction_bias"] = (count,)
    for index in range(count):
        found |= _mlp(f"mlp.experts.{index}.", width, inner)
    return found | _mlp("mlp.shared_experts.", width, inner * asked["n_shared_experts"])
