"""Fetching public data from a server of one's own: licence first, digests pinned, nothing half-done."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import socket
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.data import public as fetch

TABLE = b"a,b\n1,2\n"
LABELS = {"one.csv": [1], "two.csv": [2]}


class Server:
    """What a mirror serves, and what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/table.csv": TABLE, "/with%20space.txt": b"text", "/empty.txt": b""}
        self.asked: list[str] = []
        self.base = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if self.path == "/moved.csv":
                self.send_response(302)
                self.send_header("Location", "/table.csv")
                self.end_headers()
                return
            data = state.files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.base = f"http://127.0.0.1:{httpd.server_port}/"
        yield state
        httpd.shutdown()
        thread.join()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "data"


def _file(path: str, data: bytes, **more: Any) -> dict[str, Any]:
    return {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}


def _catalogue(tmp_path: Path, base: str, **source: Any) -> Path:
    entry = {
        "folder": "set_one",
        "about": "A table.",
        "licence": "CC BY-NC 4.0",
        "licence_url": "https://example.org/licence",
        "terms": "NOT for commercial use.",
        "cite": "Nobody (2026).",
        "sources": [{"base": base, **source}],
    }
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps({"one": entry}))
    return path


def _nothing_is_left(into: Path) -> bool:
    return not into.exists() or list(into.iterdir()) == []


def test_the_licence_is_shown_and_nothing_is_asked_before_it_is_accepted(server, tmp_path, into) -> None:
    catalogue = _catalogue(tmp_path, server.base, files={"table.csv": _file("table.csv", TABLE)})
    with pytest.raises(fetch.LicenceNotAccepted) as caught:
        fetch.get("one", accepted=False, into=into, catalogue=catalogue)
    said = str(caught.value)
    for word in ("CC BY-NC 4.0", "https://example.org/licence", "NOT for commercial use", "--accept-licence"):
        assert word in said
    assert server.asked == [] and _nothing_is_left(into)


def test_an_accepted_set_arrives_whole_with_its_licence_beside_it(server, tmp_path, into) -> None:
    files = {"table.csv": _file("table.csv", TABLE), "deep/er/text.txt": _file("with space.txt", b"text")}
    catalogue = _catalogue(tmp_path, server.base, files=files | {"empty.txt": _file("empty.txt", b"")})
    seen: list[tuple[int, int]] = []
    found = fetch.get("one", True, into, catalogue, lambda *done: seen.append(done))
    assert (into / "set_one" / "table.csv").read_bytes() == TABLE
    assert (into / "set_one" / "deep" / "er" / "text.txt").read_bytes() == b"text"
    assert json.loads((into / "set_one" / "SOURCE.json").read_text())["licence"] == "CC BY-NC 4.0"
    assert found["files"] == 3 and found["folder"] == str(into / "set_one") and len(found["digest"]) == 64
    assert seen[-1] == (12, 12)
    assert [path.name for path in into.iterdir()] == ["set_one"]


def test_a_set_that_is_there_is_checked_and_not_asked_for_again(server, tmp_path, into) -> None:
    catalogue = _catalogue(tmp_path, server.base, files={"table.csv": _file("table.csv", TABLE)})
    first = fetch.get("one", True, into, catalogue)
    assert fetch.get("one", True, into, catalogue) == first
    assert server.asked == ["/table.csv"]
    (into / "set_one" / "table.csv").write_bytes(b"changed")
    with pytest.raises(fetch.FetchError, match=r"table\.csv' has the digest .* remove .* and get one again"):
        fetch.get("one", True, into, catalogue)


@pytest.mark.parametrize(
    ("served", "words"),
    [
        (b"a,b\n1,3\n", "not the pinned .* the file was changed there, do not use it"),
        (TABLE[:-1], "not the pinned"),
        (TABLE + b"x", "gives more than the 8 bytes it should"),
    ],
)
def test_other_bytes_than_the_pinned_ones_are_refused_and_nothing_is_left(
    server, tmp_path, into, served, words
) -> None:
    server.files["/table.csv"] = served
    files = {"text.txt": _file("with space.txt", b"text"), "table.csv": _file("table.csv", TABLE)}
    with pytest.raises(fetch.FetchError, match=words):
        fetch.get("one", True, into, _catalogue(tmp_path, server.base, files=files))
    assert _nothing_is_left(into)


@pytest.mark.parametrize(("path", "words"), [("none.csv", "answered 404"), ("moved.csv", "answered 302, not 200")])
def test_a_missing_or_moved_file_is_told(server, tmp_path, into, path, words) -> None:
    with pytest.raises(fetch.FetchError, match=words):
        fetch.get("one", True, into, _catalogue(tmp_path, server.base, files={"table.csv": _file(path, TABLE)}))
    assert "/table.csv" not in server.asked and _nothing_is_left(into)


def test_a_server_that_does_not_answer_is_named(tmp_path, into) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(fetch.FetchError, match=r"cannot be reached .* look at the network"):
        fetch.get("one", True, into, _catalogue(tmp_path, base, files={"table.csv": _file("table.csv", TABLE)}))
    assert _nothing_is_left(into)


