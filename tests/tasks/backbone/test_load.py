"""The body: found, pinned, never executed; adapters where they belong; text read as text."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from transformers.integrations import sdpa_attention

from tasks.backbone import load as backbones
from tasks.backbone import tiny as bodies
from tasks.backbone.blocks import targets
from tasks.backbone.body import Backbone, BackboneMissing
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection
from tests.tasks.backbone.toys import words
from tests.tasks.toys import KINDS


def folder_of(kind: str, folder: Path) -> Path:
    """A tiny body as a user's folder: weights, config, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies.tiny(kind, seed=3).body.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(words(kind), encoding="utf-8")
    return folder


def test_the_default_is_the_published_body_and_its_package_is_not_executed(minilm: Backbone) -> None:
    assert minilm.digest == backbones.PUBLISHED
    assert (minilm.width, minilm.pooling, minilm.max_tokens) == (384, "mean", 256)
    assert backbones.PACKAGE not in sys.modules
    assert not any(weight.requires_grad for weight in minilm.body.parameters())


def test_a_changed_weight_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    shutil.copytree(backbones._packaged(), folder)
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    monkeypatch.setattr(backbones, "_packaged", lambda: folder)
    with pytest.raises(BackboneMissing, match="expected 53aa5117"):
        open_backbone(BackboneSection())


def test_an_absent_body_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        BackboneMissing, match=r"'nobody/nothing' is neither a folder nor in the hub's local cache.*give a"
    ):
        open_backbone(BackboneSection(name="nobody/nothing"))
    monkeypatch.setattr(backbones, "PACKAGE", "no_such_package")
    with pytest.raises(BackboneMissing, match="run make install"):
        open_backbone(BackboneSection())
    with pytest.raises(BackboneMissing, match=r"no tiny backbone 'gpt'.*bert"):
        open_backbone(BackboneSection(name="tiny-gpt"))


@pytest.mark.parametrize("name", ["modeling_own.py", "pytorch_model.bin", "weights.pt"])
def test_a_folder_that_can_carry_code_is_refused(name: str, tmp_path: Path) -> None:
    folder = folder_of("bert", tmp_path / "body")
    (folder / name).write_bytes(b"")
    with pytest.raises(BackboneMissing, match=name):
        open_backbone(BackboneSection(name=str(folder)))


def test_a_config_that_asks_to_run_code_or_is_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    folder = folder_of("bert", tmp_path / "body")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "own.Own"}}))
    with pytest.raises(BackboneMissing, match="auto_map"):
        open_backbone(BackboneSection(name=str(folder)))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(BackboneMissing, match="'gpt2'; use one of bert"):
        open_backbone(BackboneSection(name=str(folder)))


def test_a_pinned_digest_is_checked_and_a_missing_file_named(tmp_path: Path) -> None:
    folder = folder_of("bert", tmp_path / "body")
    with pytest.raises(BackboneMissing, match="expected 0000"):
        open_backbone(BackboneSection(name=str(folder), digest="0000"))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BackboneMissing, match=r"lacks tokenizer.json"):
        open_backbone(BackboneSection(name=str(folder)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_every_kind_opens_to_the_body_that_was_saved(kind: str, tmp_path: Path) -> None:
    opened = open_backbone(BackboneSection(name=str(folder_of(kind, tmp_path / "my-body"))))
    assert (opened.name, opened.width, opened.max_tokens) == ("my-body", 32, 256)
    ids = torch.tensor([[2, 9, 10, 11, 3]])
    with torch.no_grad():
        before = bodies.tiny(kind, seed=3).body(input_ids=ids).last_hidden_state
        assert torch.allclose(opened.body(input_ids=ids).last_hidden_state, before, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_body_is_the_same_for_the_same_seed(kind: str) -> None:
    assert bodies.tiny(kind, 1).digest == bodies.tiny(kind, 1).digest != bodies.tiny(kind, 2).digest


def test_adapters_go_into_all_linear_layers_of_the_top_blocks(minilm: Backbone) -> None:
    chosen = targets(minilm.body, 2)
    assert {name.split(".")[2] for name in chosen} == {"4", "5"}
    assert len(chosen) == 2 * 6
    assert len(targets(minilm.body, "all")) == len(targets(minilm.body, 99)) == 6 * 6
    with pytest.raises(ValueError, match=r"lora.layers is 0; give 'all' or a number from 1 to 6"):
        targets(minilm.body, 0)


@pytest.mark.parametrize("kind", ["deepseek_v2", "deepseek_v3"])
def test_no_expert_and_no_router_is_adapted(kind: str) -> None:
    chosen = targets(bodies.tiny(kind).body, "all")
    assert chosen
    assert all(".self_attn." in name for name in chosen)
    assert any("kv_b_proj" in name for name in chosen)


def test_a_body_in_the_hubs_local_cache_opens_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    kept = tmp_path / "models--some--body"
    folder_of("llama", kept / "snapshots" / ("0" * 40))
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    opened = open_backbone(BackboneSection(name="some/body"))
    assert (opened.name, opened.pooling) == ("some/body", "last")


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
def test_heads_of_a_group_share_their_keys_beside_a_mask_to_the_same_bits(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = open_backbone(BackboneSection(name=f"tiny-{kind}")).body
    ids = torch.randint(5, 40, (2, 40), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, :9] = 0
    monkeypatch.setenv("TRANSFORMERS_SDPA_FORCE_GQA", "0")
    copied = body(input_ids=ids, attention_mask=mask).last_hidden_state
    monkeypatch.delenv("TRANSFORMERS_SDPA_FORCE_GQA")
    open_backbone(BackboneSection(name=f"tiny-{kind}"))
    monkeypatch.setattr(sdpa_attention, "repeat_kv", None)
    assert torch.equal(body(input_ids=ids, attention_mask=mask).last_hidden_state, copied)
