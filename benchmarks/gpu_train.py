"""LoRA training of large bodies: ours beside HF Trainer + PEFT, tokens per second and MFU. Self-contained.

python benchmarks/gpu_train.py [--shape llama-8b] [--batch 8] [--length 512] [--steps 20] [--device cuda]

One command, one JSON document on stdout. Weights are random, which costs nothing in speed. Ours: one frozen body, five
adapters and heads learned in turn, blocks compiled, activations recomputed only where `--recompute` asks for it. The
peer: one adapter, with activation checkpointing as its documentation recommends for this size, and without.

MFU counts 4 N FLOP a token: 2 N forward and 2 N backward to the inputs, no gradient of a frozen weight. N is the number
of weights that one token passes in the blocks: embeddings, adapters and attention scores are left out, and of routed
experts only those that a token is sent to count. The peak is a bf16 matrix product of 8192 x 8192 measured in this run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

ADAPTERS, CLASSES, RANK, ALPHA = 5, 3, 8, 16
WARM = 5  # steps before the clock starts; compiling falls into them, once per adapter
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-8b": ("llama", {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 4096,
    }),
    "deepseek-r1-distill-qwen-7b": ("qwen2", {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 4096,
    }),
    "deepseek-v2-lite": ("deepseek_v2", {
        "hidden_size": 2048, "intermediate_size": 10944, "num_hidden_layers": 27, "num_attention_heads": 16,
        "num_key_value_heads": 16, "vocab_size": 102400, "max_position_embeddings": 4096, "q_lora_rank": None,
        "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "n_routed_experts": 64, "num_experts_per_tok": 6, "n_shared_experts": 2, "moe_intermediate_size": 1408,
        "first_k_dense_replace": 1,
    }),
    "tiny": ("llama", {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 64,
    }),
}  # fmt: skip
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ATTENTION = ["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]  # where experts are routed, attention alone


@dataclass(frozen=True)
class Speed:
    """Tokens per second after the warm-up, and GB of device memory at the peak (None on a processor)."""

    tokens_per_s: float
    memory_gb: float | None


def body_of(shape: str, device: str) -> Any:
    """A frozen body with random weights: bf16 on a GPU, float32 on a processor."""
    from transformers import AutoConfig, AutoModel

    kind, settings = SHAPES[shape]
    config = AutoConfig.for_model(kind, **settings)
    config.use_cache = False
    torch.manual_seed(7)
    with torch.device(device):
        body = AutoModel.from_config(config, dtype=torch.float32 if device == "cpu" else torch.bfloat16)
    return body.requires_grad_(False)


def lora_of(shape: str) -> LoraConfig:
    """Rank 8 on every linear layer of the blocks; never on routed experts."""
    routed = "n_routed_experts" in SHAPES[shape][1]
    return LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=ATTENTION if routed else LINEAR)


def passed(shape: str, body: Any) -> int:
    """Weights that one token passes in the blocks: of routed experts only those that a token is sent to."""
    settings = SHAPES[shape][1]
    share = settings.get("num_experts_per_tok", 1) / settings.get("n_routed_experts", 1)
    total = 0.0
    for name, weight in body.named_parameters():
        if "embed_tokens" not in name and "lora_" not in name:
            total += weight.numel() * (share if ".experts." in name else 1.0)
    return round(total)


def ours(arguments: argparse.Namespace) -> Speed:
    """Five adapters and heads on one body, in turn; one fused AdamW holds them all."""
    device = arguments.device
    body = get_peft_model(body_of(arguments.shape, device), lora_of(arguments.shape), adapter_name="task0")
    for place in range(1, ADAPTERS):
        body.add_adapter(f"task{place}", lora_of(arguments.shape))
    inner = body.get_base_model()
    heads = nn.ModuleList(nn.Linear(inner.config.hidden_size, CLASSES) for _ in range(ADAPTERS)).to(device)
    weights = [weight for name, weight in body.named_parameters() if "lora_" in name]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW([*weights, *heads.parameters()], lr=1e-4, fused=device != "cpu")
    if arguments.recompute:
        inner.activation_checkpointing_enable()
        inner.train()
    if device != "cpu":
        torch._dynamo.config.cache_size_limit = 8 * ADAPTERS  # one compilation per adapter
        for place, block in enumerate(inner.layers):
            inner.layers[place] = torch.compile(block)
    ids = torch.randint(0, inner.config.vocab_size, (arguments.batch, arguments.length), device=device)
    labels = torch.randint(0, CLASSES, (arguments.batch,), device=device)

    def step(turn: int) -> None:
        body.set_adapter(f"task{turn % ADAPTERS}")
        optimizer.zero_grad(set_to_none=True)
        with _mixed(device):
            hidden = body(input_ids=ids).last_hidden_state[:, -1]
            loss = nn.functional.cross_entropy(heads[turn % ADAPTERS](hidden.float()), labels)
        loss.backward()
        optimizer.step()

    return _timed(step, arguments, WARM * ADAPTERS)


def peer(arguments: argparse.Namespace, checkpointing: bool) -> Speed:
    """HF Trainer + PEFT: one adapter and classification head on the same body, batch and length."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    device = arguments.device
    body = get_peft_model(body_of(arguments.shape, device), lora_of(arguments.shape))
    total = WARM + arguments.steps
    length, size = arguments.length, body.get_base_model().config.hidden_size

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.score = body, nn.Linear(size, CLASSES).to(device)

        def gradient_checkpointing_enable(self, **how: Any) -> None:
            self.body.gradient_checkpointing_enable(**how)
            self.body.enable_input_require_grads()

        def forward(self, input_ids: Any, labels: Any) -> dict[str, Any]:
            logits = self.score(self.body(input_ids=input_ids).last_hidden_state[:, -1].to(self.score.weight.dtype))
            return {"loss": nn.functional.cross_entropy(logits.float(), labels), "logits": logits}

    class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return total * arguments.batch

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"input_ids": torch.randint(0, 60, (length,)), "labels": index % CLASSES}

    class Clock(TrainerCallback):
        began = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WARM:
                _wait(device)
                self.began = time.monotonic()

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, max_steps=total, per_device_train_batch_size=arguments.batch, learning_rate=1e-4,
            bf16=device != "cpu", use_cpu=device == "cpu", gradient_checkpointing=checkpointing, save_strategy="no",
            report_to="none", disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        Trainer(model=Classifier(), args=settings, train_dataset=Rows(), callbacks=[clock]).train()
    _wait(device)
    seconds = time.monotonic() - clock.began
    return Speed(arguments.steps * arguments.batch * length / seconds, _memory(device))


