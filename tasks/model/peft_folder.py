"""The text part of a version as a folder that PEFT and transformers read without Assay: adapter, tokenizer, head, card.

What the card shows as code gives the raw answer of the text part: that of the whole version where nothing else of it
is switched on. Tables, series, the classical part and the calibration are not in the folder, and the card says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from tasks import digest
from tasks.backbone.section import DEFAULT
from tasks.model import saved
from tasks.model.folder import Folder
from tasks.model.model import Model
from tasks.task import Task

# Under what name the hub has the body that comes in a package here; its weights have the published digest.
HUB = {DEFAULT: f"sentence-transformers/{DEFAULT}"}
CARD, TOKENS = "README.md", "tokenizer.json"
MEAN = """    mask = rows["attention_mask"].unsqueeze(-1).to(states.dtype)
    pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)"""
LAST = """    pooled = states[torch.arange(len(texts)), rows["attention_mask"].sum(dim=1) - 1]"""
PAGE = Template(
    """---
library_name: peft
base_model: $base
tags: [lora, peft, $kind]
---

# $ref

$summary

This is the text part of version `$ref` of an Assay registry, digest `$digest`, $status when it was written here. It was
trained on `$base` with these digests (sha256):

| file | digest |
|---|---|
| weights | `$weights` |
| tokenizer.json | `$tokenizer` |
| config.json | `$config` |

## How it is loaded

```python
$code
```

$reads

## What is not in this folder

$absent

So these raw answers are not what the version says: its own answers come from `./assay serve`, `./assay score`, or the
folder that `./assay export $ref --to mlflow DIR` writes.
"""
)
CODE = Template(
    """import json

import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch.nn.functional import layer_norm, linear
from transformers import AutoModel, PreTrainedTokenizerFast

FOLDER, BASE = ".", "$base"
told = json.load(open(f"{FOLDER}/head.json", encoding="utf-8"))
head = load_file(f"{FOLDER}/head.safetensors")
plain = {"pad_token": "$pad", "split_special_tokens": True}  # a special token that a text spells is text
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{FOLDER}/tokenizer.json", **plain)
body = PeftModel.from_pretrained(AutoModel.from_pretrained(BASE), FOLDER).eval()


def raw(texts):  # (n, $width): $outputs
    asked = {"padding": True, "truncation": True, "max_length": $window, "return_token_type_ids": False}
    rows = tokenizer(texts, **asked, return_tensors="pt")
    with torch.no_grad():
        states = body(**rows).last_hidden_state
$pooling
    normed = layer_norm(pooled, pooled.shape[1:], head["heads.text.norm.weight"], head["heads.text.norm.bias"])
    gate = torch.sigmoid(linear(normed, head["heads.text.gate.weight"], head["heads.text.gate.bias"]))
    said = gate * linear(normed, head["heads.text.read.weight"], head["heads.text.read.bias"])
    return torch.tensor(told["frame"]["centre"]) + torch.tensor(told["frame"]["spread"]) * said"""
)


def write(task: Task, source: Folder, target: Path, facts: Mapping[str, str]) -> None:
    """Write the folder of a version's files into an empty one.

    facts  ref, digest and status of the version, for the card
    Raises ValueError where the version has no text part, or its body writes programs, which only Assay reads.
    """
    if not source.has_text:
        raise ValueError(f"{facts['ref']} reads no text, so it has no adapter; export it --to mlflow or --to bundle")
    if task.writer is not None:
        raise ValueError(f"the body of {facts['ref']} writes programs, which Assay runs; export it --to mlflow")
    model = saved.open_folders({task.name: source.path}, threads=1)
    assert model.backbone is not None
    base = HUB.get(model.backbone.name, model.backbone.name)
    given = source.read(source.adapter_config)
    digest.write_json(target / source.adapter_config.name, {**given, "base_model_name_or_path": base, "revision": None})
    for file in (source.adapter, source.head, source.head_config):
        shutil.copyfile(file, target / file.name)
    model.tokenizer.backend.save(str(target / TOKENS))
    (target / CARD).write_text(_card(task, model, base, facts), encoding="utf-8")


def _card(task: Task, model: Model, base: str, facts: Mapping[str, str]) -> str:
    backbone = model.backbone
    assert backbone is not None
    code = CODE.substitute(
        base=base,
        pad=model.tokenizer.backend.id_to_token(model.tokenizer.pad),
        width=task.head.width,
        outputs=", ".join(task.head.outputs),
        window=backbone.max_tokens,
        pooling=MEAN if backbone.pooling == "mean" else LAST,
    )
    return PAGE.substitute(
        facts,
        base=base,
        kind=task.head.kind,
        summary=task.summary,
        weights=backbone.digest,
        tokenizer=backbone.tokenizer_digest,
        config=backbone.config_digest,
        code=code,
        reads=_reads(task, backbone.max_tokens),
        absent="\n".join(f"- {each}" for each in _absent(task, model)),
    )


def _reads(task: Task, window: int) -> str:
    said = f"It reads at most {window} tokens, and cuts what comes after them; a blank text says nothing. "
    before = "A text begins with what is known of the item, in words" if task.in_words else "A text stands as it is"
    return said + before + f"; the numbers are those before calibration, of kind `{task.head.kind}`."


def _absent(task: Task, model: Model) -> list[str]:
    """What a reader of the folder alone would miss."""
    parts: list[Any] = [part for part in model.parts[task.name] if part != "text"]
    return [
        "the weights of the body, which its own makers publish;",
        *(f"the encoder of the {part} (its weights lie in head.safetensors, its code is Assay's);" for part in parts),
        f"the classical part, {task.classical.name}, whose answer the version adds to this one;",
        "the calibration: temperature, conformal sets and intervals, when it abstains, what lies out of distribution;",
        "the report, approvals and history, which `--to bundle` carries.",
    ]
