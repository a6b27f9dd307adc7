"""One task as PEFT's documentation has it: what every peer of `bench serve` answers with, whatever stands before it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModel, AutoTokenizer

BODY, ADAPTER = (
    "PEER_BODY",
    "PEER_ADAPTER",
)  # variables that name the two folders to another environment


class Peft:
    """Tokenizer, adapted body, mean pooling, linear head."""

    def __init__(self, base: Path, folder: Path, outputs: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        self.body = PeftModel.from_pretrained(AutoModel.from_pretrained(base), folder).eval()
        self.head = torch.nn.Linear(self.body.config.hidden_size, outputs)

    def __call__(self, texts: Sequence[str]) -> list[Any]:
        """Probabilities of each text."""
        with torch.inference_mode():
            read = self.tokenizer(list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt")
            hidden = self.body(input_ids=read["input_ids"], attention_mask=read["attention_mask"]).last_hidden_state
            mask = read["attention_mask"].unsqueeze(-1)
            return list(self.head((hidden * mask).sum(1) / mask.sum(1)).softmax(-1).tolist())


def named() -> Peft:
    """The model of the two folders, in one thread."""
    torch.set_num_threads(1)
    return Peft(Path(os.environ[BODY]), Path(os.environ[ADAPTER]), outputs=3)
