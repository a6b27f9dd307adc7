"""Heads in torch: the loss of each kind, and the gated late fusion that adds what every part has to say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tasks.model.series import SeriesEncoder
from tasks.task import Feature, HeadKind, Task

TABLE_WIDTH = 32
# How loud a part is before it has learned, in the target's own size. Numbers correct a classical answer that has seen
# them already: a loud start would be noise that small signals (returns) never unlearn.
START = {"text": 0.5, "table": 0.02, "series": 0.02}
LOG_VARIANCE = (-20.0, 10.0)  # beyond these an exponential leaves the range of float32 sums


def loss(kind: HeadKind, raw: Any, target: Any) -> Any:
    """The loss of each row, (n,): cross entropy, the mean of binary cross entropies, or Gaussian -log likelihood.

    `raw` is (n, head.width) and `target` (n, k) as in Rows. Rows are left unsummed, so that workers can add theirs and
    divide by the global count.
    """
    if kind == "classify":
        return functional.cross_entropy(raw, target[:, 0].long(), reduction="none")
    if kind in ("multilabel", "score"):
        return functional.binary_cross_entropy_with_logits(raw, target.to(raw.dtype), reduction="none").mean(dim=1)
    log_variance = raw[:, 1].clamp(*LOG_VARIANCE)
    return 0.5 * (log_variance + (target[:, 0] - raw[:, 0]) ** 2 * torch.exp(-log_variance))


def tempered(kind: HeadKind, raw: Any, temperature: float) -> Any:
    """`raw` as it would be after calibration to this temperature: see `calibrate.calibrated`."""
    if kind == "regress":
        return torch.stack([raw[:, 0], raw[:, 1] + 2 * math.log(temperature)], dim=1)
    return raw / temperature


class PartHead(nn.Module):
    """What one part says: a gate in (0, 1) times a linear reading of its normalised hidden state."""

    def __init__(self, width: int, outputs: int, start: float = 0.5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, outputs)
        self.gate = nn.Linear(width, 1)
        nn.init.normal_(self.read.weight, std=start * width**-0.5)
        nn.init.zeros_(self.read.bias)
        nn.init.zeros_(self.gate.weight)
        nn.init.ones_(self.gate.bias)

    def forward(self, hidden: Any) -> Any:
        """(n, width) -> (n, outputs)."""
        normed = self.norm(hidden)
        return torch.sigmoid(self.gate(normed)) * self.read(normed)


class Levels(nn.Module):
    """Categories as one mark per level: (n, 2 features) with codes -> (n, 2 features + levels), codes put to 0.

    Made in each batch, so that a long list of levels costs no memory for rows that wait. A code without a level, and a
    missing one, has no mark.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        self.features = len(features)
        self.counts = {place: len(feature.levels) for place, feature in enumerate(features) if feature.levels}
        self.width = 2 * self.features + sum(self.counts.values())

    def forward(self, table: Any) -> Any:
        """Spread the codes out."""
        values, blocks = table.clone(), []
        for place, count in self.counts.items():
            known = table[:, self.features + place] == 0
            code = torch.where(known, table[:, place], -1.0)
            blocks.append((code[:, None] == torch.arange(count, device=table.device)).to(table.dtype))
            values[:, place] = 0.0
        return torch.cat([values, *blocks], dim=1)


class TaskNet(nn.Module):
    """Everything of one task that learns beside its adapter: table and series encoders, one PartHead per part, fusion.

    raw = centre + scale * (classical - centre) + spread * sum over parts of PartHead(hidden)

    `centre` and `spread` (width,) are facts of the training rows, not weights: for a regression they bring the sum to
    the target's own size, else they are the mean classical logit and 1. A part that is off, or absent in a row, adds
    nothing.
    """

    def __init__(self, task: Task, parts: tuple[str, ...], text_width: int) -> None:
        super().__init__()
        outputs = task.head.width
        encoders: dict[str, nn.Module] = {}
        widths: dict[str, int] = {}
        if task.writer is not None:
            parts = ()  # what is written is read by nobody
        if "text" in parts:
            widths["text"] = text_width
        if "table" in parts:
            # A value and a mark that it is missing, for each feature.
            levels = Levels(task.features)
            layers = [nn.Linear(levels.width, TABLE_WIDTH), nn.GELU()]
            encoders["table"] = nn.Sequential(levels, *layers) if levels.counts else nn.Sequential(*layers)
            widths["table"] = TABLE_WIDTH
        if "series" in parts:
            encoder = SeriesEncoder(len(task.channels), task.length)
            encoders["series"], widths["series"] = encoder, encoder.sizes["width"]
        self.widths = widths
        self.encoders = nn.ModuleDict(encoders)
        self.heads = nn.ModuleDict({part: PartHead(width, outputs, START[part]) for part, width in widths.items()})
        # Of a task that writes: the weight of the body, and of the classical part, in the score of a program.
        self.scale = nn.Parameter(torch.ones(outputs if task.writer is None else 2))

    def encode(self, part: str, value: Any) -> Any:
        """The hidden state (n, width) of a table or series; text is encoded by the shared body."""
        return self.encoders[part](value)

    def fuse(self, hidden: Mapping[str, Any], present: Mapping[str, Any], offset: Any, frame: tuple[Any, Any]) -> Any:
        """Add up the parts of `hidden`. offset is the classical answer (n, outputs); frame is (centre, spread)."""
        centre, spread = frame
        total = centre + self.scale * (offset - centre)
        for part in self.heads:
            if part in hidden:
                said = spread * self.heads[part](hidden[part])
                total = total + (said * present[part] if part in present else said)
        return total
