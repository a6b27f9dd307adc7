"""Attention over patches of time series (PatchTST, Nie et al. 2023), beside the text body."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PatchTSTConfig, PatchTSTModel


class SeriesEncoder(nn.Module):
    """(n, channels, length) -> (n, width). The task's encode has already scaled the input.

    Each channel is cut into patches that attend to each other; the mean patch and the last one (the newest days) of
    every channel are then brought to one vector. LayerNorm, not PatchTST's default batch norm: a row's answer must not
    depend on its neighbours in a batch.
    """

    def __init__(
        self, channels: int, length: int, width: int = 32, layers: int = 2, heads: int = 4, patch: int = 8
    ) -> None:
        super().__init__()
        self.sizes = {
            "channels": channels,
            "length": length,
            "width": width,
            "layers": layers,
            "heads": heads,
            "patch": min(patch, length // 2),  # attention needs two patches
        }
        config = PatchTSTConfig(
            num_input_channels=channels,
            context_length=length,
            patch_length=self.sizes["patch"],
            patch_stride=self.sizes["patch"],
            d_model=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            ffn_dim=2 * width,
            norm_type="layernorm",
            scaling=None,
            do_mask_input=False,
        )
        self.body = PatchTSTModel(config)
        self.out = nn.Linear(2 * channels * width, width)

    def forward(self, series: Any) -> Any:
        """Encode rows of series; the time axis is the last one."""
        hidden = self.body(past_values=series.transpose(1, 2)).last_hidden_state
        summary = torch.cat([hidden.mean(dim=2), hidden[:, :, -1]], dim=-1)
        return self.out(summary.flatten(1))
