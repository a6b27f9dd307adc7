"""Reasons on large bodies: SFT over a large vocabulary, a GRPO step, five adapters on one prefill. Self-contained.

python benchmarks/gpu_reason.py [--weights FOLDER] [--batch 8] [--length 512] [--repeats 5] [--device cuda] [--tiny]

One command, one JSON document on stdout. Never run on a GPU so far: `--tiny` tries it in seconds on a processor, but
for what a card adds (autocast, compiled blocks, fused AdamW, the allocator's peak). The body is Llama of 8B with random
weights; `--weights` adds a real one, a folder of safetensors such as SmolLM2's. Token ids are random: speed, memory and
equality are measured, never quality. A time is the median of `--repeats` steps, after two that warm up.

MFU counts 4 (N T + V d P) FLOP a step: 2 a weight forward and 2 backward to the inputs, none to a frozen weight. N is
the weights of the blocks, T tokens, V d the vocabulary's matrix, P predicted tokens; embeddings, adapters and attention
scores are left out. The peak is the data sheet's, dense bf16, where the card is known (CARDS), else what a product of
8192 x 8192 reaches in this run; both are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import platform
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ADAPTERS, RANK, ALPHA = 5, 8, 16
INVOKED = {f"task{at}": [2 * at, 2 * at + 1] for at in range(ADAPTERS)}  # token ids that no document here holds
NAMES = list(INVOKED)
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
EXACT = 1e-5  # for float32: the largest difference by the largest value
BARS = {"mfu": 0.45, "times_one": 1.4}
CARDS = {"H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "H200": 989, "A100": 312}  # TFLOP/s; the first match counts
SHAPES: dict[str, dict[str, int]] = {
    "llama-8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 4096,
    },
    "tiny": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 96, "max_position_embeddings": 256,
    },
}  # fmt: skip
NOTE = "on a processor: no figure here is of a GPU, and this script was never run on one so far"
WARM = 2  # steps before the clock starts; compiling falls into them
CHECKED = 2  # layers of a random body whose equality is checked in float32: all of 8B would take 32 GB
Reward = Callable[[Tensor], Tensor]  # ids (rows, tokens) to rewards (rows)
Turn = Callable[[Tensor, Any], Tensor]  # ids (n, tokens) and a cache to the scores (n, V) of what comes next
SIZES = {  # of each setting: on a card, with --tiny
    "batch": (8, 2), "length": (512, 24), "chunk": (1024, 16), "prompts": (4, 2), "prompt": (512, 12),
    "samples": (8, 4), "document": (2000, 60), "tokens": (64, 8), "repeats": (5, 2),
}  # fmt: skip


class _Chunked(torch.autograd.Function):
    """The sum of weights (n) times the negative log-likelihood of targets (n), logits of `chunk` tokens at a time.

    The head is frozen: the gradient to hidden (n, d) is made together with the loss, and no logit is computed twice.
    """

    @staticmethod
    def forward(context: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int) -> Tensor:
        total, slope = torch.zeros((), device=hidden.device), torch.empty_like(hidden)
        for start in range(0, len(hidden), chunk):
            piece = slice(start, start + chunk)
            logits, chosen = (hidden[piece] @ head.T).float(), targets[piece, None]
            norm = logits.logsumexp(-1, keepdim=True)
            total += (weights[piece] * (norm - logits.gather(-1, chosen))[:, 0]).sum()
            chance = logits.sub_(norm).exp_().scatter_add_(-1, chosen, -torch.ones_like(norm))
            slope[piece] = chance.mul_(weights[piece, None]).to(head.dtype) @ head
        context.save_for_backward(slope)
        return total

    @staticmethod
    def backward(context: Any, given: Tensor) -> Any:
        return context.saved_tensors[0] * given, None, None, None, None


class _Largest(TorchDispatchMode):
    """Counts the bytes of the largest tensor made inside; a view is not made."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        sizes = [one.numel() * one.element_size() for one in tree_leaves(made) if isinstance(one, Tensor)]
        self.bytes = max(self.bytes, 0 if func.is_view else max(sizes, default=0))
        return made


def loss_of(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int | None) -> Tensor:
    """Weighted negative log-likelihood; with no chunk the plain way, whole logits (n, V) in float32."""
    if chunk is not None:
        return _Chunked.apply(hidden, head, targets, weights, chunk)
    return (weights * nn.functional.cross_entropy((hidden @ head.T).float(), targets, reduction="none")).sum()


