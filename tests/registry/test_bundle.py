"""A version goes into another registry whole, with its proofs, and is approved there by nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import registry as reg
from registry import bundle, installation
from registry.digest import canonical, of_file
from registry.events import Event, digest_of

LOOK = lambda *_: ()  # noqa: E731  (whose report it is, is asked in tests/flows)
SENTENCE = "not what was sealed with this bundle|does not hold|is no JSON"


def made(registry: reg.Registry, root: Path) -> Path:
    """The bundle of a version that Ann approved and Bob made."""
    folders = root / "model", root / "report"
    for folder, name in zip(folders, ("head.json", "report.json"), strict=True):
        folder.mkdir()
        (folder / name).write_text('{"value": 1}')
    ann, bob = reg.Signer("Ann", reg.new_key()), reg.Signer("Bob", reg.new_key())
    reg.first_person(registry, ann, ["validator"])
    reg.add_person(registry, "Bob", ["author"], bob.key.public, ann)
    reg.start_run(registry, "run-1", "retrain")
    said = {"run_id": "run-1", "recipe_digest": "r", "author": "Bob", "material": True, "snapshot": "5" * 64}
    said |= {"author_signature": reg.sign_run(registry, bob, "run-1", "r"), "verdict": "accepted", "value": 0.1}
    version = reg.register(registry, "risk", *folders, said, "one", LOOK)
    reg.approve(registry, version.ref, ann, "the lift holds")
    (root / "bundle").mkdir()
    reg.lay_out(registry, "risk@1", root / "bundle")
    reg.seal(registry, root / "bundle", "risk@1")
    return root / "bundle"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, reg.Key]]:
    """A bundle, and the key of the installation that sealed it."""
    root = tmp_path_factory.mktemp("sender")
    opened = reg.open_registry(f"sqlite:///{root / 'registry.db'}", f"file://{root / 'store'}", "", str(root / "key"))
    folder = made(opened, root)
    assert opened.key is not None
    key = installation.read(opened.key)
    assert key is not None
    yield folder, key
    reg.close(opened)


@pytest.fixture
def sent(once: tuple[Path, reg.Key], tmp_path: Path) -> Path:
    return shutil.copytree(once[0], tmp_path / "bundle")


@pytest.fixture
def key(once: tuple[Path, reg.Key]) -> reg.Key:
    return once[1]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[reg.Registry]:
    home = tmp_path / "elsewhere"
    opened = reg.open_registry(f"sqlite:///{home / 'registry.db'}", f"file://{home / 'store'}", "", str(home / "key"))
    yield opened
    reg.close(opened)


def taken(empty: reg.Registry, folder: Path, tmp_path: Path, **author: str) -> tuple[reg.Version, bool]:
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    opened = reg.unseal(folder, tmp_path / "copy")
    return reg.import_version(empty, opened, reg.origin(opened), LOOK, author)


def test_a_version_arrives_with_its_digest_and_origin_and_awaits_approval(registry, empty, tmp_path) -> None:
    sent = made(registry, tmp_path)
    version, new = taken(empty, sent, tmp_path, author="Cleo")
    assert new and (version.digest, version.status) == (reg.show(registry, "risk@1").digest, "registered")
    told = version.facts["imported"]
    assert (told["from"], told["status"], told["approved_by"], told["signed"]) == ("risk@1", "approved", "Ann", True)
    assert (told["author"], told["snapshot"]) == ("Bob", "5" * 64)
    assert version.facts["author"] == "Cleo" and "snapshot" not in version.facts
    assert reg.verify(empty)["ok"]
    assert taken(empty, sent, tmp_path, author="Cleo") == (version, False)
    with pytest.raises(reg.NotAllowed, match="Cleo is its author and approver"):
        reg.approve(empty, version.ref, "Cleo", "mine")
    assert reg.approve(empty, version.ref, "Dan", "seen here").status == "approved"


def test_one_changed_byte_of_any_file_is_refused_by_the_name_of_the_file(sent, tmp_path: Path) -> None:
    for path in sorted(path for path in sent.rglob("*") if path.is_file()):
        content, name = path.read_bytes(), path.relative_to(sent).as_posix()
        for place in range(0, len(content), max(len(content) // 60, 1)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(reg.Damaged, match=SENTENCE) as refused:
                reg.unseal(sent, tmp_path / "copy")
            assert str(refused.value).startswith(name), (name, place)
        for other in (content + b" ", content[:-1]):
            path.write_bytes(other)
            with pytest.raises(reg.Damaged, match=name):
                reg.unseal(sent, tmp_path / "copy")
        path.write_bytes(content)
    reg.unseal(sent, tmp_path / "copy")


def test_a_file_more_a_file_less_and_a_link_are_refused_by_name(sent, tmp_path: Path) -> None:
    (sent / "model" / "more.json").write_text("{}")
    with pytest.raises(reg.Damaged, match=r"model/more\.json is not of this bundle"):
        reg.unseal(sent, tmp_path / "copy")
    (sent / "model" / "more.json").unlink()
    (sent / "model" / "head.json").rename(tmp_path / "head.json")
    with pytest.raises(reg.Damaged, match=r"model/head\.json is missing"):
        reg.unseal(sent, tmp_path / "copy")
    (sent / "model" / "head.json").symlink_to(tmp_path / "head.json")
    with pytest.raises(reg.Damaged, match=r"model/head\.json is a link"):
        reg.unseal(sent, tmp_path / "copy")


def resealed(folder: Path, key: reg.Key, change: Callable[[dict[str, Any]], None]) -> None:
    """Whoever has a bundle and a key of their own may write any list and sign it."""
    said = json.loads((folder / bundle.LIST).read_text())
    for name in said["files"]:
        said["files"][name] = {"bytes": (folder / name).stat().st_size, "sha256": of_file(folder / name)}
    change(said)
    (folder / bundle.LIST).write_text(canonical(said))
    (folder / bundle.SEAL).write_text(bundle._sealed(key, of_file(folder / bundle.LIST)))


@pytest.mark.parametrize(
    ("name", "told", "sentence"),
    [
        ("../out.json", {}, "leaves its folder"),
        ("/etc/out.json", {}, "leaves its folder"),
        ("model/run.py", {}, "does not keep files such as"),
        ("other/x.json", {}, "lies in neither of model, report"),
        ("model/head.json", {"bytes": 1 << 40}, "2000000000 are the most"),
        ("model/head.json", {"bytes": 1}, r"model/head\.json is not what was sealed"),
        ("model/head.json", {"bytes": True}, "has True bytes"),
        ("history.json", {"bytes": 65_000_000}, "64000000 are the most"),
        ("model/head.json", {"sha256": "00"}, "which is none"),
    ],
)
def test_a_list_that_anybody_signed_leaves_no_folder_and_fills_no_disk(sent, tmp_path, name, told, sentence) -> None:
    row = {"bytes": 1, "sha256": "0" * 64}
    resealed(sent, reg.new_key(), lambda said: said["files"].update({name: {**said["files"].get(name, row), **told}}))
    if name not in {"model/head.json", "history.json"} and ".." not in name and not name.startswith("/"):
        (sent / name).parent.mkdir(exist_ok=True)
        (sent / name).write_text("x")
    with pytest.raises(reg.Damaged, match=sentence):
        reg.unseal(sent, tmp_path / "copy")
    assert not (tmp_path / "out.json").exists()


def test_who_seals_it_anew_with_another_key_changes_no_word_of_the_evidence(sent, tmp_path: Path) -> None:
    mine = reg.new_key()
    resealed(sent, mine, lambda said: None)
    opened = reg.unseal(sent, tmp_path / "copy")
    with pytest.raises(reg.Damaged, match=r"history\.json tells of risk@1 by the key"):
        reg.origin(opened)
    with pytest.raises(reg.NotAllowed, match="sealed by the key"):
        reg.origin(opened, frozenset({"0" * 64}))


def rehashed(document: dict[str, Any], kind: str, **said: Any) -> None:
    """Change what an event says and give it the digest that it then has."""
    (event,) = [each["event"] for each in document["events"] if each["event"]["kind"] == kind]
    event["payload"] = canonical({**json.loads(event["payload"]), **said})
    event["digest"] = digest_of(Event(**event))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: rehashed(d, "approved", by="Eve"), "is not in the history of checkpoint"),
        (lambda d: d["facts"].update(value=0.9), "does not register risk@1 with these facts"),
        (lambda d: d["checkpoint"].update(size=1), "not signed by the key that it names"),
        (lambda d: d["events"].pop(0), "the entry of a person at event .* does not hold|not in force"),
        (lambda d: d["events"].reverse(), "not in their order"),
        (lambda d: d["events"][0]["inclusion"].pop(), "is not in the history|cannot be read"),
        (lambda d: d["events"][0]["event"].update(seq=True), "is none of the"),
        (lambda d: d.pop("facts"), "the evidence cannot be read"),
        (lambda d: d.update(events=3), "the evidence cannot be read"),
        (lambda d: d.update(form="x"), "this release reads"),
    ],
)
def test_evidence_that_was_changed_does_not_hold_whoever_seals_it(sent, tmp_path, key, change, sentence) -> None:
    document = json.loads((sent / "history.json").read_text())
    change(document)
    (sent / "history.json").write_text(json.dumps(document))
    resealed(sent, key, lambda said: None)
    opened = reg.unseal(sent, tmp_path / "copy")
    with pytest.raises(reg.Damaged, match=sentence):
        reg.origin(opened)


def test_files_of_another_version_are_not_those_of_the_evidence(sent, tmp_path, key) -> None:
    (sent / "model" / "head.json").write_text('{"value": 2}')
    resealed(sent, key, lambda said: None)
    with pytest.raises(reg.Damaged, match=r"the files of model/ are not those that risk@1 was registered with"):
        reg.origin(reg.unseal(sent, tmp_path / "copy"))
