"""Broken and hostile GGUF files: each is refused in one sentence with its cure, and nothing is made of it."""

from __future__ import annotations

import os
import re
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tasks.backbone import places
from tasks.backbone.body import BackboneMissing
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection
from tests.tasks.backbone.ggufs import WORDS, model_of, write

HUGE = struct.pack("<Q", 2**60)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("gguf") / "whole.gguf", model_of("llama")).read_bytes()


def refusal(path: Path) -> str:
    """The sentence that a file is refused with; it came at once, without memory, and left nothing behind."""
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(BackboneMissing) as caught:
        open_backbone(BackboneSection(name=str(path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - started < 2
    assert peak < 20_000_000
    assert not places.bodies().exists() or not list(places.bodies().iterdir())
    text = str(caught.value)
    assert "\n" not in text
    assert "; " in text
    return text


def field(key: str, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind) + value


def headed(*fields: bytes, count: int | None = None, tensors: int = 0, version: int = 3) -> bytes:
    told = len(fields) if count is None else count
    return b"GGUF" + struct.pack("<IQQ", version, tensors, told) + b"".join(fields)


def at(whole: bytes, mark: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with the bytes after the first `mark` changed, as many as `change` gives back."""
    place = whole.index(mark) + len(mark)
    new = change(whole[place:])
    return whole[:place] + new + whole[place + len(new) :]


# Where a tensor's entry stands: its name, then the count of axes, the axes, the kind and the offset.
GATE = struct.pack("<Q", 21) + b"blk.0.ffn_gate.weight"
AXES = struct.pack("<I", 2)
BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda whole: b"", "it has 0 bytes; fetch it again"),
    "no GGUF": (lambda whole: b"PK\x03\x04" + whole[4:], "begins with b'PK.*', not 'GGUF'; give a GGUF"),
    "big-endian": (lambda whole: b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian order; convert it"),
    "old": (lambda whole: headed(version=1), "of version 1; write it again"),
    "new": (lambda whole: headed(version=9), "of version 9; write it again"),
    "cut in a tensor": (lambda whole: whole[:-4096], "tensor 'output.weight' .* past the end; fetch it again"),
    "cut in the header": (lambda whole: whole[:1000], "bytes are left; fetch it again"),
    "too long": (lambda whole: whole + bytes(4096), "bytes after its last tensor"),
    "tensor count": (lambda whole: headed(tensors=2**60), "tells of 1,152,921,504,606,846,976 tensors where"),
    "key count": (lambda whole: headed(count=2**60), "tells of .* metadata keys where"),
    "text length": (lambda whole: headed(field("a", 8, HUGE)), "bytes of text where"),
    "array length": (lambda whole: headed(field("a", 9, struct.pack("<I", 0) + HUGE)), "has .* entries; none may"),
    "array of bytes": (lambda whole: headed(field("a", 9, struct.pack("<IQ", 0, 2**22))), "bytes of an array where"),
    "array of texts": (lambda whole: headed(field("a", 9, struct.pack("<IQ", 8, 2**22))), "texts of an array where"),
    "array in array": (lambda whole: headed(field("a", 9, struct.pack("<IQ", 9, 1))), "entries of type 9"),
    "value type": (lambda whole: headed(field("a", 77, b"")), "unknown type 77"),
    "not UTF-8": (lambda whole: headed(field("a", 8, struct.pack("<Q", 2) + b"\xff\xfe")), "not UTF-8"),
    "key twice": (lambda whole: headed(field("a", 7, b"\1"), field("a", 7, b"\1")), "'a' stands there twice"),
    "alignment": (lambda whole: headed(field("general.alignment", 4, struct.pack("<I", 3))), "alignment is 3"),
    "axes": (lambda whole: at(whole, GATE, lambda _: struct.pack("<I", 9)), "has 9 axes"),
    "dimensions": (lambda whole: at(whole, GATE + AXES, lambda _: HUGE + HUGE), "is larger than the file"),
    "no dimension": (lambda whole: at(whole, GATE + AXES, lambda _: bytes(8)), "is larger than the file"),
    "quantisation": (lambda whole: at(whole, GATE + AXES, lambda old: old[:16] + b"\xee"), "unknown quantisation 238"),
    "integers": (lambda whole: at(whole, GATE + AXES, lambda old: old[:16] + b"\x1a"), "unknown quantisation 26"),
    "offset": (lambda whole: at(whole, GATE + AXES, lambda old: old[:20] + HUGE), "does not follow the one before"),
    "not finite": (lambda whole: whole[:-128] + np.full(32, np.nan, "<f4").tobytes(), "not finite"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_by_name(name: str, whole: bytes, tmp_path: Path) -> None:
    breaks, sentence = BROKEN[name]
    (tmp_path / "broken.gguf").write_bytes(breaks(whole))
    text = refusal(tmp_path / "broken.gguf")
    assert re.search(sentence, text), text
    assert text.startswith("GGUF 'broken.gguf': ")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"llama.auto_map": "own.Own"}, r"asks to run code \(llama.auto_map\)"),
        ({"general.trust_remote_code": True}, "asks to run code"),
        ({"tokenizer.chat_template": "{{ ''.__class__.__mro__ }}"}, "chat_template reaches for '__class__'"),
        ({"tokenizer.chat_template.tool_use": "{{ x['__globals__'] }}"}, "tool_use reaches for '__globals__'"),
        ({"tokenizer.ggml.model": None}, "it brings no tokenizer; give"),
        ({"tokenizer.ggml.model": "llama"}, "its tokenizer is 'llama'"),
        ({"tokenizer.ggml.pre": "own-cut"}, "the cut 'own-cut'"),
        ({"tokenizer.ggml.merges": None}, "brings no merges"),
        ({"tokenizer.ggml.merges": ["the"]}, "the merge 'the' joins no two words"),
        ({"tokenizer.ggml.tokens": [*WORDS, "one more"]}, "its body has 261"),
        ({"tokenizer.ggml.tokens": [*WORDS[:-1], WORDS[0]]}, "261 words, 260 different"),
        ({"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.bos_token_id": 999}, "its first token is 999 of 261"),
        ({"llama.block_count": 3}, "tells of 3 blocks and holds 2"),
        ({"llama.block_count": 2**24}, "tells of 16777216 blocks and holds 2"),
        ({"llama.embedding_length": 2**31}, "embedding_length is 2147483648, not 1 to"),
        ({"llama.feed_forward_length": 65}, "'blk.0.ffn_gate.weight' is"),
        ({"llama.attention.head_count": 0}, "head_count is 0, not 1 to"),
        ({"llama.attention.head_count": None}, "head_count is None"),
        ({"llama.attention.head_count_kv": [2, 2]}, r"head_count_kv is \[2, 2\]"),
        ({"llama.attention.layer_norm_rms_epsilon": float("nan")}, "epsilon is nan, no positive number"),
        ({"llama.attention.key_length": 16}, "heads of 16 turn by 8"),
        ({"llama.expert_count": 8}, "'llama' with experts"),
        ({"llama.rope.scaling.type": "longrope"}, "scaled by 'longrope'"),
        ({"split.count": 3}, "one part of several; join"),
    ],
)
def test_a_file_that_says_what_cannot_be_kept_is_refused(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    text = refusal(write(tmp_path / "odd.gguf", model_of("llama"), **change))
    assert re.search(sentence, text), text


def test_an_unknown_architecture_and_missing_or_added_tensors_are_refused(tmp_path: Path) -> None:
    from tests.tasks.backbone import ggufs

    of_model, model = ggufs.tensors, model_of("llama")
    cases = {
        "holds nothing for model.layers.1.mlp.up_proj.weight": lambda found: found.pop("blk.1.ffn_up.weight"),
        "'blk.0.attn_q.bias' has no place in a llama": lambda found: found.update({"blk.0.attn_q.bias": np.ones(32, "f4")}),
        "no token_embd.weight": lambda found: found.pop("token_embd.weight"),
        r"'blk.0.ffn_up.weight' is \(64, 31\)": lambda found: found.update({"blk.0.ffn_up.weight": np.ones((64, 31), "f4")}),
    }  # fmt: skip
    for sentence, change in cases.items():

        def changed(model: Any, change: Any = change, **how: Any) -> dict[str, Any]:
            found = of_model(model, **how)
            change(found)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ggufs, "tensors", changed)
            text = refusal(write(tmp_path / "odd.gguf", model))
        assert re.search(sentence, text), text
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "gpt2")
    writer.add_tensor("token_embd.weight", np.ones((4, 4), "f4"))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    assert "architecture is 'gpt2'; give one of llama, qwen2" in refusal(tmp_path / "other.gguf")


def test_what_is_no_plain_file_or_not_there_is_refused_and_a_link_to_a_file_is_followed(
    whole: bytes, tmp_path: Path
) -> None:
    assert "it is not there; correct" in refusal(tmp_path / "absent.gguf")
    (tmp_path / "dangling.gguf").symlink_to(tmp_path / "nothing")
    assert "it is not there" in refusal(tmp_path / "dangling.gguf")
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "no plain file" in refusal(tmp_path / "pipe.gguf")
    (tmp_path / "folder.gguf").mkdir()
    assert "lacks config.json" in refusal(tmp_path / "folder.gguf")  # a folder is one, whatever its name
    (tmp_path / "blob").write_bytes(whole)
    (tmp_path / "link.gguf").symlink_to(tmp_path / "blob")  # as the hub's cache holds a file
    assert open_backbone(BackboneSection(name=str(tmp_path / "link.gguf"))).gguf_digest
