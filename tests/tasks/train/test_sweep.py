"""A sweep: several learning rates at once, of which the worse half stops after each epoch."""

from __future__ import annotations

import pytest

from tasks.train import loop as train
from tests.tasks.train.toys import files


def test_a_sweep_keeps_the_rate_with_the_best_valid_loss_and_tells_every_trial(make):
    rates = [1e-6, 0.02, 1e-5]
    config, alone = make(sweep=rates), make(learning_rate=0.02)
    told, single = train.fit(config)["tasks"], train.fit(alone)["tasks"]
    for name in ("words", "numbers"):
        assert [trial["learning_rate"] for trial in told[name]["trials"]] == rates
        assert told[name]["learning_rate"] == 0.02
        assert told[name]["best_loss"] == single[name]["best_loss"]
        assert min(trial["best_loss"] for trial in told[name]["trials"]) == told[name]["best_loss"]
    weights = [{key: value for key, value in files(each).items() if "training" not in key} for each in (config, alone)]
    assert weights[0] == weights[1]


def test_after_each_epoch_the_worse_half_of_a_sweep_stops(make):
    told = train.fit(make("numbers", sweep=[1e-6, 0.02, 1e-5, 0.01], epochs=4, patience=99))["tasks"]["numbers"]
    checks = {trial["learning_rate"]: len(trial["losses"]) for trial in told["trials"]}
    assert checks == {1e-6: 3, 1e-5: 3, 0.01: 5, 0.02: 9}


def test_a_rate_that_runs_away_costs_the_sweep_nothing(make):
    told = train.fit(make("numbers", sweep=[1e30, 0.02], clip=1e30))["tasks"]["numbers"]
    assert told["learning_rate"] == 0.02
    assert told["trials"][0]["losses"][-1] is None


def test_a_sweep_over_a_shared_adapter_is_refused(make):
    with pytest.raises(ValueError, match=r"train\.sweep tries rates for each task"):
        train.fit(make("words", lora={"mode": "shared"}, sweep=[0.1, 0.2]))
