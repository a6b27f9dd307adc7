"""A proof is short, is checked without Assay, and an altered one does not pass."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import registry as reg
from registry import checkpoints, database, merkle, proofs

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "check_proof.py"


def _checked(tmp_path: Path, document: dict, *root: str) -> bool:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    run = subprocess.run([sys.executable, "-I", str(SCRIPT), str(path), *root], capture_output=True, check=False)
    return run.returncode == 0


def test_the_script_of_the_documents_has_40_lines_and_needs_the_standard_library_alone() -> None:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    imported = {line.split()[1] for line in lines if line.startswith("import ")}
    assert imported <= sys.stdlib_module_names


def test_a_proof_of_an_event_and_of_a_beginning_pass_the_script_and_altered_ones_do_not(
    registry, champion, tmp_path
) -> None:
    champion("größe")
    first = reg.checkpoint(registry)
    champion(2)
    proof, grown = reg.prove(registry, 2), reg.extend(registry, first.number)
    root = proof["checkpoint"]["root"]
    assert _checked(tmp_path, proof) and _checked(tmp_path, proof, root) and _checked(tmp_path, grown, first.root)
    assert not _checked(tmp_path, proof, "ab" * 32)
    eve = {**proof["event"], "payload": proof["event"]["payload"].replace("Ann", "Eve")}
    assert not _checked(tmp_path, {**proof, "event": eve})
    assert not _checked(tmp_path, {**proof, "inclusion": proof["inclusion"][:-1]})
    assert not _checked(tmp_path, {**proof, "event": {**proof["event"], "seq": 3}})
    assert not _checked(tmp_path, {**grown, "first": {**grown["first"], "root": "ab" * 32}})
    assert not _checked(tmp_path, {**grown, "first": {**grown["first"], "size": 2}})


def test_every_event_of_a_longer_history_is_proved_by_reading_few_of_them(registry, monkeypatch) -> None:
    """Two events to a page and a checkpoint every two, as 1,024 and 1,000 are in a long history."""
    monkeypatch.setattr(proofs, "READ", 2)
    for number in range(16):
        reg.start_run(registry, f"r{number}", "retrain")
        reg.finish_run(registry, f"r{number}", "completed")
        reg.checkpoint(registry)
    made = reg.checkpoint(registry)
    with database.reading(registry) as session:
        leaves = list(checkpoints.digests(session, 0))
        for place in range(len(leaves)):
            trees = proofs._Trees(session, made.key)
            proof = merkle.inclusion(place, made.size, trees.of)
            assert proof == merkle.inclusion(place, made.size, merkle.of_leaves(leaves))
            assert trees.read <= 10
    with pytest.raises(reg.UnknownVersion, match="there is no event 33"):
        reg.prove(registry, 33)


def test_an_event_is_witnessed_where_the_newest_checkpoint_of_the_log_speaks_for_it(registry, champion) -> None:
    champion(1)
    made = reg.checkpoint(registry)
    assert reg.witnessed(registry, made.size) == made
    assert reg.witnessed(registry, made.size + 1) is None
    reg.start_run(registry, "later", "retrain")
    assert reg.witnessed(registry, made.size) == made
    assert reg.witnessed(dataclasses.replace(registry, log=None), 1) is None