def body_of(source: str, dtype: torch.dtype, device: str, layers: int | None = None) -> Any:
    """A frozen causal body: a shape with random weights, cut to `layers` where asked, or a folder's own."""
    from transformers import AutoConfig, AutoModelForCausalLM

    if source not in SHAPES:
        body = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, local_files_only=True, use_safetensors=True)
        return body.to(device).requires_grad_(False).eval()
    config = AutoConfig.for_model("llama", **SHAPES[source])
    config.num_hidden_layers = layers or config.num_hidden_layers
    torch.manual_seed(7)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype).requires_grad_(False).eval()


def learner(source: str, device: str) -> tuple[Any, Any]:
    """A body with one LoRA adapter (float32 over a card's bf16) and the AdamW that learns it."""
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=LINEAR)
    body = get_peft_model(body_of(source, _dtype(device), device), lora)
    weights = [weight for weight in body.parameters() if weight.requires_grad]
    return body, torch.optim.AdamW(weights, lr=1e-3, fused=device != "cpu")


def ids_of(body: Any, *shape: int) -> Tensor:
    """Random token ids, none of an invocation."""
    return torch.randint(2 * ADAPTERS, body.config.vocab_size, shape, device=body.device)


def check_loss(source: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Chunked beside plain in float32 over random states: difference of loss and gradient, largest tensor in MB."""
    body, count = body_of(source, torch.float32, arguments.device, 1), arguments.length
    head, targets = body.lm_head.weight, ids_of(body, count)
    states, weights = torch.randn(count, head.shape[1], device=head.device), torch.rand(count, device=head.device)
    found = []
    for chunk in (min(arguments.chunk, count // 4), None):
        hidden = states.clone().requires_grad_(True)
        with _Largest() as largest:
            loss = loss_of(hidden, head, targets, weights / count, chunk)
            loss.backward()
        found.append((loss.detach(), hidden.grad, largest.bytes / 1e6))
    far = {"loss": _far(found[0][0], found[1][0]), "gradient": _far(found[0][1], found[1][1])}
    largest_mb = {"ours": found[0][2], "peer": found[1][2]}
    return {"difference": far, "within_1e-5": max(far.values()) <= EXACT, "largest_tensor_mb": largest_mb}


def sft(source: str, arguments: argparse.Namespace, chunk: int | None) -> dict[str, Any]:
    """Seconds of one step that predicts every next token, FLOP that it needs, and GB at the peak."""
    device = arguments.device
    _fresh(device)
    body, optimizer = learner(source, device)
    inner = body.get_base_model()
    blocks = sum(weight.numel() for name, weight in inner.model.layers.named_parameters() if "lora_" not in name)
    if device != "cpu":
        for place, block in enumerate(inner.model.layers):
            inner.model.layers[place] = torch.compile(block)
    ids = ids_of(body, arguments.batch, arguments.length)
    targets = ids[:, 1:].flatten()
    weights = torch.full(targets.shape, 1 / len(targets), device=device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _mixed(device):
            hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
            loss = loss_of(hidden, inner.lm_head.weight, targets, weights, chunk)
        loss.backward()
        optimizer.step()

    seconds = _timed(step, arguments)
    flop = 4 * (blocks * ids.numel() + inner.lm_head.weight.numel() * len(targets))
    return {"seconds": seconds, "flop": flop, "memory_gb": _memory(device)}


def begun(body: Any, prompts: Tensor, samples: int) -> tuple[Any, Tensor]:
    """The cache of each prompt, computed once and repeated for its samples, and the last state of each row."""
    out = body.get_base_model().model(input_ids=prompts, use_cache=True)
    out.past_key_values.batch_repeat_interleave(samples)
    return out.past_key_values, out.last_hidden_state[:, -1].repeat_interleave(samples, 0)


@torch.no_grad()
def sample(body: Any, prompts: Tensor, samples: int, tokens: int) -> Tensor:
    """Token ids (prompts x samples, tokens) drawn at temperature 1, the samples of a prompt side by side."""
    inner, (cache, state) = body.get_base_model(), begun(body, prompts, samples)
    drawn: list[Tensor] = []
    for _ in range(tokens):
        if drawn:
            state = inner.model(input_ids=drawn[-1], past_key_values=cache).last_hidden_state[:, -1]
        drawn.append(torch.multinomial(inner.lm_head(state).float().softmax(-1), 1))
    return torch.cat(drawn, 1)


def advantages(rewards: Tensor, samples: int) -> Tensor:
    """Rewards (prompts x samples) less their prompt's mean, by its standard deviation."""
    groups = rewards.view(-1, samples)
    return ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)).flatten()


