"""Files by their content: bytes that changed are refused before they are parsed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import registry as reg
from registry import artifacts
from registry.digest import canonical, of_file, of_text


@pytest.fixture
def store(tmp_path: Path) -> artifacts.Store:
    return artifacts.open_store(f"file://{tmp_path / 'store'}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "parts").mkdir(parents=True)
    (made / "head.json").write_text('{"a": 1}')
    (made / "parts" / "weights.safetensors").write_bytes(bytes(range(256)))
    return made


def _blobs(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file())


def test_a_folder_comes_back_byte_for_byte(store, folder, tmp_path: Path) -> None:
    digest = artifacts.put_folder(store, folder)
    back = artifacts.get_folder(store, digest, tmp_path / "back")
    names = sorted(path.relative_to(back).as_posix() for path in back.rglob("*") if path.is_file())
    assert names == ["head.json", "parts/weights.safetensors"]
    assert (back / "parts" / "weights.safetensors").read_bytes() == bytes(range(256))


def test_the_digest_names_content_and_paths_and_nothing_else(store, folder, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    first = artifacts.put_folder(store, folder)
    assert artifacts.put_folder(store, copy) == first
    (copy / "head.json").rename(copy / "other.json")
    assert artifacts.put_folder(store, copy) != first


def test_the_same_content_is_kept_once(store, folder, tmp_path: Path) -> None:
    artifacts.put_folder(store, folder)
    before = _blobs(tmp_path)
    artifacts.put_folder(store, folder)
    assert _blobs(tmp_path) == before
    assert all(path.name == of_file(path) for path in before)


def test_a_store_in_memory_works_like_one_in_files(folder, tmp_path: Path) -> None:
    store = artifacts.open_store("memory://assay-test")
    back = artifacts.get_folder(store, artifacts.put_folder(store, folder), tmp_path / "back")
    assert (back / "head.json").read_text() == '{"a": 1}'


def test_every_flipped_bit_and_every_cut_is_refused(store, folder, tmp_path: Path) -> None:
    digest = artifacts.put_folder(store, folder)
    for number, path in enumerate(_blobs(tmp_path)):
        whole = path.read_bytes()
        for spoilt in (bytes([whole[0] ^ 1]) + whole[1:], whole[:-1], whole + b" ", b""):
            path.write_bytes(spoilt)
            with pytest.raises(reg.Damaged, match="its bytes were changed"):
                artifacts.get_folder(store, digest, tmp_path / f"back-{number}")
            assert not (tmp_path / f"back-{number}").exists()
        path.write_bytes(whole)
    assert artifacts.get_folder(store, digest, tmp_path / "back").is_dir()


def test_a_missing_file_is_refused_with_a_way_out(store, folder, tmp_path: Path) -> None:
    digest = artifacts.put_folder(store, folder)
    _blobs(tmp_path)[0].unlink()
    with pytest.raises(reg.Damaged, match=r"missing in .*bring it back from a copy, or roll back"):
        artifacts.get_folder(store, digest, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_store_that_lost_bytes_is_told_by_verify_with_the_file(registry, register, tmp_path: Path) -> None:
    version = register(value=5)
    assert reg.verify(registry, version.ref)["ok"]
    for path in (tmp_path / "artifacts").rglob("*"):
        if path.is_file() and path.read_bytes() == b'{"value": 5}':
            path.write_bytes(b'{"value": 6}')
    found = reg.verify(registry)
    assert {(f["what"], f["where"]) for f in found["failures"]} == {
        ("artifact", "risk@1 model/head.json"),
        ("artifact", "risk@1 report/report.json"),
    }
    with pytest.raises(reg.Damaged):
        reg.fetch(registry, version, tmp_path / "out")


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pt", "weights.bin", "model.joblib", "task.py", "noending"])
def test_a_file_that_could_run_code_is_not_kept(store, folder, name) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(reg.RegistryError, match=f"does not keep files such as '{name}'"):
        artifacts.put_folder(store, folder)


def test_a_link_an_empty_and_a_missing_folder_are_refused(store, folder, tmp_path: Path) -> None:
    (folder / "link.json").symlink_to("/etc/hostname")
    with pytest.raises(reg.RegistryError, match="is a link"):
        artifacts.put_folder(store, folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(reg.RegistryError, match="is empty"):
        artifacts.put_folder(store, tmp_path / "empty")
    with pytest.raises(reg.RegistryError, match="there is no folder"):
        artifacts.put_folder(store, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["../up.json", "/etc/x.json", "a/../../x.json", "a\\b.json", "a//b.json", "./a.json"])
def test_a_manifest_that_leaves_its_folder_is_refused(store, name, tmp_path: Path) -> None:
    """Whoever can write the store could write such a manifest under its right digest."""
    text = canonical({name: "0" * 64})
    digest = of_text(text)
    path = tmp_path / "store" / digest[:2] / digest
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(reg.RegistryError, match="leaves its folder"):
        artifacts.get_folder(store, digest, tmp_path / "back")


def test_an_address_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(reg.RegistryError, match=r"give an address such as file:///folder"):
        artifacts.open_store("nonsense://x")


def test_a_store_that_cannot_be_written_is_named_with_the_cure(folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = artifacts.open_store(f"file://{tmp_path / 'file'}")
    with pytest.raises(reg.RegistryUnreachable, match="point ASSAY_ARTIFACTS_URL to another"):
        artifacts.put_folder(store, folder)
