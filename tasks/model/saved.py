"""A task's weights on disk: safetensors and canonical JSON, the same bytes for the same weights, no path inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tasks import digest, get
from tasks.backbone.body import Backbone, again
from tasks.backbone.device import set_threads
from tasks.backbone.load import open_backbone
from tasks.backbone.places import of_version
from tasks.backbone.section import LoraSection
from tasks.model.build import SHARED, Adapters, assemble, own_adapter
from tasks.model.folder import Folder
from tasks.model.frame import Frame
from tasks.model.grammar import ids_of
from tasks.model.model import Model
from tasks.task import Task

PREFIX = "base_model.model."
BODY = ("digest", "tokenizer_digest", "config_digest")  # what makes a body; its name and its origin do not


def save(model: Model, name: str, folder: Path) -> None:
    """Write one task's adapter (PEFT format), head and classical state into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Folder(folder)
    if name in model.adapters:
        tensors = _adapter_tensors(model, name)
        _write_tensors(files.adapter, tensors)
        digest.write_json(files.adapter_config, _adapter_config(model, name, tensors))
    _write_tensors(files.head, model.nets[name].state_dict())
    digest.write_json(files.head_config, _head_config(model, name))
    if name in model.classical:
        state = {"name": model.tasks[name].classical.name, "state": model.classical[name]}
        digest.write_json(files.classical, state)


def load(
    backbone: Backbone | None, folders: Mapping[str, Path], tasks: Mapping[str, Task] | None = None, device: str = "cpu"
) -> Model:
    """Read models that `save` wrote, several tasks on one body. `tasks` are the folders of tasks/ unless given.

    Raises ValueError where a folder does not fit the task or the backbone.
    """
    known = {name: tasks[name] if tasks else get(name) for name in folders}
    files = {name: Folder(Path(folder)) for name, folder in folders.items()}
    heads = {name: _read_head(known[name], files[name], backbone) for name in folders}
    loras = {name: LoraSection(**head["lora"]) for name, head in heads.items() if head["lora"]}
    adapters = Adapters(loras, _adapter_names(loras, files))
    parts = {name: tuple(head["parts"]) for name, head in heads.items()}
    model = assemble(backbone, known, parts, adapters, seed=0, device=device)
    for name, head in heads.items():
        _fill(model, name, files[name])
        table, frame = head["table"] or {"mean": (), "deviation": ()}, head["frame"]
        places = (table["mean"], table["deviation"], frame["centre"], frame["spread"])
        mean, deviation, centre, spread = (tuple(values) for values in places)
        model.frames[name] = Frame(mean, deviation, centre, spread, model.frames[name].categories)
        if files[name].classical.is_file():
            model.classical[name] = _classical(known[name], files[name])
    return model


def open_folders(folders: Mapping[str, Path], threads: int, bodies: dict[str, Backbone] | None = None) -> Model:
    """The models of several folders on the one body that they were trained on, computing with `threads`.

    bodies  opened before, by what makes them; a new one is put among them, so that the next model shares its weights
    No body is opened where none of them has text. Raises ValueError as `load` and `open_backbone` do.
    """
    set_threads(threads)
    facts = next((told for folder in folders.values() if (told := Folder(folder).backbone())), None)
    return load(_body(facts, {} if bodies is None else bodies) if facts else None, folders)


def body_key(facts: Mapping[str, str]) -> str:
    """What makes a body the same as another: digests and the kind of its numbers, not its name."""
    return " ".join(facts.get(key, "") for key in (*BODY, "dtype"))


def _body(facts: Mapping[str, str], bodies: dict[str, Backbone]) -> Backbone:
    key = body_key(facts)
    if key not in bodies:
        bodies[key] = open_backbone(of_version(facts))
    return again(bodies[key])


def _classical(task: Task, folder: Folder) -> dict[str, Any]:
    told = folder.read(folder.classical)
    if told["name"] != task.classical.name:
        raise ValueError(
            f"task {task.name}: the saved model has the classical part {told['name']!r}, the task "
            f"{task.classical.name!r}; retrain it, or use the code that it was trained with"
        )
    state: dict[str, Any] = told["state"]
    return state


def _adapter_names(loras: Mapping[str, LoraSection], folders: Mapping[str, Folder]) -> dict[str, str]:
    """Tasks whose shared adapters are the same bytes get one adapter in the body; every other task its own."""
    shared = {name: digest.of_file(folders[name].adapter) for name in loras if loras[name].mode == "shared"}
    first = next(iter(shared.values()), "")
    return {name: SHARED if shared.get(name) == first and first else own_adapter(name) for name in loras}


