"""A task's weights on disk: safetensors and canonical JSON, the same bytes for the same weights, no path inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tasks import digest
from tasks.backbone.load import Backbone, LoraSection
from tasks.model.build import SHARED, Frame, Model, assemble, own_adapter
from tasks.task import Task, get

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
HEAD, HEAD_CONFIG, CLASSICAL = "head.safetensors", "head.json", "classical.json"
PREFIX = "base_model.model."


def save(model: Model, name: str, folder: Path) -> None:
    """Write one task's adapter (PEFT format), head and classical state into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if name in model.adapters:
        tensors = _adapter_tensors(model, name)
        _write_tensors(folder / ADAPTER, tensors)
        digest.write_json(folder / ADAPTER_CONFIG, _adapter_config(model, name, tensors))
    _write_tensors(folder / HEAD, model.nets[name].state_dict())
    digest.write_json(folder / HEAD_CONFIG, _head_config(model, name))
    if name in model.classical:
        state = {"name": model.tasks[name].classical.name, "state": model.classical[name]}
        digest.write_json(folder / CLASSICAL, state)


def load(
    backbone: Backbone | None, folders: Mapping[str, Path], tasks: Mapping[str, Task] | None = None, device: str = "cpu"
) -> Model:
    """Read models that `save` wrote, several tasks on one body. `tasks` are the folders of tasks/ unless given.

    Raises ValueError where a folder does not fit the task or the backbone.
    """
    known = {name: tasks[name] if tasks else get(name) for name in folders}
    heads = {name: _read_head(known[name], Path(folders[name]), backbone) for name in folders}
    loras = {name: LoraSection(**head["lora"]) for name, head in heads.items() if head["lora"]}
    adapters = _adapter_names(loras, folders)
    parts = {name: tuple(head["parts"]) for name, head in heads.items()}
    model = assemble(backbone, known, parts, (loras, adapters), seed=0, device=device)
    for name, head in heads.items():
        folder = Path(folders[name])
        _fill(model, name, folder)
        table, frame = head["table"] or {"mean": (), "deviation": ()}, head["frame"]
        model.frames[name] = Frame(
            *(tuple(values) for values in (table["mean"], table["deviation"], frame["centre"], frame["spread"]))
        )
        if (folder / CLASSICAL).is_file():
            model.classical[name] = _classical(known[name], folder)
    return model


def _classical(task: Task, folder: Path) -> dict[str, Any]:
    told = digest.read_json(folder / CLASSICAL)
    if told["name"] != task.classical.name:
        raise ValueError(
            f"task {task.name}: the saved model has the classical part {told['name']!r}, the task "
            f"{task.classical.name!r}; retrain it, or use the code that it was trained with"
        )
    state: dict[str, Any] = told["state"]
    return state


def _adapter_names(loras: Mapping[str, LoraSection], folders: Mapping[str, Path]) -> dict[str, str]:
    """Tasks whose shared adapters are the same bytes get one adapter in the body; every other task its own."""
    shared = {name: digest.of_file(Path(folders[name]) / ADAPTER) for name in loras if loras[name].mode == "shared"}
    first = next(iter(shared.values()), "")
    return {name: SHARED if shared.get(name) == first and first else own_adapter(name) for name in loras}


def _adapter_tensors(model: Model, name: str) -> dict[str, Any]:
    mark = f".{model.adapters[name]}."
    state = model.body.state_dict()
    return {key.replace(mark, "."): value for key, value in state.items() if "lora_" in key and mark in key}


def _adapter_config(model: Model, name: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """What PEFT reads back, without what differs between processes: `revision` holds the body's digest."""
    lora, backbone = model.loras[name], model.backbone
    layers = {key.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for key in tensors}
    return {
        "base_model_name_or_path": backbone.name if backbone else "",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "peft_type": "LORA",
        "r": lora.rank,
        "revision": backbone.digest if backbone else "",
        "target_modules": sorted(layers),
        "task_type": "FEATURE_EXTRACTION",
    }


def _head_config(model: Model, name: str) -> dict[str, Any]:
    task, frame, net = model.tasks[name], model.frames[name], model.nets[name]
    has_text = name in model.adapters
    table = {
        "features": [feature.name for feature in task.features],
        "mean": list(frame.mean),
        "deviation": list(frame.deviation),
    }
    return {
        "task": name,
        "kind": task.head.kind,
        "outputs": list(task.head.outputs),
        "parts": list(model.parts[name]),
        "table": table if "table" in model.parts[name] else None,
        "series": net.encoders["series"].sizes if "series" in net.encoders else None,
        "frame": {"centre": list(frame.centre), "spread": list(frame.spread)},
        "backbone": model.backbone.facts if model.backbone and has_text else None,
        "lora": model.loras[name].model_dump() if has_text else None,
        "threads": torch.get_num_threads(),
    }


def _read_head(task: Task, folder: Path, backbone: Backbone | None) -> dict[str, Any]:
    head: dict[str, Any] = digest.read_json(folder / HEAD_CONFIG)
    expected = {"kind": task.head.kind, "outputs": list(task.head.outputs)}
    if head["table"]:
        expected["features"] = [feature.name for feature in task.features]
    found = {"kind": head["kind"], "outputs": head["outputs"], "features": (head["table"] or {}).get("features")}
    wrong = [key for key, value in expected.items() if found[key] != value]
    if wrong:
        raise ValueError(
            f"task {task.name}: the saved model has another {' and '.join(wrong)} ({found[wrong[0]]}) than the task "
            f"({expected[wrong[0]]}); retrain it, or use the code that it was trained with"
        )
    wanted = head["backbone"]
    if wanted and backbone is None:
        raise ValueError(f"task {task.name}: its adapter needs backbone {wanted['name']!r}; open it and pass it")
    if wanted and backbone and wanted != backbone.facts:
        differ = next(key for key in wanted if wanted[key] != backbone.facts[key])
        if any(wanted[key] != backbone.facts[key] for key in wanted if key != "name"):
            raise ValueError(
                f"task {task.name}: its adapter was trained on backbone {wanted['name']!r} with {differ} "
                f"{wanted[differ]}, not {backbone.facts[differ]}; open the backbone that it was trained on"
            )
    return head


def _fill(model: Model, name: str, folder: Path) -> None:
    from safetensors.torch import load_file

    net = model.nets[name]
    _fit(name, HEAD, {key: value.shape for key, value in net.state_dict().items()}, tensors := load_file(folder / HEAD))
    net.load_state_dict(tensors)
    if name in model.adapters:
        own = _adapter_tensors(model, name)
        _fit(name, ADAPTER, {key: value.shape for key, value in own.items()}, tensors := load_file(folder / ADAPTER))
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(tensors[key])


def _fit(name: str, file: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    wrong = sorted(expected.keys() ^ found.keys())
    wrong += [key for key in sorted(expected.keys() & found.keys()) if expected[key] != found[key].shape]
    if wrong:
        raise ValueError(f"task {name}: {file} does not fit the model at {wrong[0]!r}; take the files of one version")


def _write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    ready = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    save_file(ready, path, metadata={"format": "pt"})