def _timed(step: Any, arguments: argparse.Namespace, warm: int) -> Speed:
    for turn in range(warm):
        step(turn)
    _wait(arguments.device)
    began = time.monotonic()
    for turn in range(arguments.steps):
        step(turn)
    _wait(arguments.device)
    seconds = time.monotonic() - began
    return Speed(arguments.steps * arguments.batch * arguments.length / seconds, _memory(arguments.device))


def _mixed(device: str) -> Any:
    return contextlib.nullcontext() if device == "cpu" else torch.autocast("cuda", dtype=torch.bfloat16)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _memory(device: str) -> float | None:
    """GB at the peak since the last call, and the cards' memory is given back for the next measurement."""
    if device == "cpu":
        return None
    peak = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return round(peak, 1)


def peak_tflops(device: str) -> float | None:
    """What a large bf16 matrix product reaches here, in TFLOP/s; None on a processor."""
    if device == "cpu":
        return None
    size, rounds = 8192, 50
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        left @ right
    torch.cuda.synchronize()
    began = time.monotonic()
    for _ in range(rounds):
        left @ right
    torch.cuda.synchronize()
    return 2 * size**3 * rounds / (time.monotonic() - began) / 1e12


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole comparison as one document, in the form of `./assay bench`."""
    began = time.monotonic()
    flop = 4 * passed(arguments.shape, body_of(arguments.shape, arguments.device))
    peak = peak_tflops(arguments.device)
    found = {
        "ours": ours(arguments),
        "checkpointing": peer(arguments, True),
        "without checkpointing": peer(arguments, False),
    }
    rows = [
        {
            "case": f"{arguments.shape}, peer {how}",
            "ours": round(found["ours"].tokens_per_s, 1),
            "peer": round(found[how].tokens_per_s, 1),
            "peer_name": f"HF Trainer + PEFT, {how}",
            "ratio": round(found["ours"].tokens_per_s / found[how].tokens_per_s, 3),
            "unit": "tokens per second",
            "mfu": {side: _mfu(found[name], flop, peak) for side, name in (("ours", "ours"), ("peer", how))},
            "memory_gb": {"ours": found["ours"].memory_gb, "peer": found[how].memory_gb},
        }
        for how in ("checkpointing", "without checkpointing")
    ]
    card = torch.cuda.get_device_name() if arguments.device != "cpu" else platform.processor() or "cpu"
    machine = {"device": card, "torch": torch.__version__, "peak_tflops": None if peak is None else round(peak)}
    how_much = {key: value for key, value in vars(arguments).items() if key != "device"}
    seconds = round(time.monotonic() - began, 1)
    return {"name": "gpu_train", "rows": rows, "machine": machine, "settings": how_much, "seconds": seconds}


def _mfu(speed: Speed, flop: int, peak: float | None) -> float | None:
    return None if peak is None else round(speed.tokens_per_s * flop / (peak * 1e12), 4)


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows for `./assay bench gpu_train --set shape=llama-8b`: the same settings as the flags."""
    rows: list[dict[str, Any]] = measure(parsed([f"--{text}" for text in overrides]))["rows"]
    return rows


def parsed(flags: list[str]) -> argparse.Namespace:
    """The settings from flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=list(SHAPES), default="llama-8b")
    parser.add_argument("--batch", type=int, default=8, help="rows per step")
    parser.add_argument("--length", type=int, default=512, help="tokens per row")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed")
    parser.add_argument("--recompute", action="store_true", help="ours, too, with activation checkpointing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args(flags)


if __name__ == "__main__":
    told = parsed(sys.argv[1:])
    if told.device == "cpu" and told.shape != "tiny":
        sys.exit("no GPU here, and these shapes need one; to try the script: --shape tiny --length 16 --batch 2")
    with contextlib.redirect_stdout(sys.stderr):  # Trainer prints its own summary
        measured = measure(told)
    print(json.dumps(measured, indent=2))