def policy_loss(body: Any, prompts: Tensor, drawn: Tensor, gains: Tensor, chunk: int | None) -> Tensor:
    """Policy gradient over the drawn tokens, gradients through the shared prompt cache too.

    One step is made on each draw, so the ratio of probabilities is 1 and its clip never acts; no KL term.
    """
    inner = body.get_base_model()
    cache, state = begun(body, prompts, len(drawn) // len(prompts))
    rest = inner.model(input_ids=drawn[:, :-1], past_key_values=cache).last_hidden_state
    hidden = torch.cat([state[:, None], rest], 1).flatten(0, 1)
    weights = (gains[:, None] / drawn.numel()).expand_as(drawn).flatten()
    return loss_of(hidden, inner.lm_head.weight, drawn.flatten(), weights, chunk)


def policy_step(body: Any, optimizer: Any, prompts: Tensor, reward: Reward, told: argparse.Namespace) -> list[float]:
    """One GRPO step; gives seconds of sampling (rewards too), seconds of learning, and the mean reward."""
    began = _now(told.device)
    with _mixed(told.device):
        drawn = sample(body, prompts, told.samples, told.tokens)
    rewards = reward(drawn)
    between = _now(told.device)
    optimizer.zero_grad(set_to_none=True)
    with _mixed(told.device):
        loss = policy_loss(body, prompts, drawn, advantages(rewards, told.samples), told.chunk)
    loss.backward()
    optimizer.step()
    return [between - began, _now(told.device) - between, float(rewards.mean())]


def even(drawn: Tensor) -> Tensor:
    """The share of even token ids: a reward that every vocabulary can earn by chance, half of it at first."""
    return (drawn % 2 == 0).float().mean(1)


def adapted(source: str, dtype: torch.dtype, device: str, layers: int | None = None) -> Any:
    """A body with five activated LoRA adapters that all say something else: B is not left at 0."""
    body = body_of(source, dtype, device, layers)
    lora = {"r": RANK, "lora_alpha": ALPHA, "target_modules": LINEAR, "task_type": "CAUSAL_LM"}
    for name, words in INVOKED.items():
        how = LoraConfig(**lora, alora_invocation_tokens=words)
        if name == NAMES[0]:
            body = get_peft_model(body, how, adapter_name=name, autocast_adapter_dtype=False)
        else:
            body.add_adapter(name, how, autocast_adapter_dtype=False)
    for name, weight in body.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.1)
    return body.requires_grad_(False).eval()


@contextlib.contextmanager
def stacked(body: Any, names: list[str]) -> Iterator[Turn]:
    """Row i speaks through adapter i: two batched products a layer, however many adapters there are."""

    def add(down: Tensor, up: Tensor, _: Any, given: Any, made: Tensor) -> Tensor:
        return torch.baddbmm(made, given[0] @ down, up)

    def turn(ids: Tensor, cache: Any) -> Tensor:
        inner = body.get_base_model()
        return inner.lm_head(inner.model(input_ids=ids, past_key_values=cache).last_hidden_state[:, -1])

    with body.disable_adapter(), contextlib.ExitStack() as hooks:
        for layer in [layer for layer in body.modules() if isinstance(layer, LoraLayer)]:
            down = torch.stack([layer.lora_A[name].weight.T for name in names])
            up = torch.stack([layer.lora_B[name].weight.T * layer.scaling[name] for name in names])
            hooks.callback(layer.register_forward_hook(partial(add, down, up)).remove)
        yield turn


@contextlib.contextmanager
def by_peft(body: Any, names: list[str]) -> Iterator[Turn]:
    """The same by PEFT's own batch of mixed adapters, each switched on for all that is fed."""

    def turn(ids: Tensor, cache: Any) -> Tensor:
        how = {"adapter_names": names, "alora_offsets": [ids.shape[1]] * len(names)}
        return body(input_ids=ids, past_key_values=cache, logits_to_keep=1, **how).logits[:, -1]

    yield turn


@torch.no_grad()
def rationales(body: Any, document: Tensor, names: list[str], way: Any, tokens: int) -> Tensor:
    """Scores (n, tokens, V) of one greedy rationale per adapter, over one prefill of the document by the base."""
    with body.disable_adapter():
        cache, _ = begun(body, document, len(names))
    ids, scores = torch.tensor([INVOKED[name] for name in names], device=document.device), []
    with way(body, names) as turn:
        for _ in range(tokens):
            scores.append(turn(ids, cache))
            ids = scores[-1].argmax(-1, keepdim=True)
    return torch.stack(scores, 1)


