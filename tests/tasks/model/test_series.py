"""The series encoder."""

from __future__ import annotations

import torch

from tasks.model.series import SeriesEncoder


def test_a_series_becomes_one_vector_whatever_its_neighbours() -> None:
    torch.manual_seed(0)
    encoder = SeriesEncoder(channels=2, length=60).eval()
    series = torch.randn(5, 2, 60)
    with torch.no_grad():
        together, alone = encoder(series), encoder(series[2:3])
    assert together.shape == (5, 32)
    assert torch.allclose(together[2], alone[0], atol=1e-5)
    assert not torch.allclose(together[2], together[3], atol=1e-2)


def test_a_short_series_is_cut_into_shorter_patches() -> None:
    assert SeriesEncoder(channels=1, length=5, patch=8)(torch.randn(2, 1, 5)).shape == (2, 32)


def test_the_encoder_sees_the_order_of_time_and_the_place_of_a_channel() -> None:
    torch.manual_seed(0)
    encoder = SeriesEncoder(channels=2, length=32).eval()
    series = torch.randn(1, 2, 32)
    with torch.no_grad():
        base = encoder(series)
        assert not torch.allclose(base, encoder(series.flip(2)), atol=1e-3)
        assert not torch.allclose(base, encoder(series.flip(1)), atol=1e-3)


def test_every_weight_of_the_encoder_learns() -> None:
    torch.manual_seed(0)
    encoder = SeriesEncoder(channels=1, length=32)
    before = {name: weight.clone() for name, weight in encoder.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        encoder(torch.randn(8, 1, 32)).square().sum().backward()
        optimizer.step()
    still = [
        name for name, weight in encoder.named_parameters() if name in before and torch.equal(weight, before[name])
    ]
    assert still == []