@pytest.mark.parametrize("base", ["http://example.org/", "file:///etc/", "ftp://127.0.0.1/", "/etc/"])
def test_an_address_that_is_not_https_is_refused_unless_it_is_this_machine(tmp_path, into, base) -> None:
    with pytest.raises(fetch.FetchError, match="is not https"):
        fetch.get("one", True, into, _catalogue(tmp_path, base, files={"passwd": _file("passwd", b"x")}))


def test_an_unknown_name_is_answered_with_those_there_are(into) -> None:
    with pytest.raises(fetch.FetchError, match="no public data set 'gold'; there are german_credit, nab, phrasebank"):
        fetch.get("gold", True, into)


@pytest.mark.parametrize("name", ["../up.csv", "/etc/up.csv", "a/../../up.csv", "..\\up.csv", "C:up.csv"])
def test_a_catalogue_that_leaves_the_folder_is_refused(server, tmp_path, into, name) -> None:
    with pytest.raises(fetch.FetchError, match="leaves the data set's folder"):
        fetch.get("one", True, into, _catalogue(tmp_path, server.base, files={name: _file("table.csv", TABLE)}))
    assert _nothing_is_left(into) and not (tmp_path / "up.csv").exists()


def test_of_a_json_file_only_the_named_keys_are_kept(server, tmp_path, into) -> None:
    server.files["/labels.json"] = json.dumps(LABELS, indent=4).encode()
    kept = b'{"one.csv":[1]}'
    file = _file("labels.json", kept, keep=["one.csv"]) | {"bytes": 1000}
    fetch.get("one", True, into, _catalogue(tmp_path, server.base, files={"labels.json": file}))
    assert (into / "set_one" / "labels.json").read_bytes() == kept
    file["keep"] = ["three.csv"]
    with pytest.raises(fetch.FetchError, match="is not the JSON it should be"):
        fetch.get("one", True, tmp_path / "b", _catalogue(tmp_path, server.base, files={"labels.json": file}))


def _zip(members: dict[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = ((modes or {}).get(name, stat.S_IFREG | 0o644)) << 16
            archive.writestr(member, data)
    return made.getvalue()


def _fetch_archive(server: Server, tmp_path: Path, into: Path, data: bytes) -> dict[str, Any]:
    server.files["/all.zip"] = data
    return fetch.get("one", True, into, _catalogue(tmp_path, server.base, archive=_file("all.zip", data)))


def test_an_archive_is_unpacked_into_the_folder(server, tmp_path, into) -> None:
    found = _fetch_archive(server, tmp_path, into, _zip({"a.csv": TABLE, "deep/b.csv": TABLE}))
    assert (into / "set_one" / "deep" / "b.csv").read_bytes() == TABLE
    assert found["files"] == 3  # with the note of its source


@pytest.mark.parametrize("name", ["../up.csv", "/tmp/up.csv", "a/../../up.csv"])
def test_an_archive_that_leaves_its_folder_is_refused_before_a_byte_is_written(server, tmp_path, into, name) -> None:
    with pytest.raises(fetch.FetchError, match="leaves the data set's folder"):
        _fetch_archive(server, tmp_path, into, _zip({"good.csv": TABLE, name: TABLE}))
    assert _nothing_is_left(into) and not (tmp_path / "up.csv").exists()


def test_a_link_a_bomb_and_a_file_that_is_no_zip_are_refused(server, tmp_path, into) -> None:
    link = _zip({"link.csv": b"/etc/hostname"}, {"link.csv": stat.S_IFLNK | 0o777})
    for data, words in (
        (link, "is a link or a device"),
        (_zip({"zeros.csv": bytes(5_000_000)}), "unpacks to more than 100 times its size"),
        (b"no zip", "is no zip file"),
    ):
        with pytest.raises(fetch.FetchError, match=words):
            _fetch_archive(server, tmp_path, into, data)
        assert _nothing_is_left(into)


def test_a_broken_catalogue_is_named(tmp_path, into) -> None:
    for text in ("{", "[]", '{"one": {"folder": "../up"}}'):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(fetch.FetchError, match=r"c\.json' cannot be read"):
            fetch.get("one", True, into, tmp_path / "c.json")


def test_every_set_that_comes_along_is_pinned_to_a_commit_over_https_with_a_licence() -> None:
    known = fetch.read_catalogue()
    assert set(known) == {"german_credit", "nab", "phrasebank", "stocknet", "tatqa", "unfair_clauses"}
    for entry in known.values():
        assert entry.licence and entry.licence_url.startswith("https://") and entry.terms and entry.cite
        for source in entry.sources:
            assert source.base.startswith("https://raw.githubusercontent.com/")
            assert len(source.base.rstrip("/").rsplit("/", 1)[1]) == 40, "a commit, not a branch"
            assert source.files and all(file.bytes < 10_000_000 for file in source.files.values())


def test_the_pinned_digests_are_those_of_the_real_files(shared_data: Path) -> None:
    for entry in fetch.read_catalogue().values():
        for source in entry.sources:
            for name, file in source.files.items():
                data = fetch._kept(name, (shared_data / entry.folder / name).read_bytes(), file)
                assert hashlib.sha256(data).hexdigest() == file.sha256, name
