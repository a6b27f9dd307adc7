"""Files of one row per moment: labels, zones and epochs. All files here are synthetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tasks
from tasks.data import long_file
from tasks.data.files import open_file
from tasks.data.long_columns import mapped
from tasks.data.section import FileSection
from tasks.task import DataError

Make = Callable[..., Path]


def stream_of(seed: int, count: int = 2000) -> pd.DataFrame:
    stamps = pd.date_range("2024-01-05", periods=count, freq="5min").strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame({"timestamp": stamps, "value": np.random.default_rng(seed).normal(20, 1, count).round(4)})


def test_a_labelled_stream_keeps_its_labels_and_is_divided_in_time(write: Make, read: Any) -> None:
    table = stream_of(1).assign(is_anomaly=0)
    for start in range(150, 2000, 150):
        table.loc[start : start + 5, "is_anomaly"] = 1
    card, parts = read("anomaly", write(table, "pump.csv"))
    truth = dict(zip(pd.to_datetime(table["timestamp"]), table["is_anomaly"], strict=True))
    rows = sum(map(len, parts.values()))
    assert (card["how"], card["synthetic"], rows) == ("time", False, 2000 - 63)
    for part in parts.values():
        assert [truth[pd.Timestamp(time)] for time in part.time] == part.target[:, 0].tolist()
    assert parts["train"].time.max() < parts["valid"].time.min() <= parts["valid"].time.max() < parts["test"].time.min()


def test_a_stream_without_labels_gets_injected_ones_that_the_card_calls_synthetic(write: Make, read: Any) -> None:
    card, parts = read("anomaly", write(stream_of(1), "pump.csv"))
    assert card["synthetic"] is True
    assert any("synthetic" in said for said in card["long"]["said"])
    assert card["audit"]["rows"] > 0
    assert all(0 < rows.target.mean() < 1 for rows in parts.values())
    assert card["fingerprint"] == read("anomaly", write(stream_of(1), "pump.csv"))[0]["fingerprint"]


@pytest.fixture
def moments(write: Make) -> Callable[..., np.ndarray]:
    """The times of a stream as they are read."""

    def of(stamps: Any, zone: str | None = None) -> np.ndarray:
        file = open_file(str(write(pd.DataFrame({"timestamp": stamps, "value": 1.5}), "pump.csv")))
        task = tasks.get("anomaly")
        found = mapped(task, file.columns, {})
        assert found is not None
        return long_file.read(task, file, found, FileSection(zone=zone))[0].tracks[0].times

    return of


def test_a_local_hour_that_comes_twice_needs_a_zone(moments: Callable[..., np.ndarray]) -> None:
    utc = pd.date_range("2024-10-20", periods=2000, freq="15min", tz="UTC")
    known = utc.tz_localize(None).to_numpy()
    local = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M:%S").to_series()
    with pytest.raises(DataError, match=r"twice .*give its zone with file.zone"):
        moments(local)
    for stamps in (local, local[::-1]):
        np.testing.assert_array_equal(moments(stamps, "Europe/Berlin"), known)
    np.testing.assert_array_equal(moments(utc.tz_convert("Asia/Tokyo").astype(str)), known)
    with pytest.raises(DataError, match="take a zone such as Europe/Berlin"):
        moments(local, "Europe/Nowhere")
    with pytest.raises(DataError, match="ambiguous"):
        moments(local.sample(frac=1, random_state=1), "Europe/Berlin")


def test_epochs_of_any_unit_are_the_moments_that_they_are_and_the_same_in_a_request(
    moments: Callable[..., np.ndarray],
) -> None:
    utc = pd.date_range("2024-10-20", periods=64, freq="15min", tz="UTC")
    known, task = utc.tz_localize(None).to_numpy(), tasks.get("anomaly")
    for unit in ("s", "ms", "us"):
        numbers = utc.as_unit(unit).astype("int64")
        np.testing.assert_array_equal(moments(numbers), known)
        document = json.dumps({"values": [1.5] * 64, "timestamps": numbers.tolist()})
        for strict in (False, True):  # as a file's row and as a request
            item = task.item.model_validate_json(document, strict=strict)
            assert [stamp.replace(tzinfo=None) for stamp in item.timestamps] == known.tolist()
    mixed = utc.as_unit("s").astype("int64").to_numpy().copy()
    mixed[5] *= 1000
    with pytest.raises(DataError, match="not all Unix times of one unit"):
        moments(mixed)
