"""The frozen part of a body: cut exactly, computed once, kept whole, and never trusted unread."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.backbone import hidden_states as states
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.model import build, weights
from tasks.model.model import Model
from tests.tasks.toys import KINDS, make_task

WIDTH = 8


def adapted(kind: str, layers: int | str) -> Model:
    toy = make_task("mood", "classify", ("bad", "good"), ("text",))
    net = build.build(
        open_backbone(BackboneSection(name=f"tiny-{kind}")), {"mood": toy}, {"mood": ("text",)}, LoraSection(layers=layers, rank=2), 7
    )  # fmt: skip
    with torch.no_grad():
        for key, value in weights.parameters(net, "mood").items():
            if "lora_B" in key:
                value.normal_(std=0.1)
    return net


def tokens(count: int, longest: int = 9, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(5, 60, int(length)) for length in rng.integers(2, longest, count)]


def padded(rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    attention = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.from_numpy(row)
        attention[place, : len(row)] = 1
    return ids, attention


@pytest.mark.parametrize("kind", KINDS)
def test_the_upper_blocks_on_a_stored_state_give_what_the_whole_body_gives(kind):
    net = adapted(kind, 1)
    ids, attention = padded(tokens(6))
    state = net.trunk.below(ids, attention)
    assert not state.requires_grad
    halves = net.pool(ids, attention, state)
    whole = net.pool(ids, attention)
    torch.testing.assert_close(halves, whole, rtol=0, atol=1e-6)
    halves.sum().backward()
    got = {
        key: value.grad.clone() for key, value in weights.parameters(net, "mood").items() if key.startswith("adapter")
    }
    for value in weights.parameters(net, "mood").values():
        value.grad = None
    net.pool(ids, attention).sum().backward()
    for key, gradient in got.items():
        torch.testing.assert_close(gradient, weights.parameters(net, "mood")[key].grad, rtol=1e-5, atol=1e-6)


def test_a_body_with_an_adapter_in_every_block_is_not_cut():
    assert adapted("bert", "all").trunk is None
    assert adapted("bert", 2).trunk is None
    assert adapted("bert", 1).trunk.depth == 1


def test_a_state_does_not_depend_on_which_texts_were_computed_beside_it(tmp_path):
    """To the last bit, so that a run gives the same weights from a full and from an empty store."""
    toy = make_task("mood", "classify", ("bad", "good"), ("text",))
    net = build.build(open_backbone(BackboneSection()), {"mood": toy}, {"mood": ("text",)}, LoraSection(), 7)
    width = net.backbone.width

    def compute(rows: list[np.ndarray]) -> torch.Tensor:
        ids = torch.stack([torch.from_numpy(row) for row in rows])
        return net.trunk.below(ids, torch.ones_like(ids))

    rows = [row + 1000 for row in tokens(60, longest=24)]
    stores = [states.open_store(tmp_path / name, name * 64, net.trunk.depth, width, 1.0) for name in "ab"]
    whole = states.fill(stores[0], rows, compute, states.Worker())
    for start in (50, 41, 40, 7, 0):  # in other company each time
        parts = states.fill(stores[1], rows[start:], compute, states.Worker())
    everything = np.arange(len(rows))
    assert torch.equal(whole.padded(everything), parts.padded(everything))


class Body:
    """Stands for a body whose state is the token itself, repeated; counts what it computed."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, rows: list[np.ndarray]) -> torch.Tensor:
        assert len({len(row) for row in rows}) == 1
        self.texts += len({row.tobytes() for row in rows})
        return torch.stack([torch.from_numpy(row).float()[:, None].repeat(1, WIDTH) for row in rows])


def held(root: Path, rows: list[np.ndarray], body: Body, *, digest: str = "a" * 64, gigabytes: float = 1.0):
    store = states.open_store(root, digest, 2, WIDTH, gigabytes)
    return states.fill(store, rows, body, states.Worker())


