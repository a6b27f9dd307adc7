"""The model on every kind of body: it learns, it is saved to the same bytes, it answers the same after loading."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.backbone.device import set_threads
from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.model import build, forward, heads, saved, weights
from tasks.model.frame import frame_of
from tasks.model.model import Model, set_training
from tasks.task import Inputs, Task

KINDS = ("bert", "llama", "qwen2", "deepseek_v2", "deepseek_v3")
PARTS: dict[str, Any] = {"mood": ("text",), "rules": ("text", "table"), "swing": ("table", "series")}
TARGETS = {"mood": 1, "rules": 2, "swing": 1}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from a second thread, and wait for it where the machine is busy."""
    threads = torch.get_num_threads()
    set_threads(1)
    yield
    set_threads(threads)


def fresh(toys: Mapping[str, Task], kind: str = "bert", **lora: Any) -> Model:
    return build.build(tiny(kind), toys, PARTS, LoraSection(layers="all", **lora), seed=7)


def target_of(name: str, rows: int) -> Any:
    return np.random.default_rng(1).integers(0, 2, size=(rows, TARGETS[name])).astype(np.float64)


def learn(net: Model, inputs: Inputs, steps: int = 2) -> None:
    """A few training steps of every task in turn, as the loop does them."""
    optimizer = torch.optim.AdamW(weights.trainable(net).values(), lr=1e-2)
    set_training(net, on=True)
    for step in range(steps):
        for name, task in net.tasks.items():
            torch.manual_seed(step)
            optimizer.zero_grad(set_to_none=True)
            rows = forward.batch(net, forward.prepare(net, name, inputs), np.arange(len(inputs)))
            raw = forward.forward(net, name, rows)
            heads.loss(task.head.kind, raw, torch.from_numpy(target_of(name, len(inputs)))).mean().backward()
            optimizer.step()
    set_training(net, on=False)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_body_learns_is_saved_and_answers_the_same_after_loading(
    kind: str, toys: dict[str, Task], toy_inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    net, inputs = fresh(toys, kind), toy_inputs()
    before = {name: weight.detach().clone() for name, weight in weights.trainable(net).items()}
    frozen = hashlib.sha256(b"".join(w.numpy().tobytes() for n, w in net.body.state_dict().items() if "lora_" not in n))
    learn(net, inputs)
    still = [name for name, weight in weights.trainable(net).items() if torch.equal(weight, before[name])]
    assert still == []
    assert not any("router" in name or ".gate." in name for name in before if "adapter." in name)
    after = hashlib.sha256(b"".join(w.numpy().tobytes() for n, w in net.body.state_dict().items() if "lora_" not in n))
    assert after.hexdigest() == frozen.hexdigest()

    net.classical["mood"] = {"level": 0.25}
    net.frames["swing"] = frame_of(toys["swing"], PARTS["swing"], inputs, target_of("swing", len(inputs)), None)
    for name in toys:
        saved.save(net, name, tmp_path / name)
    again = saved.load(tiny(kind), {name: tmp_path / name for name in toys}, toys)
    for name, task in toys.items():
        raw = forward.raw(net, name, inputs)
        assert raw.shape == (len(inputs), task.head.width)
        assert np.abs(raw - forward.raw(again, name, inputs)).max() <= 1e-6
    for name in toys:
        saved.save(again, name, tmp_path / "again" / name)
        assert digests(tmp_path / "again" / name) == digests(tmp_path / name)


@pytest.mark.parametrize("kind", ["bert", "llama", "deepseek_v3"])
def test_one_mixed_pass_gives_what_each_task_gives_alone(
    kind: str, toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys, kind), toy_inputs()
    learn(net, inputs)
    mixed = forward.features_many(net, dict.fromkeys(["mood", "rules", "swing"], inputs))
    for name, found in mixed.items():
        raw = forward.combine(net, name, found)
        assert np.abs(raw - forward.raw(net, name, inputs)).max() <= 1e-5
    # The two adapters did learn different things, so that a mix-up would show.
    assert np.abs(mixed["mood"].hidden["text"] - mixed["rules"].hidden["text"]).max() > 1e-2


def test_the_answer_depends_on_the_row_alone(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs(20)
    learn(net, inputs)
    order = np.random.default_rng(0).permutation(20)
    for name in toys:
        raw = forward.raw(net, name, inputs)
        assert np.array_equal(raw, forward.raw(net, name, inputs))
        assert np.abs(raw[order] - forward.raw(net, name, inputs.take(order))).max() <= 1e-5
        assert np.abs(raw[3:4] - forward.raw(net, name, inputs.take(np.array([3])))).max() <= 1e-5


def test_asking_leaves_the_mode_as_it_was_and_draws_no_random_number(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys), toy_inputs()
    set_training(net, on=True)
    state = torch.random.get_rng_state()
    first = forward.raw(net, "mood", inputs)
    assert net.body.training
    assert net.nets["mood"].training
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.array_equal(first, forward.raw(net, "mood", inputs))


def test_a_start_depends_on_seed_and_task_not_on_the_company(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    together = fresh(toys)
    alone = build.build(tiny("bert"), {"rules": toys["rules"]}, PARTS, LoraSection(layers="all"), seed=7)
    other = build.build(tiny("bert"), {"rules": toys["rules"]}, PARTS, LoraSection(layers="all"), seed=8)
    inputs = toy_inputs()
    assert np.array_equal(forward.raw(together, "rules", inputs), forward.raw(alone, "rules", inputs))
    assert not np.array_equal(forward.raw(other, "rules", inputs), forward.raw(alone, "rules", inputs))


def test_each_part_can_be_switched_off(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs()
    net.classical["rules"] = {"level": 2.0}
    full = forward.raw(net, "rules", inputs)
    for part in ("text", "table", "classical"):
        assert np.abs(forward.raw(net, "rules", inputs, frozenset({part})) - full).max() > 1e-3
    classical_alone = forward.raw(net, "rules", inputs, frozenset({"text", "table"}))
    assert np.allclose(classical_alone, 2.0, atol=1e-6)
    # A modality that a request leaves out is the same as a part that is off.
    without_text = forward.raw(net, "rules", replace(inputs, text=None))
    assert np.array_equal(without_text, forward.raw(net, "rules", inputs, frozenset({"text"})))
    found = forward.features(net, "rules", inputs)
    assert np.array_equal(forward.combine(net, "rules", found), full)


def test_hidden_text_is_not_read_and_blank_text_says_nothing(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net = fresh(toys)
    inputs = replace(toy_inputs(3), text=("Net profit rose", "Net profit fell", "  "))
    assert np.abs(np.diff(forward.raw(net, "mood", inputs)[:2], axis=0)).max() > 1e-3
    hidden = replace(inputs, hidden=(((11, 15),), ((11, 15),), ()))
    masked = forward.raw(net, "mood", hidden)
    assert np.abs(masked[0] - masked[1]).max() <= 1e-6
    assert np.array_equal(forward.raw(net, "mood", inputs)[2], forward.raw(net, "mood", inputs, frozenset({"text"}))[2])


def test_padding_does_not_change_an_answer(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    for kind in ("bert", "llama"):
        net = fresh(toys, kind)
        short, long = toy_inputs(1).text or (), ("profit " * 60,)
        pair = replace(toy_inputs(2), text=(*short, *long))
        alone = forward.raw(net, "mood", replace(toy_inputs(1), text=tuple(short)))
        assert np.abs(forward.raw(net, "mood", pair)[:1] - alone).max() <= 1e-5


def test_a_frame_brings_a_regression_to_the_size_of_its_target(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys), toy_inputs(30)
    target = np.random.default_rng(2).normal(-900.0, 40.0, size=(30, 1))
    net.frames["swing"] = frame_of(toys["swing"], PARTS["swing"], inputs, target, None)
    raw = forward.raw(net, "swing", inputs)
    assert abs(raw[:, 0].mean() + 900.0) < 100.0
    assert abs(raw[:, 1].mean() - 2 * np.log(40.0)) < 2.0
    frame = net.frames["swing"]
    scaled = frame.table(inputs.table if inputs.table is not None else np.zeros((0, 3)))
    assert np.abs(scaled[:, :3].mean(axis=0)).max() < 1e-6
    assert scaled[0].tolist()[1] == 0.0  # the missing value
    assert scaled[0].tolist()[4] == 1.0  # and its mark


def test_one_adapter_for_all_tasks_is_shared_and_found_again(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    net, inputs = fresh(toys, mode="shared"), toy_inputs()
    assert len({id(w) for w in weights.trainable(net).values()}) == len(weights.trainable(net))
    learn(net, inputs)
    for name in toys:
        saved.save(net, name, tmp_path / name)
    again = saved.load(tiny("bert"), {name: tmp_path / name for name in toys}, toys)
    assert again.adapters["mood"] == again.adapters["rules"]
    for name in toys:
        assert np.abs(forward.raw(net, name, inputs) - forward.raw(again, name, inputs)).max() <= 1e-6


def test_no_text_means_no_body(toys: dict[str, Task], toy_inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    net = build.build(None, {"swing": toys["swing"]}, PARTS, LoraSection(), seed=7)
    saved.save(net, "swing", tmp_path)
    assert sorted(digests(tmp_path)) == ["head.json", "head.safetensors"]
    again = saved.load(None, {"swing": tmp_path}, toys)
    inputs = toy_inputs()
    assert np.array_equal(forward.raw(net, "swing", inputs), forward.raw(again, "swing", inputs))
    assert not forward.truncated(net, inputs).any()


def test_the_adapter_opens_with_peft_and_names_no_path(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    from peft import PeftModel

    net, inputs = fresh(toys), toy_inputs()
    learn(net, inputs)
    saved.save(net, "mood", tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_bytes())
    assert config["base_model_name_or_path"] == "tiny-bert"
    assert config["revision"] == tiny("bert").digest
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not any("/" in str(value) for value in config.values())
    body = PeftModel.from_pretrained(tiny("bert").body, str(tmp_path))
    ids = torch.tensor([[2, 10, 11, 12, 3]])
    net.activate("mood")
    with torch.no_grad():
        ours, theirs = (b(input_ids=ids).last_hidden_state for b in (net.body, body.eval()))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_saved_bytes_do_not_depend_on_the_process(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    code = (
        "import importlib.util, pathlib, sys\n"
        "from tasks.model import build, forward, saved, weights\nfrom tasks.model.model import Model, set_training\nfrom tasks.backbone.device import set_threads\n"
        "from tasks.backbone.section import LoraSection\n"
        "from tasks.backbone.tiny import tiny\n"
        "spec = importlib.util.spec_from_file_location('toys', sys.argv[1])\n"
        "toys = importlib.util.module_from_spec(spec); spec.loader.exec_module(toys)\n"
        "task = toys.make_task('mood', 'classify', ('bad', 'fair', 'good'), ('text',))\n"
        "net = build.build(tiny('bert'), {'mood': task}, {'mood': ('text',)}, LoraSection(layers='all'), seed=7)\n"
        "set_threads(1); saved.save(net, 'mood', pathlib.Path(sys.argv[2]))\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    helper = Path(__file__).with_name("conftest.py")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, str(helper), str(tmp_path / "there")]
    subprocess.run(command, check=True, cwd=root, env=environment, timeout=120)
    saved.save(fresh({"mood": toys["mood"]}), "mood", tmp_path / "here")
    assert digests(tmp_path / "here") == digests(tmp_path / "there")


def test_a_folder_that_does_not_fit_is_refused_with_the_reason(
    toys: dict[str, Task], toy_task: Callable[..., Task], tmp_path: Path
) -> None:
    net = fresh(toys)
    saved.save(net, "mood", tmp_path / "mood")
    saved.save(net, "rules", tmp_path / "rules")
    with pytest.raises(ValueError, match=r"trained on backbone 'tiny-bert' with digest .* open the backbone"):
        saved.load(tiny("bert", seed=9), {"mood": tmp_path / "mood"}, toys)
    with pytest.raises(ValueError, match="needs backbone 'tiny-bert'"):
        saved.load(None, {"mood": tmp_path / "mood"}, toys)
    fewer = {"mood": toy_task("mood", "classify", ("bad", "good"), ("text",))}
    with pytest.raises(ValueError, match="another outputs"):
        saved.load(tiny("bert"), {"mood": tmp_path / "mood"}, fewer)
    net.classical["mood"] = {"level": 0.25}
    saved.save(net, "mood", tmp_path / "older")
    newer = replace(toys["mood"], classical=replace(toys["mood"].classical, name="a better card"))
    with pytest.raises(ValueError, match=r"has the classical part '.*', the task 'a better card'; retrain it"):
        saved.load(tiny("bert"), {"mood": tmp_path / "older"}, {"mood": newer})
    (tmp_path / "mood" / "head.safetensors").write_bytes((tmp_path / "rules" / "head.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"head.safetensors does not fit the model at 'encoders.table"):
        saved.load(tiny("bert"), {"mood": tmp_path / "mood"}, toys)
    with pytest.raises(ValueError, match=r"head.json is missing in 'nowhere'"):
        saved.load(tiny("bert"), {"mood": tmp_path / "nowhere"}, toys)


def test_a_body_carries_one_model_and_text_needs_a_body(toys: dict[str, Task]) -> None:
    body = tiny("bert")
    build.build(body, toys, PARTS, LoraSection(), seed=7)
    with pytest.raises(ValueError, match="already carries adapters; open it again"):
        build.build(body, toys, PARTS, LoraSection(), seed=7)
    with pytest.raises(ValueError, match="task mood: its rows hold text, so a backbone is needed"):
        build.build(None, toys, PARTS, LoraSection(), seed=7)


def test_a_series_of_another_shape_is_refused(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs()
    with pytest.raises(ValueError, match=r"series of shape \(2, 31\), expected \(2, 32\)"):
        forward.raw(net, "swing", replace(inputs, series=None if inputs.series is None else inputs.series[:, :, 1:]))


def test_no_rows_give_no_answers(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, none = fresh(toys), toy_inputs(3).take(np.array([], dtype=np.int64))
    for name, task in toys.items():
        assert forward.raw(net, name, none).shape == (0, task.head.width)
