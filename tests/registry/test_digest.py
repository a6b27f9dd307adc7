"""tasks/ and registry/ write canonical JSON and digests apart, since neither may import the other: they must agree."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from registry import digest as of_registry
from tasks import digest as of_tasks

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_one_value_has_one_text_and_one_digest(value: Any) -> None:
    text = of_registry.canonical(value)
    assert text.encode() == of_tasks.canonical(value)
    assert of_registry.of_text(text) == of_tasks.of_json(value)


@settings(deadline=None)
@given(some.binary(max_size=2048))
def test_one_file_has_one_digest(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        assert of_registry.of_file(path) == of_tasks.of_file(path) == of_tasks.of_bytes(content)


def test_the_manifest_of_a_folder_is_what_a_report_names_as_the_models_digest(tmp_path: Path) -> None:
    for name, content in (("head.json", b"{}"), ("b.safetensors", b"12"), ("sub/é.txt", b"x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    manifest = of_registry.manifest(tmp_path)
    assert manifest == {
        path.relative_to(tmp_path).as_posix(): of_tasks.of_file(path)
        for path in sorted(tmp_path.rglob("*"))
        if path.is_file()
    }
    assert of_registry.of_text(of_registry.canonical(manifest)) == of_tasks.of_json(manifest)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_is_no_number_has_no_digest_in_either(value: Any) -> None:
    for canonical in (of_tasks.canonical, of_registry.canonical):
        with pytest.raises(ValueError, match="JSON"):
            canonical(value)
