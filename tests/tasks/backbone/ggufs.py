"""GGUF files written as llama.cpp's converter writes them, by gguf's own writer and its own table of names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

from tasks.backbone.tiny import tiny

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA,  # llama.cpp knows no other
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "deepseek_v2": gguf.MODEL_ARCH.DEEPSEEK2,
    "deepseek_v3": gguf.MODEL_ARCH.DEEPSEEK2,
}
MERGES = ["Ġ t", "h e", "Ġt he"]
WORDS = [*sorted(ByteLevel.alphabet()), "Ġt", "he", "Ġthe", "<s>", "</s>"]


def model_of(kind: str, *, tied: bool = False) -> Any:
    """A causal model of transformers' own with the words of the toy tokenizer; wide enough for a block of Q8_0."""
    config = tiny(kind).body.config
    if kind == "deepseek_v2":
        config.topk_method = "group_limited_greedy"  # with more than one group, as published
    config.vocab_size, config.tie_word_embeddings = len(WORDS), tied
    config.bos_token_id, config.eos_token_id, config.pad_token_id = len(WORDS) - 2, len(WORDS) - 1, len(WORDS) - 1
    torch.manual_seed(11)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def fields(config: Any) -> dict[str, Any]:
    """The metadata of a model, as conversion/*.py of llama.cpp writes it."""
    given = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
    }
    if not config.model_type.startswith("deepseek"):
        return given | {"rope.dimension_count": config.hidden_size // config.num_attention_heads}
    return given | {
        "attention.q_lora_rank": config.q_lora_rank,
        "attention.kv_lora_rank": config.kv_lora_rank,
        "attention.head_count_kv": 1,
        "attention.key_length": config.kv_lora_rank + config.qk_rope_head_dim,
        "attention.value_length": config.kv_lora_rank,
        "attention.key_length_mla": config.qk_nope_head_dim + config.qk_rope_head_dim,
        "attention.value_length_mla": config.v_head_dim,
        "rope.dimension_count": config.qk_rope_head_dim,
        "leading_dense_block_count": config.first_k_dense_replace,
        "expert_count": config.n_routed_experts,
        "expert_used_count": config.num_experts_per_tok,
        "expert_shared_count": config.n_shared_experts,
        "expert_feed_forward_length": config.moe_intermediate_size,
        "expert_weights_scale": float(config.routed_scaling_factor),
        "expert_weights_norm": bool(config.norm_topk_prob),
        "expert_gating_func": 2 if config.model_type == "deepseek_v3" else 1,
        "expert_group_count": config.n_group,
        "expert_group_used_count": config.topk_group,
    }


def tensors(model: Any, *, halves: bool = True) -> dict[str, Any]:
    """The weights by llama.cpp's names: rows of Llama's heads in pairs, experts in one, kv_b in two `halves`."""
    config, found = model.config, {}
    names = gguf.get_tensor_name_map(ARCHITECTURES[config.model_type], config.num_hidden_layers)
    for key, weight in model.state_dict().items():
        array = weight.numpy().astype(np.float32)
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if key.endswith("experts.gate_up_proj"):
            block = f"blk.{key.split('.')[2]}"
            found[f"{block}.ffn_gate_exps.weight"], found[f"{block}.ffn_up_exps.weight"] = np.split(array, 2, axis=1)
            continue
        stem, _, kind = key.rpartition(".") if key.endswith((".weight", ".bias")) else (key, "", "weight")
        if stem.endswith("e_score_correction_bias"):
            stem, kind = stem.removesuffix("_bias"), "bias"
        name = f"{names.get_name(stem)}.{kind}"
        if config.model_type in ("llama", "mistral") and ("attn_q." in name or "attn_k." in name):
            heads = config.num_attention_heads if "attn_q." in name else config.num_key_value_heads
            array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        if name.endswith("attn_kv_b.weight") and halves:
            joined = array.reshape(config.num_attention_heads, -1, array.shape[1])
            found[name.replace("kv_b", "k_b")] = joined[:, : config.qk_nope_head_dim].swapaxes(1, 2)
            found[name.replace("kv_b", "v_b")] = joined[:, config.qk_nope_head_dim :]
            continue
        found[name] = array
    return found


def write(path: Path, model: Any, kept: str = "F32", *, halves: bool = True, **changes: Any) -> Path:
    """A file of a model; `kept` is the kind of numbers of its matrices, `changes` are metadata keys (None: left out)."""
    architecture = gguf.MODEL_ARCH_NAMES[ARCHITECTURES[model.config.model_type]]
    writer = gguf.GGUFWriter(path, architecture)
    told = {f"{architecture}.{key}": value for key, value in fields(model.config).items()} | {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": WORDS,
        "tokenizer.ggml.token_type": [1] * (len(WORDS) - 2) + [3, 3],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": len(WORDS) - 2,
        "tokenizer.ggml.eos_token_id": len(WORDS) - 1,
        "tokenizer.chat_template": "{{ messages[0]['content'] }}",
    }
    for key, value in (told | {key.replace("__", "."): value for key, value in changes.items()}).items():
        if value is not None and key != "general.architecture":
            _add(writer, key, value)
    kind = gguf.GGMLQuantizationType[kept]
    for name, array in tensors(model, halves=halves).items():
        plain = array.ndim == 1 or array.shape[-1] % 32
        data = np.ascontiguousarray(array) if plain else gguf.quantize(np.ascontiguousarray(array), kind)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.F32 if plain else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)
