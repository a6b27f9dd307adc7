"""Losses against their formulas, and the fusion of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.model import heads
from tasks.model.frame import plain_frame
from tasks.task import Feature, Task


def test_losses_are_one_per_row_and_follow_their_formulas() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    found = heads.loss("classify", logits, torch.tensor([[0.0], [1.0]]))
    assert found.tolist() == pytest.approx([np.log(2), np.log(1 + np.exp(2))])
    found = heads.loss("multilabel", torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
    assert found.tolist() == pytest.approx([np.log(2)])
    found = heads.loss("score", torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    assert found.tolist() == pytest.approx([np.log(1 + np.exp(-3))])
    # Gaussian: mean 1, variance e, target 2 -> (1 + 1/e) / 2, without the constant.
    found = heads.loss("regress", torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0]]))
    assert found.tolist() == pytest.approx([0.5 * (1 + np.exp(-1))])


def test_a_wild_log_variance_keeps_the_loss_finite() -> None:
    raw = torch.tensor([[0.0, -1e6], [0.0, 1e6]], requires_grad=True)
    total = heads.loss("regress", raw, torch.ones(2, 1)).sum()
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(raw.grad).all()


def test_parts_add_to_the_classical_answer_and_an_absent_text_adds_nothing(toy_task: Callable[..., Task]) -> None:
    task = toy_task("mood", "classify", ("bad", "good"), ("text", "table"))
    net = heads.TaskNet(task, ("text", "table"), text_width=8).eval()
    offset, frame = torch.randn(3, 2), (torch.tensor([0.3, -0.3]), torch.ones(2))
    text = torch.randn(3, 8)
    with torch.no_grad():
        alone = net.fuse({}, {}, offset, frame)
        both = net.fuse({"text": text}, {"text": torch.tensor([[1.0], [0.0], [1.0]])}, offset, frame)
    assert torch.allclose(alone, offset, atol=1e-6)  # scale starts at one
    assert torch.equal(both[1], alone[1])
    assert not torch.allclose(both[0], alone[0])


def test_a_code_of_a_category_is_a_mark_of_its_own_and_not_a_number(toys: dict[str, Task]) -> None:
    features = (Feature("amount", "amount"), Feature("job", "job", levels=tuple("abcdefghijkl")))
    levels = heads.Levels(features)
    table = np.array([[3.0, 11.0], [1.0, 0.0], [np.nan, np.nan]])
    frame = plain_frame(replace(toys["swing"], features=features))
    framed = frame.table(table)
    assert framed[0].tolist() == [3.0, 11.0, 0.0, 0.0]  # no code is cut off like a far number
    spread = levels(torch.from_numpy(framed)).numpy()
    assert spread.shape == (3, levels.width) == (3, 4 + 12)
    assert spread[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert np.argwhere(spread[:, 4:]).tolist() == [[0, 11], [1, 0]]
