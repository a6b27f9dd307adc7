"""The training loop: it learns, it repeats itself, and a run that was killed ends as if it had not been."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import tasks
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.data.parquet import load_rows, save_rows
from tasks.model import build, forward, heads, saved, weights
from tasks.model.model import Model
from tasks.task import Classical
from tasks.train import loop as train
from tasks.train import mixture
from tasks.train.course import Course, set_up
from tasks.train.early_stopping import TEMPERATURES, valid_losses
from tasks.train.job import prepare
from tests.tasks.train.toys import NUMBERS, WORDS, files, words


def test_a_run_writes_a_model_folder_per_task_and_an_adapter_only_where_there_is_text(make):
    config = make()
    train.fit(config)
    assert sorted(files(config)) == [
        "numbers/classical.json", "numbers/head.json", "numbers/head.safetensors", "numbers/training.json",
        "words/adapter_config.json", "words/adapter_model.safetensors", "words/classical.json", "words/head.json",
        "words/head.safetensors", "words/training.json",
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(make):
    first, second, other = make(), make(), make(seed=8)
    for config in (first, second, other):
        train.fit(config)
    assert files(first) == files(second)
    for name in ("words/adapter_model.safetensors", "words/head.safetensors", "numbers/head.safetensors"):
        assert files(first)[name] != files(other)[name]


def test_the_network_learns_what_the_classical_part_cannot_and_moves_every_adapter_tensor(make):
    config = make(epochs=8, patience=99)
    result = train.fit(config)
    assert result["tasks"]["numbers"]["best_loss"] < 0.7 * result["tasks"]["numbers"]["start_loss"]
    tasks = {"words": WORDS}
    trained = saved.load(
        open_backbone(BackboneSection(name="tiny-bert")), {"words": Path(config["out"]) / "words"}, tasks
    )
    fresh = build.build(
        open_backbone(BackboneSection(name="tiny-bert")), tasks, {"words": ("text",)}, LoraSection(**config["lora"]), 7
    )
    started = weights.parameters(fresh, "words")
    still = [key for key, value in weights.parameters(trained, "words").items() if (value == started[key]).all()]
    assert still == []


def gradients(config: dict) -> dict[str, dict[str, torch.Tensor]]:
    """Every gradient of four rounds over the tasks, in float64: "<task or trial>/<step>" -> by name of the weight."""
    job = prepare(config, train.TrainSection(**config["train"]), train.ALONE)
    for module in (job.model.body, *job.model.nets.values()):
        module.double()
    found = {}
    for step in range(4):
        for course in job.courses.values():
            train.take_turn(job, course)
            course.step += 1
            last = course.trials[-1].name
            found[f"{last}/{step}"] = {key: value.grad.clone() for key, value in job.of[last].items()}
    return found


def test_gradients_of_several_adapters_in_one_job_are_those_of_separate_runs(make, monkeypatch):
    second = dataclasses.replace(WORDS, name="again")
    monkeypatch.setattr(tasks, "get", {"words": WORDS, "again": second}.__getitem__)
    lora = {"dropout": 0.0}
    together = make("words", lora=lora)
    together["tasks"]["again"] = together["tasks"]["words"]
    alone = make("words", lora=lora)
    swept = make("words", lora=lora, sweep=[0.5, 0.02])
    for config in (together, alone, swept):
        config["states"] = {"folder": "", "gigabytes": 0}  # states are float32
    expected = gradients(alone)
    company, trial = gradients(together), gradients(swept)
    assert any(key.startswith("adapter.") and value.abs().max() > 1e-6 for key, value in expected["words/3"].items())
    for step in range(4):
        for key, value in expected[f"words/{step}"].items():
            torch.testing.assert_close(company[f"words/{step}"][key], value, rtol=0, atol=1e-6)
            torch.testing.assert_close(trial[f"words~1/{step}"][key], value, rtol=0, atol=1e-6)


def test_a_check_in_the_middle_of_training_is_without_dropout(make):
    config = make("words", lora={"dropout": 0.5})
    job = prepare(config, train.TrainSection(**config["train"]), train.ALONE)
    with torch.no_grad():
        for key, value in job.of["words"].items():
            if "lora_B" in key:
                value.normal_()
    train.train_mode(job.model)
    first, second = (valid_losses(job.model, job.courses["words"], 0, 1)[0] for _ in range(2))
    assert (first == second).all()
    assert any(module.training for module in job.model.body.modules())


def test_a_task_learns_the_same_alone_as_in_company(make):
    company, alone = make(), make("words")
    train.fit(company)
    train.fit(alone)
    assert {key: value for key, value in files(company).items() if key.startswith("words/")} == files(alone)


def test_a_net_that_learns_apart_knows_nothing_of_its_classical_part_and_adds_it_up(make, monkeypatch):
    kept = []
    for level in (0.0, 3.0):
        beside_it = Classical(
            "level", lambda inputs, target: {}, lambda state, inputs, at=level: np.full((len(inputs), 2), at)
        )
        apart = dataclasses.replace(WORDS, classical=beside_it, additive=True)
        monkeypatch.setattr(tasks, "get", {"words": apart}.__getitem__)
        config = make("words", epochs=1, checks_per_epoch=1)
        train.fit(config)
        body = open_backbone(BackboneSection(name="tiny-bert"))
        kept.append(saved.load(body, {"words": Path(config["out"]) / "words"}, {"words": apart}))
    for key, value in weights.parameters(kept[0], "words").items():
        torch.testing.assert_close(value, weights.parameters(kept[1], "words")[key], atol=0, rtol=0)
    rows = words(8, 3).inputs
    np.testing.assert_allclose(
        forward.raw(kept[1], "words", rows), forward.raw(kept[0], "words", rows) + 3.0, atol=1e-5
    )


def test_parts_that_the_recipe_leaves_out_are_not_learned_and_the_classical_one_keeps_its_order(make):
    config = make("numbers")
    config["tasks"]["numbers"]["section"] = {"parts": []}
    config["backbone"] = {"name": "there-is-no-such-body"}
    train.fit(config)
    valid = load_rows(config["tasks"]["numbers"]["valid"]).inputs
    kept = saved.load(None, {"numbers": Path(config["out"]) / "numbers"}, {"numbers": NUMBERS})
    found = forward.features(kept, "numbers", valid)
    assert found.hidden == {}
    assert forward.side_by_side(kept, "numbers", found).shape == (len(valid), 0)
    raw = forward.combine(kept, "numbers", found)
    np.testing.assert_array_equal(np.argsort(raw[:, 0]), np.argsort(found.offset[:, 0].astype(np.float32)))


def test_rows_without_what_the_task_needs_are_refused(make, monkeypatch):
    needy = dataclasses.replace(WORDS, needs=("series",))
    monkeypatch.setattr(tasks, "get", {"words": needy}.__getitem__)
    with pytest.raises(ValueError, match="task words: its rows hold no series, which it needs"):
        train.fit(make("words"))


def test_a_task_stops_when_nothing_gets_better_and_keeps_its_best_weights(make):
    config = make("numbers", epochs=30, learning_rate=0.3, patience=2)
    told = train.fit(config)["tasks"]["numbers"]
    assert told["stopped_early"]
    assert told["epochs"] < 30
    valid = load_rows(config["tasks"]["numbers"]["valid"])
    kept = saved.load(None, {"numbers": Path(config["out"]) / "numbers"}, {"numbers": NUMBERS})
    raw = forward.raw(kept, "numbers", valid.inputs)
    sign = 2 * valid.target - 1
    losses = [np.log1p(np.exp(-sign * raw / temperature)).mean() for temperature in TEMPERATURES]
    assert min(losses) == pytest.approx(told["best_loss"], abs=1e-5)


def test_tasks_that_share_an_adapter_are_saved_with_the_same_one(make, monkeypatch):
    second = dataclasses.replace(WORDS, name="again")
    monkeypatch.setattr(tasks, "get", {"words": WORDS, "again": second}.__getitem__)
    config = make("words", lora={"mode": "shared"})
    config["tasks"]["again"] = config["tasks"]["words"]
    train.fit(config)
    assert files(config)["words/adapter_model.safetensors"] == files(config)["again/adapter_model.safetensors"]


def test_without_text_no_backbone_is_opened(make):
    config = make("numbers")
    config["backbone"] = {"name": "there-is-no-such-body"}
    assert train.fit(config)["steps"] > 0


def test_a_loss_that_is_not_a_number_is_refused_with_the_cure(make):
    with pytest.raises(ValueError, match=r"task numbers: the loss .* is (nan|inf) .* lower train.learning_rate"):
        train.fit(make("numbers", learning_rate=1e30, clip=1e30))


def test_what_cannot_be_trained_is_refused_in_a_sentence(make, parquet, tmp_path):
    empty = make("words")
    empty["tasks"] = {}
    with pytest.raises(ValueError, match="there is no task to train; name one"):
        train.fit(empty)
    bare = make("words")
    rows = words(4, 1)
    save_rows(rows.take(np.array([], dtype=np.int64)), tmp_path / "none.parquet")
    bare["tasks"]["words"]["valid"] = str(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="task words: 192 train and 0 valid rows; both must hold at least one"):
        train.fit(bare)


def test_the_loop_is_plain_adamw_with_clipping_and_a_linear_rise_and_fall(make):
    settings = {
        "epochs": 2,
        "batch_size_numeric": 24,
        "learning_rate": 0.003,
        "weight_decay": 0.3,
        "clip": 0.05,
        "warmup": 0.25,
    }
    config = make("numbers", patience=99, **settings)
    told = train.fit(config)["tasks"]["numbers"]
    kept = saved.load(None, {"numbers": Path(config["out"]) / "numbers"}, {"numbers": NUMBERS})
    rows, valid = (load_rows(config["tasks"]["numbers"][side]) for side in ("train", "valid"))
    net = build.build(None, {"numbers": NUMBERS}, {"numbers": ("table", "series")}, LoraSection(), 7)
    course = set_up(net, "numbers", rows, valid, train.TrainSection(**config["train"]), {})
    learning = weights.parameters(net, "numbers")
    decayed = [value for value in learning.values() if value.ndim > 1]
    plain = [value for value in learning.values() if value.ndim <= 1]
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.3}, {"params": plain, "weight_decay": 0.0}])
    best = measured(net, course)
    for step in range(16):
        index = mixture.batches(course.train.rows.lengths, 24, 7, "numbers", step // 8)[step % 8]
        raw = forward.forward(net, "numbers", forward.batch(net, course.train.rows, index))
        adam.zero_grad()
        heads.loss("score", raw, torch.from_numpy(course.train.target[index])).mean().backward()
        torch.nn.utils.clip_grad_norm_(learning.values(), 0.05)
        for group in adam.param_groups:
            group["lr"] = 0.003 * min((step + 1) / 4, (17 - step - 1) / 13)
        adam.step()
        if step % 4 == 3:
            best = min(best, measured(net, course))
    assert told["best_loss"] == pytest.approx(best, abs=1e-6)
    assert measured(net, course) == pytest.approx(best)  # the last weights are the best, so these two may be compared
    for key, value in weights.parameters(kept, "numbers").items():
        torch.testing.assert_close(value, learning[key], atol=1e-6, rtol=1e-5)


def measured(net: Model, course: Course) -> float:
    totals, rows = valid_losses(net, course, 0, 1)
    return float(totals[0].min()) / rows
