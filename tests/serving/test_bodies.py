"""A release holds versions on several bodies: each is found by its digest, opened once, and shared by its tasks."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import registry
import tasks
from infra.settings import Settings
from serving import loading
from serving.places import Places
from serving.service import Release
from tasks.backbone import places as homes
from tasks.backbone.body import BackboneMissing
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection
from tasks.backbone.tiny import tiny
from tests.serving.conftest import Asked, some_rows, write_model
from tests.tasks.backbone.toys import words

TEXTS = ("compliance", "sentiment")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    return {name: some_rows(name) for name in TEXTS}


def folder_of(kind: str, folder: Path) -> Path:
    tiny(kind, seed=3).body.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(words(kind), encoding="utf-8")
    return folder


@pytest.fixture
def serve(home: Path, rows: dict[str, Any]) -> Iterator[Any]:
    """Registers a version of each task on a body's folder, with its link in the home, and loads them as one release."""
    settings = Settings(home=home)
    book = registry.open_registry(settings.database, settings.artifacts)

    def made(bodies: dict[str, Path]) -> Release:
        report = home / "report"
        report.mkdir(parents=True, exist_ok=True)
        (report / "report.json").write_text("{}")
        refs = []
        for name, folder in bodies.items():
            backbone = open_backbone(BackboneSection(name=str(folder)))
            homes.remember(folder, backbone.digest)
            model = home / f"model-{name}-{folder.name}"
            write_model(name, 1, rows[name], model, backbone)
            facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
            refs.append(registry.register(book, name, model, report, facts, key=model.name, look=lambda *_: ()).ref)
            registry.approve(book, refs[-1], by="A. Tester", reason="a test")
        return load(refs)

    def load(refs: list[str]) -> Release:
        plan = dataclasses.asdict(registry.release(book, refs, by="a test"))
        return loading.load(book, plan, Places(settings.database, settings.artifacts, str(home / "cache"), "token"))

    made.again = load  # type: ignore[attr-defined]
    yield made
    registry.close(book)


def test_two_tasks_on_two_bodies_answer_in_one_release_each_with_its_own(asked: Asked) -> None:
    served = asked.parts.release.served
    kinds = {name: served[name].model.backbone.name for name in TEXTS}
    assert kinds == {"compliance": "tiny-llama", "sentiment": "tiny-bert"}
    for name in TEXTS:
        answer = asked.http.post(f"/v1/tasks/{name}", json=tasks.get(name).example)
        assert answer.status_code == 200
    both = asked.http.post("/v1/analyze", json={"text": "Revenue rose and we may terminate without notice."}).json()
    assert both["answered"] == list(TEXTS)


def test_bodies_in_folders_are_found_without_any_recipe_and_one_for_each_digest(serve: Any, tmp_path: Path) -> None:
    one, two = folder_of("bert", tmp_path / "one"), folder_of("llama", tmp_path / "two")
    served = serve({"compliance": one, "sentiment": two}).served
    assert [served[name].model.backbone.body.config.model_type for name in TEXTS] == ["bert", "llama"]
    alias = tmp_path / "alias"  # the same weights under another name are one body
    alias.symlink_to(two)
    served = serve({"compliance": alias, "sentiment": two}).served
    assert served["compliance"].model is served["sentiment"].model


def test_a_body_that_has_moved_is_asked_for_by_its_digest(serve: Any, tmp_path: Path) -> None:
    one = folder_of("bert", tmp_path / "one")
    digest = open_backbone(BackboneSection(name=str(one))).digest
    serve({"sentiment": one})
    one.rename(tmp_path / "moved")
    with pytest.raises(BackboneMissing, match=rf"trained on the backbone 'one'.*ln -s FOLDER .*bodies/{digest}"):
        serve.again(["sentiment@1"])
    link = homes.bodies() / digest
    link.unlink()
    link.symlink_to(tmp_path / "moved")
    assert serve.again(["sentiment@1"]).served["sentiment"].model.backbone.digest == digest
    with (tmp_path / "moved" / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    with pytest.raises(BackboneMissing, match=f"expected {digest}"):
        serve.again(["sentiment@1"])
