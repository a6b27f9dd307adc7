"""What the operating system refuses is told in one sentence with place, reason and the cure that fits."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows import client, commands, faults, recipe, user_text
from infra.settings import Settings
from tests.flows.conftest import ROOT  # type: ignore[import-not-found]
from tests.flows.test_command import assay  # type: ignore[import-not-found]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ASSAY_PORT": "abc"}, "ASSAY_PORT='abc' cannot be used: give a whole number from 0"),
        ({"ASSAY_PORT": "70000"}, "ASSAY_PORT='70000' cannot be used"),
        ({"ASSAY_PREFECT_PORT": "-1"}, "ASSAY_PREFECT_PORT='-1' cannot be used"),
        ({"ASSAY_STATES_GB": "4,5"}, "ASSAY_STATES_GB='4,5' cannot be used: give a number of gigabytes with a point"),
        ({"ASSAY_STATES_GB": "nan"}, "ASSAY_STATES_GB='nan' cannot be used"),
        ({"ASSAY_HOME": "/dev/null"}, "set ASSAY_HOME"),
        ({"ASSAY_HOME": "/proc/none"}, "set ASSAY_HOME"),
        ({"ASSAY_HOME": "/tmp/" + 300 * "x"}, "set ASSAY_HOME"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_with_key_value_and_cure(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    result = assay(tmp_path, "versions", **variables)
    assert result.returncode == 2
    assert sentence.replace("set ASSAY_HOME", "ASSAY_HOME") in result.stderr
    assert "pydantic" not in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_empty_setting_is_one_that_is_not_set(tmp_path: Path) -> None:
    result = assay(tmp_path, "versions", "--json", ASSAY_PORT="", ASSAY_STATES_GB="", ASSAY_DATABASE_URL="")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("number", "place", "cure"),
    [
        (errno.EROFS, "reports/risk-1", "set ASSAY_HOME to a folder that this user may write"),
        (errno.EACCES, "/elsewhere/file", "let this user read or write it"),
        (errno.ENOSPC, "runs/x", "free space there"),
        (errno.EDQUOT, "runs/x", "free space there"),
        (errno.ENOTDIR, "", "set ASSAY_HOME to a folder"),
        (errno.ENOENT, "/elsewhere/file", "name a file or folder that is there"),
        (errno.EMFILE, None, "short of memory, processes or open files"),
    ],
)
def test_an_error_of_the_system_is_told_with_place_reason_and_its_own_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, place: str | None, cure: str
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    path = None if place is None else str(tmp_path / place)
    with pytest.raises(faults.Refused) as caught, faults.told():
        raise OSError(number, os.strerror(number), path)
    said = str(caught.value)
    assert cure in said and os.strerror(number) in said and (path or "") in said


def test_a_package_that_is_absent_is_named_and_a_fault_of_our_own_is_not_hidden() -> None:
    with (
        pytest.raises(faults.Refused, match=r"the package 'lightgbm' is absent or broken .*make install"),
        faults.told(),
    ):
        raise ModuleNotFoundError("No module named 'lightgbm.basic'", name="lightgbm.basic")
    with pytest.raises(ImportError, match="nothing"), faults.told():
        raise ImportError("cannot import name 'nothing'", name="flows.recipe")


def test_a_broken_package_ends_a_command_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ImportError('no such symbol', name='rich')\n", encoding="utf-8")
    result = assay(tmp_path / "home", "versions", PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    assert "the package 'rich' is absent or broken (no such symbol)" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    code = "import sys\nfrom flows.__main__ import main\nsys.exit(main(['versions', '--json']))"
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "ASSAY_HOME": str(tmp_path)}
    command = [".venv/bin/python", "-c", code]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_report_is_laid_out_in_a_temporary_folder_where_the_home_may_only_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    assert commands._reports() == tmp_path / "reports"
    monkeypatch.setattr(os, "access", lambda *_: False)
    folder = commands._reports()
    assert folder.is_dir() and not folder.is_relative_to(tmp_path / "reports")
    shutil.rmtree(folder)


FORMS = ["utf-8-sig", "utf-16", "utf-8"]


@pytest.mark.parametrize("encoding", FORMS)
def test_a_recipe_and_an_item_are_read_as_notepad_and_powershell_save_them(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes("[tasks.risk]\r\n# größer\r\n".encode(encoding))
    assert list(recipe.load(path).tasks) == ["risk"]
    path.write_bytes('{"text": "größer"}'.encode(encoding))
    assert client.read_item(str(path)) == {"text": "größer"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[tasks.risk]".encode("utf-16-le"), "holds zero bytes, as UTF-16 without its mark does; save it as UTF-8"),
        (b"\xff\xfea", "is not UTF-16.*save it as UTF-8"),
        (b'[tasks.sentiment]\nsource = "C:\\data\\x.csv"', r"single quotes, as 'C:\\data'"),
        (b'[tasks.sentiment]\nsource = "C:\\Users\\x.csv"', r"single quotes, as 'C:\\data'"),
        (b'[tasks.sentiment]\nsource = "C:\\temp\\new.csv"', r"tab or a line break: write a path .* single quotes"),
    ],
)
def test_a_recipe_of_a_windows_user_is_refused_with_the_cure(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(recipe.RecipeError, match=sentence):
        recipe.load(tmp_path / "mine.toml")


def test_bytes_that_are_no_text_are_told_by_their_place() -> None:
    with pytest.raises(ValueError, match="is not UTF-8 at byte 3; save it as UTF-8"):
        user_text.decoded(b"abc\xe9")


STARTS = """
import pathlib
from infra import local_ray

folders = []

def too_slow(folder, variables):
    folders.append(folder)
    if len(folders) != 2:
        raise Exception("The current node timed out during startup.\\nThis could happen because ...")

local_ray._start_in = too_slow
local_ray.start({})
print(len(set(folders)))
local_ray.stop()
folders[:] = ["first", "second"]
try:
    local_ray.start({})
except local_ray.NotStarted as error:
    print(error)
print(len(folders), [path for path in folders[2:] if pathlib.Path(path).exists()])
"""


def test_ray_is_started_a_second_time_and_then_told_with_the_cure() -> None:
    # In a process of its own: Ray reads its variables once, when it is imported, and other tests need a Ray with a token.
    told = subprocess.run([sys.executable, "-c", STARTS], cwd=ROOT, capture_output=True, text=True, check=True)
    first, sentence, last = told.stdout.splitlines()
    assert first == "2"
    assert re.search(r"two attempts \(The current node timed out .* ASSAY_RAY_ADDRESS", sentence)
    assert last == "4 []"


def test_a_prefect_server_that_does_not_start_is_told_with_its_log_and_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from flows import prefect_server

    monkeypatch.setenv("PREFECT_HOME", "/dev/null/none")
    with (
        prefect_server.running(Settings(home=tmp_path), 1) as server,
        pytest.raises(prefect_server.ServerNotStarted, match=r"did not answer at .*prefect-server\.log"),
    ):
        server.wait()
