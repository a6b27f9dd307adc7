"""The output words of a body: tied, stored beside it, or absent; never drawn at random."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from tasks.backbone.body import DECODERS, Backbone
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection
from tasks.backbone.tiny import tiny
from tests.tasks.backbone.toys import words, written


def whole(kind: str, folder: Path, shard: str = "50GB", *, tied: bool = False) -> transformers.PreTrainedModel:
    """A causal model of transformers' own, saved as a user has it: body, head, config, tokenizer."""
    config = tiny(kind).body.config
    config.tie_word_embeddings = tied
    torch.manual_seed(5)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "tokenizer.json").write_text(words(kind), encoding="utf-8")
    return model


def opened(folder: Path) -> Backbone:
    return open_backbone(BackboneSection(name=str(folder)))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", DECODERS)
def test_the_words_of_every_decoder_score_the_next_token_as_transformers_own_head_does(
    kind: str, tied: bool, tmp_path: Path
) -> None:
    model = whole(kind, tmp_path, tied=tied)
    backbone, ids = opened(tmp_path), torch.tensor([[2, 9, 10, 11, 12]])
    assert (backbone.words is backbone.body.get_input_embeddings().weight) is tied
    with torch.no_grad():
        ours = backbone.body(input_ids=ids).last_hidden_state @ backbone.words.T
        assert torch.allclose(ours, model(input_ids=ids).logits, atol=1e-5)


@pytest.mark.parametrize("kind", DECODERS)
def test_every_decoder_in_three_shards_is_loaded_and_writes_eight_tokens_over_its_cache(
    kind: str, tmp_path: Path
) -> None:
    model, ids = whole(kind, tmp_path, "60KB"), torch.tensor([[2, 9, 10, 11, 12]])
    assert len(list(tmp_path.glob("model-*.safetensors"))) >= 3
    model.generation_config.eos_token_id = None
    expected = model.generate(ids, max_new_tokens=8, do_sample=False)[0, 5:].tolist()
    assert written(opened(tmp_path), ids) == expected


def test_words_in_another_shard_are_found_and_those_of_another_model_refused(tmp_path: Path) -> None:
    model = whole("llama", tmp_path, "30KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert torch.equal(opened(tmp_path).words, model.lm_head.weight)
    holder = next(path for path in shards if "lm_head.weight" in load_file(path))
    save_file(load_file(holder) | {"lm_head.weight": torch.zeros(7, 32)}, holder, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lm_head.weight of shape \(7, 32\).*\(216, 32\); take the weights of one"):
        opened(tmp_path)


def test_a_body_without_a_head_has_no_words_and_none_are_made_up(tmp_path: Path) -> None:
    for kind in ("llama", "bert"):
        tiny(kind).body.save_pretrained(tmp_path / kind)
        (tmp_path / kind / "tokenizer.json").write_text(words(kind), encoding="utf-8")
        assert opened(tmp_path / kind).words is None
    assert tiny("bert").words is None
    assert torch.equal(tiny("llama").words, tiny("llama").words)


def test_a_matrix_that_is_stored_beside_tied_words_is_the_one_that_writes(tmp_path: Path) -> None:
    """A config may say tied where the authors stored a head of its own: transformers then keeps both, and so do we."""
    whole("qwen2", tmp_path, tied=True)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    save_file(tensors | {"lm_head.weight": torch.ones(216, 32)}, file, metadata={"format": "pt"})
    assert torch.equal(opened(tmp_path).words, torch.ones(216, 32))
    same = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors | {"lm_head.weight": same}, file, metadata={"format": "pt"})
    backbone = opened(tmp_path)
    assert backbone.words is backbone.body.get_input_embeddings().weight