def _adapter_tensors(model: Model, name: str) -> dict[str, Any]:
    """By the names of PEFT; an adapter that writes is one of the causal model, which holds the body as `model`."""
    mark, prefix = f".{model.adapters[name]}.", PREFIX if model.tasks[name].writer is None else f"{PREFIX}model."
    held = {key: value for key, value in model.body.state_dict().items() if "lora_" in key and mark in key}
    return {key.replace(mark, ".").replace(PREFIX, prefix, 1): value for key, value in held.items()}


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
        **_purpose(model, name),
    }


def _purpose(model: Model, name: str) -> dict[str, Any]:
    """What the adapter is for. One that writes acts from the question on: PEFT calls that activated LoRA."""
    writer = model.tasks[name].writer
    if writer is None:
        return {"task_type": "FEATURE_EXTRACTION"}
    begin = ids_of(model.tokenizer, writer.invocation)
    return {"task_type": "CAUSAL_LM", "alora_invocation_tokens": list(begin)}


def _head_config(model: Model, name: str) -> dict[str, Any]:
    task, frame, net = model.tasks[name], model.frames[name], model.nets[name]
    has_text = name in model.adapters
    table = {
        "features": [feature.name for feature in task.features],
        "mean": list(frame.mean),
        "deviation": list(frame.deviation),
        **_levels(task),
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
        **({"declaration": task.declaration} if task.declaration else {}),
    }


def _levels(task: Task) -> dict[str, Any]:
    """The words of each category: their order is what the codes of the table mean."""
    held = {feature.name: list(feature.levels) for feature in task.features if feature.levels}
    return {"levels": held} if held else {}


def _read_head(task: Task, folder: Folder, backbone: Backbone | None) -> dict[str, Any]:
    head = folder.read(folder.head_config)
    expected: dict[str, Any] = {"kind": task.head.kind, "outputs": list(task.head.outputs)}
    if head["table"]:
        expected["features"] = [feature.name for feature in task.features]
        expected["levels"] = _levels(task).get("levels")
    table = head["table"] or {}
    found = {
        "kind": head["kind"],
        "outputs": head["outputs"],
        **{key: table.get(key) for key in ("features", "levels")},
    }
    wrong = [key for key, value in expected.items() if found[key] != value]
    if wrong:
        raise ValueError(
            f"task {task.name}: the saved model has another {' and '.join(wrong)} ({found[wrong[0]]}) than the task "
            f"({expected[wrong[0]]}); retrain it, or use the code that it was trained with"
        )
    if task.declaration and head.get("declaration") != task.declaration:
        raise ValueError(
            f"task {task.name}: its folder has the digest {task.declaration[:12]}, the version was learned with "
            f"{str(head.get('declaration'))[:12]}; retrain it, or take back what was edited"
        )
    wanted = head["backbone"]
    if wanted and backbone is None:
        raise ValueError(f"task {task.name}: its adapter needs backbone {wanted['name']!r}; open it and pass it")
    differ = [key for key in BODY if wanted and backbone and wanted[key] != backbone.facts[key]]
    if wanted and backbone and differ:
        raise ValueError(
            f"task {task.name}: its adapter was trained on backbone {wanted['name']!r} with {differ[0]} "
            f"{wanted[differ[0]]}, not {backbone.facts[differ[0]]}; open the backbone that it was trained on"
        )
    return head


def _fill(model: Model, name: str, folder: Folder) -> None:
    """Put the saved weights into a model of their shape."""
    net = model.nets[name]
    net.load_state_dict(_read_tensors(name, folder.head, net.state_dict()))
    if name in model.adapters:
        own = _adapter_tensors(model, name)
        tensors = _read_tensors(name, folder.adapter, own)
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(tensors[key])


def _read_tensors(name: str, path: Path, expected: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of a file. Raises ValueError where their names and shapes are not the expected ones."""
    found: dict[str, Any] = load_file(path)
    wrong = sorted(expected.keys() ^ found.keys())
    wrong += [key for key in sorted(expected.keys() & found.keys()) if expected[key].shape != found[key].shape]
    if wrong:
        raise ValueError(
            f"task {name}: {path.name} does not fit the model at {wrong[0]!r}; take the files of one version"
        )
    return found


def _write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    ready = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    save_file(ready, path, metadata={"format": "pt"})