@torch.no_grad()
def full_pass(body: Any, document: Tensor, name: str, said: Tensor) -> Tensor:
    """PEFT's scores (tokens, V) from document, invocation and what was said (tokens) in one pass without a cache."""
    body.set_adapter(name)
    words = torch.tensor(INVOKED[name], device=said.device)
    ids = torch.cat([document[0], words, said[:-1]])[None]
    how = {"alora_offsets": [len(words) + len(said) - 1], "use_cache": False}
    return body(input_ids=ids, logits_to_keep=len(said), **how).logits[0]


def check_cache(body: Any, document: Tensor, tokens: int) -> dict[str, Any]:
    """Each rationale over the shared cache beside PEFT's full pass: difference of scores, share of equal tokens."""
    scores = rationales(body, document, NAMES, stacked, tokens)
    said = scores.argmax(-1)
    full = torch.stack([full_pass(body, document, name, said[row]) for row, name in enumerate(NAMES)])
    same, far = float((full.argmax(-1) == said).float().mean()), _far(scores, full)
    return {"difference": far, "within_1e-5": far <= EXACT, "tokens_equal": same, "distinct": len(said.unique(dim=0))}


def row_of_sft(source: str, arguments: argparse.Namespace) -> dict[str, Any]:
    ours, plain = (sft(source, arguments, chunk) for chunk in (arguments.chunk, None))
    tokens, reached = arguments.batch * arguments.length, mfu(ours, arguments)
    return {
        "case": f"{source}: SFT step", "unit": "tokens per second", "ours": tokens / ours["seconds"],
        "peer": tokens / plain["seconds"], "peer_name": "whole logits", "ratio": plain["seconds"] / ours["seconds"],
        "compared": "logits of a few tokens at a time, gradient made with the loss; peer: all logits in float32",
        "mfu": reached, "flop": ours["flop"], "equality": {"torch.float32": check_loss(source, arguments)},
        "memory_gb": {"ours": ours["memory_gb"], "peer": plain["memory_gb"]},
        **judged(source, "mfu", reached["of_card"] or reached["of_product"]),
    }  # fmt: skip


def row_of_policy(source: str, arguments: argparse.Namespace) -> dict[str, Any]:
    _fresh(arguments.device)
    body, optimizer = learner(source, arguments.device)
    prompts = ids_of(body, arguments.prompts, arguments.prompt)
    steps = [policy_step(body, optimizer, prompts, even, arguments) for _ in range(WARM + arguments.repeats)]
    sampling, learning = (statistics.median(step[part] for step in steps[WARM:]) for part in (0, 1))
    return {
        "case": f"{source}: GRPO step", "unit": "s", "ours": sampling + learning, "peer": None, "peer_name": None,
        "ratio": None, "compared": "one prompt cache for its samples, in sampling and in learning; blocks not compiled",
        "seconds": {"sampling": sampling, "learning": learning}, "rewards": [step[2] for step in steps],
        "memory_gb": _memory(arguments.device),
    }  # fmt: skip


def row_of_rationales(source: str, arguments: argparse.Namespace) -> dict[str, Any]:
    device, equality = arguments.device, {}
    for dtype, layers in {torch.float32: CHECKED, _dtype(device): None}.items():  # the last is the one that is timed
        _fresh(device)
        body = adapted(source, dtype, device, layers)
        document = ids_of(body, 1, arguments.document)
        equality[str(dtype)] = check_cache(body, document, arguments.tokens)
    with torch.no_grad(), body.disable_adapter():
        prefill = _timed(lambda: begun(body, document, 1), arguments)
    one, five, peer = (
        _timed(partial(rationales, body, document, names, way, arguments.tokens), arguments)
        for names, way in ((NAMES[:1], stacked), (NAMES, stacked), (NAMES, by_peft))
    )
    return {
        "case": f"{source}: five rationales on one prefill", "unit": "s", "ours": five, "peer": peer,
        "peer_name": "PEFT's mixed batch", "ratio": peer / five, "seconds": {"prefill": prefill, "one": one},
        "compared": "five adapters in one decode over the base's cache; equality with activated LoRA's full pass",
        "times_one": five / one, "times_one_without_prefill": (five - prefill) / (one - prefill), "equality": equality,
        "memory_gb": _memory(device), **judged(source, "times_one", None if device == "cpu" else five / one),
    }  # fmt: skip


def judged(source: str, what: str, figure: float | None) -> dict[str, Any]:
    """The bar of 8B and whether it is met; None where there is none, or no card."""
    bar = BARS[what] if source == "llama-8b" else None
    met = None if bar is None or figure is None else figure >= bar if what == "mfu" else figure <= bar
    return {"bar": bar, "pass": met}


def _far(ours: Tensor, other: Tensor) -> float:
    """The largest difference by the largest value."""
    return float((ours - other).abs().max() / other.abs().max())


