"""Tiny random bodies of every kind, with a tokenizer made in code: architectures are tested without any download."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any, Literal, get_args

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tasks import digest
from tasks.backbone.body import DECODERS, Backbone, BackboneMissing, frozen
from tasks.backbone.tokenizer import from_json

Kind = Literal["bert", "llama", "mistral", "qwen2", "qwen3", "deepseek_v2", "deepseek_v3"]
WINDOW = 256
# A few whole words, so that a tiny body can learn something about finance from short sequences.
WORDS = (
    "the of and to in a for is was on by with from at as not no more less than profit loss sales revenue rose "
    "fell grew increased decreased improved weakened net operating income share shares price market company "
    "quarter year period million percent up down higher lower strong weak growth decline risk credit default "
    "payment account contract terms service may will shall terminate liability notice without reason change law "
    "court price volatility gain dividend debt order rating"
)


def tiny(kind: str, seed: int = 0) -> Backbone:
    """A random body of one architecture: 2 layers, 32 wide. DeepSeek kinds have latent attention and routed experts.

    A decoder gets output words of its own, drawn after the body: its digest is that of the body alone.
    """
    if kind not in get_args(Kind):
        raise BackboneMissing(f"there is no tiny backbone {kind!r}; the kinds are {', '.join(get_args(Kind))}")
    words = _tokenizer(encoder=kind == "bert")
    tokenizer = from_json(words, WINDOW)
    config = _config(kind, tokenizer.backend.get_vocab_size())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = _body(kind, config)
        matrix = torch.randn(config.vocab_size, config.hidden_size) * 0.02 if kind in DECODERS else None
    settings = digest.of_json(json.loads(config.to_json_string(use_diff=False)))
    return frozen(body, tokenizer, f"tiny-{kind}", (_digest(body), digest.of_bytes(words.encode()), settings), matrix)


def _config(kind: str, vocabulary: int) -> Any:
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": WINDOW,
        "pad_token_id": 0,
    }
    latent = {
        "num_key_value_heads": 4, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
        "v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 2,
        "topk_group": 1, "moe_intermediate_size": 16, "first_k_dense_replace": 1, "bos_token_id": 2, "eos_token_id": 3,
    }  # fmt: skip
    if kind == "bert":
        return transformers.BertConfig(**sizes)
    if kind.startswith("deepseek"):
        return transformers.AutoConfig.for_model(kind, **sizes, **latent)
    heads = {"head_dim": 8} if kind in ("mistral", "qwen3") else {}
    return transformers.AutoConfig.for_model(kind, **sizes, **heads, num_key_value_heads=2)


def _body(kind: str, config: Any) -> Any:
    if kind == "bert":
        return transformers.BertModel(config, add_pooling_layer=False)
    return transformers.AutoModel.from_config(config)


def _digest(body: Any) -> str:
    """SHA-256 over names and bytes of the weights, in order of name."""
    total = hashlib.sha256()
    for name, tensor in sorted(body.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def _tokenizer(*, encoder: bool) -> str:
    """A WordPiece tokenizer.json: characters, so that nothing printable is unknown, and some whole words."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] if encoder else ["<pad>", "<unk>", "<s>", "</s>"]
    signs = [sign for sign in string.printable if not sign.isspace() and not sign.isupper()]
    words = sorted(set(WORDS.split()))
    vocabulary = specials + signs + [f"##{sign}" for sign in signs] + [word for word in words if len(word) > 1]
    model = models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token=specials[1])
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    template = f"{specials[2]} $A {specials[3]}" if encoder else f"{specials[2]} $A"
    pair = [(specials[i], i) for i in (2, 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=pair)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in specials])
    return str(tokenizer.to_str())
