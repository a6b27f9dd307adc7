"""A model on disk: the same bytes for the same weights, the same answers after loading, refused where it does not fit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.model import build, forward, saved, weights
from tasks.model.frame import frame_of
from tasks.task import Inputs, Task
from tests.tasks.model.toys import PARTS, digests, fresh, learn, target_of
from tests.tasks.toys import KINDS


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
    assert not forward.truncated(net, "swing", inputs).any()


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
    helper = Path(__file__).resolve().parents[1] / "toys.py"
    root = Path(__file__).resolve().parents[3]
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
