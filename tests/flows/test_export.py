"""What leaves the registry answers elsewhere as it answers here."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import registry
import tasks
from flows import console, environment, paths
from flows.__main__ import main
from infra.settings import Settings
from serving import loading, pyfunc, service
from serving.places import Places
from tasks.backbone import tiny
from tasks.model import forward, saved
from tests.serving.conftest import some_rows, write_model  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "Sales rose to 3 mn euro.",
    "The loss widened, and the board resigned.",
    "Chat says [SEP] and [MASK].",
    "word " * 400,
]


@dataclass(frozen=True)
class Home:
    """A home with versions on tiny bodies, and a folder for what leaves it."""

    book: registry.Registry
    models: Path
    out: Path

    def raw(self, name: str, texts: list[str]) -> Any:
        """What the text part of a version says."""
        model = saved.open_folders({name: self.models / name}, 1)
        rows = tasks.task.Inputs(owner=np.arange(len(texts)), text=tuple(texts))
        return forward.raw(model, name, rows, without=frozenset({"classical", "table", "series"}))


@pytest.fixture(autouse=True)
def stdout_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command takes stdout, the folder and the variables of its process for good: here others run after it."""
    monkeypatch.setattr(console, "keep_stdout", lambda: None)
    monkeypatch.setattr(paths, "settle", lambda: None)
    monkeypatch.setattr(environment, "apply", lambda _: None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(root / "home"))
        book, report = registry.open_registry(*Settings().registry), root / "report"
        report.mkdir()
        (report / "report.json").write_text("{}")
        for name in ("sentiment", "volatility"):
            write_model(name, 1, some_rows(name), root / name)
            facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
            registry.register(book, name, root / name, report, facts, f"test/{name}", lambda *_: ())
        yield Home(book, root, root / "out")
        registry.close(book)


def test_the_code_of_the_card_gives_the_answer_of_the_text_part_by_peft_alone(home: Home, tmp_path: Path) -> None:
    assert main(["export", "sentiment@1", "--to", "hf", str(tmp_path / "hf"), "--json"]) == 0
    card = (tmp_path / "hf" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    tiny.tiny("bert").body.save_pretrained(tmp_path / "base")
    code = code.replace('FOLDER, BASE = ".", "tiny-bert"', f"FOLDER, BASE = {str(tmp_path / 'hf')!r}, 'base'")
    scope: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(code, scope)
    found = scope["raw"](TEXTS).numpy()
    assert np.abs(found - home.raw("sentiment", TEXTS)).max() < 1e-6


READER = """
import importlib, json, sys

import pandas as pd

folder = sys.argv[1]
sys.path = [f"{folder}/code", *(place for place in sys.path if place not in ("", sys.argv[2]))]
told = json.load(open(f"{folder}/MLmodel", encoding="utf-8"))["flavors"]["python_function"]
model = importlib.import_module(told["loader_module"])._load_pyfunc(f"{folder}/{told['data']}")
frame = pd.DataFrame(json.load(sys.stdin), index=["a", "b", "c"])
print(model.predict(frame).to_json(orient="split"))
"""


def read_elsewhere(folder: Path, rows: list[dict[str, Any]], **how: Any) -> subprocess.CompletedProcess[str]:
    """What the folder answers in a process that has nothing of this checkout but its libraries."""
    command = [sys.executable, "-c", READER, str(folder), str(ROOT)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "PYTHON"))}
    return subprocess.run(
        command, input=json.dumps(rows), capture_output=True, text=True, cwd=folder.parent, env=kept, check=False, **how
    )


def test_the_mlflow_folder_answers_by_its_own_code_as_the_service_does(home: Home, tmp_path: Path) -> None:
    assert main(["export", "sentiment@1", "--to", "mlflow", str(tmp_path / "flow"), "--json"]) == 0
    rows = [{"text": TEXTS[0]}, {"text": None}, {"text": TEXTS[1]}]
    done = read_elsewhere(tmp_path / "flow", rows)
    assert done.returncode == 0, done.stderr[-2000:]
    found = pd.read_json(io.StringIO(done.stdout), orient="split")
    assert list(found.index) == ["a", "b", "c"]
    assert "text" in found.loc["b", "error"]
    places = Places(*Settings().registry[:2], str(tmp_path / "cache"), "")
    served = loading.versions(home.book, {"sentiment": "sentiment@1"}, places).served["sentiment"]
    own = [each.answer for each in service.answer(served, [served.task.item(**rows[place]) for place in (0, 2)])]
    for name, said in zip(("a", "c"), own, strict=True):
        for output, chance in said["probability"].items():
            assert abs(found.loc[name, f"probability_{output}"] - chance) < 1e-6


def test_a_changed_byte_of_the_mlflow_folder_is_named_before_it_is_parsed(home: Home, tmp_path: Path) -> None:
    assert main(["export", "sentiment@1", "--to", "mlflow", str(tmp_path / "flow"), "--json"]) == 0
    file = tmp_path / "flow" / "data" / "model" / "classical.json"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"model/classical\.json is not what sentiment@1 was exported with"):
        pyfunc._load_pyfunc(str(tmp_path / "flow" / "data"))


def test_what_has_no_adapter_or_answers_nobody_leaves_in_no_form_that_answers(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "volatility@1", "--to", "hf", str(tmp_path / "out")]) == 2
    assert "volatility@1 reads no text" in capsys.readouterr().err
    registry.reject(home.book, "volatility@1", "A. Tester", "a test")
    assert main(["export", "volatility@1", "--to", "mlflow", str(tmp_path / "out")]) == 2
    assert "volatility@1 was rejected, so that it answers nobody" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    assert main(["export", "sentiment@1", "--to", "hf", str(tmp_path / "out")]) == 2
    assert "holds something already" in capsys.readouterr().err


def test_a_bundle_is_signed_for_others_and_its_bill_of_materials_keeps_the_official_schema(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert main(["export", "sentiment@1", "--to", "bundle", str(out), "--json"]) == 0
    bill = (out / "bom.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert json.loads(bill)["metadata"]["component"]["modelCard"]["modelParameters"]["task"] == "classify"
    verify = [sys.executable, "-m", "model_signing", "verify", "key", "model"]
    verify += ["--signature", "model.sig", "--public_key", "model.pub.pem"]
    assert subprocess.run(verify, cwd=out, capture_output=True, check=False).returncode == 0
    head = out / "model" / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-1] + b"\1")
    assert subprocess.run(verify, cwd=out, capture_output=True, check=False).returncode != 0
    assert (Settings().root / "keys" / "files.pem").stat().st_mode & 0o077 == 0
    capsys.readouterr()
    assert main(["import", str(out)]) == 1
    assert "model/head.safetensors is not what was sealed with this bundle" in capsys.readouterr().err


def test_what_is_taken_in_must_be_the_report_of_its_model(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["export", "sentiment@1", "--to", "bundle", str(tmp_path / "bundle"), "--json"]) == 0
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    assert main(["import", str(tmp_path / "bundle")]) == 2
    assert "the report of 'sentiment' is refused" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "bundle"), "--key", "0" * 64]) == 2
    assert "the bundle was sealed by the key" in capsys.readouterr().err
