"""By what a version was made: the code's commit and the versions of the libraries."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

# Libraries whose versions belong into the lineage of every version.
LIBRARIES = ("torch", "transformers", "peft", "ray", "prefect", "scikit-learn", "lightgbm", "shap", "numpy", "pandas")


def code_version() -> str:
    """The commit of the code that ran, with a plus sign where files differ from it; "unknown" outside a checkout."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("ASSAY_CODE_VERSION", "unknown")


def lineage() -> dict[str, Any]:
    """The code and the libraries of this process, to be read when a run begins: a commit may come while it runs."""
    return {
        "code": code_version(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }
