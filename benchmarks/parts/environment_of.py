"""An environment of its own for a peer whose libraries do not fit beside ours, under the home's cache.

The first run installs it by pip, which needs a package index; later runs find it. Nothing of ours is changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from flows import console
from infra.settings import Settings

MLFLOW = ("mlflow-skinny==3.17.2", "sqlalchemy==2.1.9", "alembic==1.20.1", "psycopg2-binary==2.9.13")
MADE = "requirements.txt"


def python(name: str, requirements: Sequence[str], beside_ours: bool = False) -> Path:
    """The interpreter of the environment, made where it is not there. Raises ValueError where pip cannot.

    beside_ours  what it lacks (torch, transformers, PEFT) is found where ours is; its own packages come first
    """
    folder = Settings().root / "cache" / "bench" / name
    program, made, wanted = folder / "bin" / "python", folder / MADE, "\n".join(requirements)
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return program
    console.say(f"bench     {name}: an environment of its own is installed in {folder}, once")
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ValueError(f"{name} cannot be installed ({said}); give pip an index, or leave these cases out")
    if beside_ours:
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    made.write_text(wanted, encoding="utf-8")
    return program
