"""One thread for every test of models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tasks.backbone.device import set_threads


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from a second thread, and wait for it where the machine is busy."""
    threads = torch.get_num_threads()
    set_threads(1)
    yield
    set_threads(threads)