def _dtype(device: str) -> torch.dtype:
    return torch.float32 if device == "cpu" else torch.bfloat16


def _mixed(device: str) -> Any:
    return contextlib.nullcontext() if device == "cpu" else torch.autocast("cuda", dtype=torch.bfloat16)


def _now(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    return time.monotonic()


def _timed(step: Callable[[], Any], arguments: argparse.Namespace) -> float:
    """Seconds of one step: the median of repeats."""
    found = []
    for _ in range(WARM + arguments.repeats):
        began = _now(arguments.device)
        step()
        found.append(_now(arguments.device) - began)
    return statistics.median(found[WARM:])


def _fresh(device: str) -> None:
    """Memory of what was measured before is given back; models lie in circles, so the collector is called."""
    if device != "cpu":
        torch.compiler.reset()
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _memory(device: str) -> float | None:
    """GB at the peak since the last `_fresh`; None on a processor."""
    return None if device == "cpu" else torch.cuda.max_memory_allocated() / 1e9


def mfu(found: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float | None]:
    """FLOP a second that a step needs, by the card's peak and by the product's."""
    peaks = {"of_card": arguments.card_tflops, "of_product": arguments.product_tflops}
    return {name: peak and found["flop"] / found["seconds"] / (peak * 1e12) for name, peak in peaks.items()}


def short(document: Any) -> Any:
    """The same document, its numbers with four digits."""
    return json.loads(json.dumps(document), parse_float=lambda text: float(f"{float(text):.4g}"))


def peaks(device: str) -> tuple[int | None, float | None]:
    """TFLOP/s in bf16: of the data sheet where the card is known, and of a large product; None on a processor."""
    if device == "cpu":
        return None, None
    size, rounds, card = 8192, 50, torch.cuda.get_device_name()
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        left @ right
    began = _now(device)
    for _ in range(rounds):
        left @ right
    product = 2 * size**3 * rounds / (_now(device) - began) / 1e12
    return next((peak for name, peak in CARDS.items() if name in card), None), product


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Three cases on each body as one document, in the form of `./assay bench`; one that fails says so in its row."""
    began, rows, device = time.monotonic(), [], arguments.device
    arguments.card_tflops, arguments.product_tflops = peaks(device)
    sources = ["tiny" if arguments.tiny else "llama-8b", *filter(None, [arguments.weights])]
    for source, case in itertools.product(sources, (row_of_sft, row_of_policy, row_of_rationales)):
        try:
            row = case(source, arguments)
        except Exception as error:  # whatever a card does to one case, the others are worth its time
            traceback.print_exc()
            row = {"case": f"{source}: {case.__name__}", "error": f"{type(error).__name__}: {error}"}
        rows.append(row | {"dtype": str(_dtype(device))})
    card = platform.processor() or "cpu" if device == "cpu" else torch.cuda.get_device_name()
    tflops = {"card": arguments.card_tflops, "product": arguments.product_tflops}
    document = {
        "name": "gpu_reason", "rows": rows, "machine": {"device": card, "torch": torch.__version__, "tflops": tflops},
        "shape": {name: getattr(arguments, name) for name in SIZES},
        "times": f"median of {arguments.repeats} steps after {WARM}", "note": NOTE if device == "cpu" else None,
        "seconds": time.monotonic() - began,
    }  # fmt: skip
    return short(document)  # type: ignore[no-any-return]


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows for `./assay bench gpu_reason --set batch=4`: the same settings as the flags, tiny=yes for `--tiny`."""
    rows: list[dict[str, Any]] = measure(parsed([f"--{text}".removesuffix("=yes") for text in overrides]))["rows"]
    return rows


def parsed(flags: list[str]) -> argparse.Namespace:
    """The settings from flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a body and sizes for a processor: seconds")
    parser.add_argument("--weights", help="a folder of a causal body in safetensors, measured too")
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    told = parser.parse_args(flags)
    for name, sizes in SIZES.items():
        setattr(told, name, getattr(told, name) or sizes[told.tiny])
    if told.weights and not (Path(told.weights) / "config.json").is_file():
        parser.error(f"--weights {told.weights} holds no config.json; give a folder of safetensors with its config")
    if told.device == "cpu" and not told.tiny:
        parser.error("there is no GPU here, and 8B needs one; to try the script: --tiny")
    return told


if __name__ == "__main__":
    settings = parsed(sys.argv[1:])
    with contextlib.redirect_stdout(sys.stderr):  # libraries print too
        document = measure(settings)
    print(json.dumps(document, indent=2))
    sys.exit(any("error" in row for row in document["rows"]))