def check(found: states.States, rows: list[np.ndarray]) -> None:
    index = np.array([4, 0, 7])
    got = found.padded(index)
    for place, row in enumerate(index.tolist()):
        expected = torch.from_numpy(rows[row]).float()[:, None].repeat(1, WIDTH)
        assert torch.equal(got[place, : len(rows[row])], expected)
        assert not got[place, len(rows[row]) :].any()


def test_a_text_is_computed_once_for_all_runs_and_an_equal_text_not_at_all(tmp_path):
    rows, body = tokens(40), Body()
    check(held(tmp_path, [*rows, *rows], body), rows)
    different = len({row.tobytes() for row in rows})
    assert body.texts == different
    check(held(tmp_path, rows, body), rows)
    assert body.texts == different
    more = tokens(5, seed=9)
    check(held(tmp_path, [*rows, *more], body), rows)
    assert different < body.texts <= different + 5


def test_another_body_has_states_of_its_own(tmp_path):
    rows, body = tokens(10), Body()
    held(tmp_path, rows, body)
    first = body.texts
    held(tmp_path, rows, body, digest="b" * 64)
    assert body.texts == 2 * first


def test_a_pack_with_one_changed_byte_is_thrown_away_and_computed_again(tmp_path):
    rows, body = tokens(10), Body()
    held(tmp_path, rows, body)
    (pack,) = tmp_path.glob("*/*.safetensors")
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    first = body.texts
    check(held(tmp_path, rows, body), rows)
    assert body.texts == 2 * first


def test_the_store_stays_below_its_limit_and_lets_the_least_recently_used_go(tmp_path):
    sets = [tokens(200, seed=seed) for seed in range(4)]
    size = 0.0
    for place, rows in enumerate(sets):
        held(tmp_path, rows, Body(), digest=str(place) * 64, gigabytes=1.0 if place == 0 else 2.5 * size)
        packs = list(tmp_path.glob("*/*.safetensors"))
        size = size or sum(pack.stat().st_size for pack in packs) / 1e9
        for pack in packs:  # what was used earlier is older by an hour, on any clock
            os.utime(pack, (pack.stat().st_atime, pack.stat().st_mtime - 3600))
    assert sum(pack.stat().st_size for pack in tmp_path.glob("*/*.safetensors")) <= 2.5e9 * size
    assert not list(tmp_path.glob("0000*/*.safetensors"))
    assert list(tmp_path.glob("3333*/*.safetensors"))


def test_what_does_not_fit_is_told_and_nothing_is_computed(tmp_path):
    body = Body()
    assert held(tmp_path, tokens(200), body, gigabytes=1e-6) is None
    assert body.texts == 0


def test_what_another_run_has_thrown_away_is_not_read_from_a_wrong_place(tmp_path):
    rows, body = tokens(40), Body()
    store = states.open_store(tmp_path, "a" * 64, 2, WIDTH, 1.0)

    def thrown_away() -> None:
        for pack in tmp_path.glob("*/*.safetensors"):
            pack.unlink()

    assert states.fill(store, rows, body, states.Worker(meet=thrown_away)) is None


def test_it_says_how_many_of_the_missing_texts_are_computed(tmp_path):
    held(tmp_path, tokens(8), Body())
    store, told = states.open_store(tmp_path, "a" * 64, 2, WIDTH, 1.0), []
    states.fill(store, tokens(40), Body(), states.Worker(tell=lambda done, missing: told.append((done, missing))))
    missing = len({row.tobytes() for row in tokens(40)} - {row.tobytes() for row in tokens(8)})
    assert told[-1] == (missing, missing)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_file_that_nobody_finished_goes_after_an_hour(tmp_path):
    held(tmp_path, tokens(3), Body())
    (folder,) = tmp_path.iterdir()
    old, fresh = folder / "old.part", folder / "fresh.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    held(tmp_path, tokens(3, seed=1), Body())
    assert not old.exists()
    assert fresh.exists()
