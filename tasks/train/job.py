"""What a training job holds, made from its config: model, optimizer, a course per task, the states of its texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import tasks
from tasks import digest
from tasks.backbone import device, hidden_states, places
from tasks.backbone.blocks import block_list
from tasks.backbone.body import Backbone
from tasks.backbone.load import folder_of, open_backbone
from tasks.backbone.section import DEFAULT, BackboneSection, LoraSection
from tasks.data.parquet import load_rows
from tasks.model import build, weights
from tasks.model.model import Model
from tasks.privacy.section import PrivacySection
from tasks.task import Modality, Rows
from tasks.train import private
from tasks.train.course import Course, rates, set_up
from tasks.train.section import TrainSection
from tasks.train.world import World


@dataclass(frozen=True)
class Job:
    """One job. `weights` is every weight that learns, `of` the same by trial; `run` is the digest of what was asked.

    `stored` counts the texts whose states were held on disk: 0 where there was no room for them, None where no block
    lies below the adapters. `privacy` says whether the job learns under a budget.
    """

    section: TrainSection
    world: World
    model: Model
    weights: Mapping[str, Any]
    of: Mapping[str, Mapping[str, Any]]
    optimizer: Any
    courses: Mapping[str, Course]
    run: str
    stored: int | None
    privacy: PrivacySection


def prepare(
    config: Mapping[str, Any],
    section: TrainSection,
    world: World,
    tell: Callable[[int, int], None] = lambda done, missing: None,
) -> Job:
    """Read the rows, build the model, fit the classical parts, hold the states; `tell` is told how far those are.

    Raises ValueError for what cannot be used.
    """
    lora = LoraSection(**config["lora"])
    if section.sweep and lora.mode == "shared":
        raise ValueError("train.sweep tries rates for each task, which one shared adapter cannot follow; leave it out")
    privacy = PrivacySection(**config.get("privacy", {}))
    names = sorted(config["tasks"])
    if privacy.epsilon is not None:
        private.check(section, lora, {name: tasks.get(name) for name in names})
    rows = {name: [load_rows(config["tasks"][name][side]) for side in ("train", "valid")] for name in names}
    _check(rows)
    sections = {name: config["tasks"][name]["section"] for name in names}
    trials = {trial: name for name in names for trial in rates(name, section, sections[name])}
    parts = {trial: _parts(rows[name][0], sections[name]) for trial, name in trials.items()}
    if privacy.epsilon is not None:
        for trial, held in parts.items():
            private.check_parts(trial, held)
    reads = any("text" in held for held in parts.values())
    backbone = _opened(BackboneSection(**config["backbone"])) if reads else None
    known = {trial: tasks.get(name) for trial, name in trials.items()}
    net = build.build(backbone, known, parts, lora, section.seed, world.device)
    if section.shard and world.size > 1:
        _shard(net)
    net = _in_bf16(net, section.bf16)
    if section.recompute and net.body is not None:
        net.body.get_base_model().activation_checkpointing_enable()
    blind = privacy.epsilon is not None
    courses = {
        name: set_up(net, name, train, valid, section, sections[name], blind=blind)
        for name, (train, valid) in rows.items()
    }
    asked = {key: config[key] for key in ("backbone", "lora", "train")}
    shapes = {name: [len(sides[0]), len(sides[1])] for name, sides in rows.items()}
    run = digest.of_json({**asked, "tasks": sections, "rows": shapes})
    learning = weights.trainable(net)
    of = {trial: weights.parameters(net, trial) for trial in trials}
    place = config.get("states") or default_store(config)
    stored = _fill_states(net, courses, place, _worker(world, tell, together=section.shard))
    device.trim_heap()
    optimizer = _optimizer(learning, section, net.device)
    return Job(section, world, net, learning, of, optimizer, courses, run, stored, privacy)


def _opened(section: BackboneSection) -> Backbone:
    """The body of the job; where it lies in a folder, this machine learns which, for a version will tell no path."""
    backbone = open_backbone(section)
    if not section.name.startswith("tiny-") and section.name != DEFAULT:
        places.remember(folder_of(section), backbone.digest)
    return backbone


def _parts(rows: Rows, section: Mapping[str, Any]) -> tuple[Modality, ...]:
    """The parts that learn: those that the rows hold, and of these the ones that the recipe asks for."""
    asked = section.get("parts")
    return tuple(part for part in rows.inputs.modalities if asked is None or part in asked)


def default_store(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where states lie when nobody says so: in the folder that the models go to."""
    return {"folder": str(Path(config["out"]).parent / "states"), "gigabytes": 4.0}


