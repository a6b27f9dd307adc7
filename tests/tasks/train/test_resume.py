"""A run that was killed ends as if it had not been; a checkpoint that is not whole, or another run's, is passed over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.train import checkpoint
from tasks.train import loop as train
from tests.tasks.train.toys import Shelf, files


def test_a_killed_run_that_resumes_ends_with_the_same_bytes(make, tmp_path):
    whole, killed = make(), make()
    train.fit(whole)
    for deaths in (1, 3):
        world = Shelf(tmp_path / f"shelf{deaths}", deaths)
        with pytest.raises(ProcessLookupError):
            train.fit(killed, world)
        assert not Path(killed["out"]).exists()
        again = train.fit(killed, Shelf(tmp_path / f"again{deaths}", kept=world.kept))
        assert again["resumed"] == 5 * deaths
        assert files(killed) == files(whole)
        shutil.rmtree(killed["out"])


def test_a_sweep_that_was_killed_and_resumed_ends_with_the_same_bytes(make, tmp_path):
    whole, killed = make(sweep=[0.005, 0.02]), make(sweep=[0.005, 0.02])
    train.fit(whole)
    world = Shelf(tmp_path / "shelf", 2)
    with pytest.raises(ProcessLookupError):
        train.fit(killed, world)
    assert train.fit(killed, Shelf(tmp_path / "again", kept=world.kept))["resumed"] == 10
    assert files(killed) == files(whole)


def test_a_broken_checkpoint_is_passed_over_for_the_one_before(make, tmp_path):
    whole, killed = make(), make()
    train.fit(whole)
    world = Shelf(tmp_path / "shelf", 3)
    with pytest.raises(ProcessLookupError):
        train.fit(killed, world)
    (world.kept[2] / checkpoint.MANIFEST).unlink()
    tensors = world.kept[1] / checkpoint.TENSORS
    flipped = bytearray(tensors.read_bytes())
    flipped[-1] ^= 1
    tensors.write_bytes(flipped)
    again = train.fit(killed, Shelf(tmp_path / "again", kept=world.kept))
    assert again["resumed"] == 5
    assert files(killed) == files(whole)


def test_a_checkpoint_of_another_recipe_is_not_taken_up(make, tmp_path):
    world = Shelf(tmp_path / "shelf", 2)
    with pytest.raises(ProcessLookupError):
        train.fit(make(), world)
    assert train.fit(make(learning_rate=0.01), Shelf(tmp_path / "again", kept=world.kept))["resumed"] == 0
