"""Cases of `./assay bench reason` on one reading of a document: continuations equal the full pass; what it saves."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.parts.written import Ground
from tasks.backbone.load import open_backbone
from tasks.backbone.section import LoraSection
from tasks.model import reading
from tasks.model.build import Adapters, assemble, own_adapter
from tasks.model.model import Model
from tasks.task import Task

TOKENS, ASKED = 500, 2  # of the document, and of an invocation behind it
BRANCHES = ("writer", "head", "first", "second", "third", "fourth", "fifth")


def cache_equal(ground: Ground) -> list[dict[str, Any]]:
    """The largest difference of hidden states, float32, between the shared reading and one pass over everything.

    In the full pass the adapter is put on from the question on, as PEFT's activated LoRA does it.
    """
    model = _model(ground)
    ids = torch.randint(100, 40_000, (1, TOKENS), generator=torch.Generator().manual_seed(7))[0].tolist()
    worst = largest = 0.0
    with torch.no_grad(), model.evaluating():
        held = reading.read(model, ids[:-ASKED])
        for name in BRANCHES:
            model.activate(name)
            asked = reading.ask(model, [held], [ids[-ASKED:]])
            shared = reading.forward(model, asked)
            worst = max(worst, float((shared - _whole(model, ids)).abs().max()))
            largest = max(largest, float(shared.abs().max()))
    return [_row("cache_equal", worst, 1e-5, "difference", ok=worst <= 1e-5, largest_state=largest)]


def prefill(ground: Ground) -> list[dict[str, Any]]:
    """FLOP of one reading and all branches behind it, over those of the reading alone."""
    model = _model(ground)
    ids = list(range(100, 100 + TOKENS))
    with torch.no_grad(), model.evaluating():
        with FlopCounterMode(display=False) as alone:
            held = reading.read(model, ids)
        with FlopCounterMode(display=False) as behind:
            for name in BRANCHES:
                model.activate(name)
                reading.forward(model, reading.ask(model, [held], [ids[:ASKED]]))
    ratio = 1 + behind.get_total_flops() / alone.get_total_flops()
    return [_row("prefill", ratio, 1.15, "of one prefill", ok=ratio <= 1.15, tokens=TOKENS, branch_tokens=ASKED)]


def _whole(model: Model, ids: list[int]) -> Any:
    """The states of the last ASKED tokens in one pass, LoRA's part of every layer masked out before them."""
    gate = torch.zeros(1, len(ids), 1)
    gate[:, -ASKED:] = 1
    hooks = [
        module.register_forward_hook(lambda _, __, found: found * gate)
        for name, module in model.body.named_modules()
        if ".lora_B." in name
    ]
    try:
        return model.body(input_ids=torch.tensor([ids])).last_hidden_state[:, -ASKED:]
    finally:
        for hook in hooks:
            hook.remove()


def _model(ground: Ground) -> Model:
    """The recipe's body with an adapter for each branch, drawn loud so that a difference would show."""
    import tasks

    lora = LoraSection(**{**ground.bench.plan.lora.model_dump(), "layers": "all"})
    base: Task = tasks.get("reasoning")
    known = dict.fromkeys(BRANCHES, base)
    adapters = Adapters(dict.fromkeys(BRANCHES, lora), {name: own_adapter(name) for name in BRANCHES})
    model = assemble(open_backbone(ground.bench.plan.backbone), known, dict.fromkeys(BRANCHES, ("text",)), adapters, 7)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(7)
        for name, weight in model.body.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    return model


def _row(case: str, ours: float, bar: float, unit: str, *, ok: bool, **more: Any) -> dict[str, Any]:
    return {"case": case, "ours": ours, "peer": None, "peer_name": None, "ratio": None, "unit": unit, "bar": bar,
            "pass": ok, **more}  # fmt: skip