def _in_bf16(net: Model, asked: str) -> Model:
    """The same model with its body under autocast, where that was asked for, or is fast."""
    on = asked == "on" or (asked == "auto" and device.is_fast(net.device.type))
    if net.body is None or not on:
        return net
    if net.device.type == "cpu":
        device.keep_attention(net.body.get_base_model())
    return dataclasses.replace(net, bf16=True)


def _shard(net: Model) -> None:
    """Split the frozen weights over the workers by FSDP2; adapters are small, and stay whole on each of them."""
    from torch.distributed.fsdp import fully_shard  # a second to import, for large bodies alone

    if net.body is None:
        return
    inner = net.body.get_base_model()
    adapters = {weight for name, weight in inner.named_parameters() if "lora_" in name}
    blocks, _ = block_list(inner)
    for block in inner.get_submodule(blocks):
        fully_shard(block, ignored_params=adapters)
    fully_shard(inner, ignored_params=adapters)


def _check(rows: Mapping[str, Any]) -> None:
    if not rows:
        raise ValueError("there is no task to train; name one in the recipe as [tasks.<name>]")
    for name, (train, valid) in rows.items():
        if not len(train) or not len(valid):
            raise ValueError(
                f"task {name}: {len(train)} train and {len(valid)} valid rows; both must hold at least one"
            )
        missing = [part for part in tasks.get(name).needs if part not in train.inputs.modalities]
        if missing:
            raise ValueError(f"task {name}: its rows hold no {', '.join(missing)}, which it needs; add it to the data")


def _optimizer(weights: Mapping[str, Any], section: TrainSection, device: Any) -> Any:
    """One AdamW over every adapter and head; a group per owner (its own rate) and kind (matrices alone decay)."""
    groups: dict[tuple[str, bool], list[Any]] = {}
    for name, weight in weights.items():
        groups.setdefault((name.split("/")[0], weight.ndim > 1), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": params, "owner": owner, "weight_decay": section.weight_decay if matrix else 0.0}
            for (owner, matrix), params in groups.items()
        ],
        lr=section.learning_rate,
        fused=device.type == "cuda" or None,
    )


def _worker(world: World, tell: Callable[[int, int], None], *, together: bool) -> hidden_states.Worker:
    """What the store of states knows of a worker: its share of the texts, or all where passes are made `together`.

    A sharded body is put together for a pass in all workers at once, so each of them computes every text.
    """

    def meet() -> None:
        if world.size > 1:
            torch.distributed.barrier()

    rank, size = (0, 1) if together else (world.rank, world.size)
    return hidden_states.Worker(rank, size, meet, tell)


def _fill_states(
    net: Model, courses: Mapping[str, Course], place: Mapping[str, Any], worker: hidden_states.Worker
) -> int | None:
    """Compute what lies below the adapters for every text of the job, or find it; gives how many texts were held."""
    trunk, backbone = net.trunk, net.backbone
    sides = [(each, side) for each in courses.values() for side in ("train", "valid")]
    read = [(each, side, ids) for each, side in sides if (ids := getattr(each, side).rows.ids) is not None]
    if trunk is None or backbone is None:
        return None
    if not place["gigabytes"]:
        return 0

    def compute(rows: Any) -> Any:
        ids = torch.stack([torch.from_numpy(row) for row in rows]).to(net.device)
        return trunk.below(ids, torch.ones_like(ids))

    # Sums of another number of threads may differ in their last digits.
    facts = digest.of_json(backbone.facts | {"dtype": str(backbone.body.dtype), "threads": torch.get_num_threads()})
    store = hidden_states.open_store(Path(place["folder"]), facts, trunk.depth, backbone.width, place["gigabytes"])
    texts = [row for _, _, ids in read for row in ids]
    held = hidden_states.fill(store, texts, compute, worker)
    if held is None:
        return 0
    start = 0
    for each, side, ids in read:
        rows = getattr(each, side)
        part = held.part(slice(start, start + len(ids)))
        setattr(each, side, dataclasses.replace(rows, rows=dataclasses.replace(rows.rows, states=part)))
        start += len(ids)
    return len(texts)
