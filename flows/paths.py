"""What a path on the command line or in an ASSAY_ variable means: it is relative to the folder where the user stands.

The wrapper `assay` changes into the checkout, where every process of ours runs, and keeps the caller's folder in
ASSAY_CALLER. Inside a recipe a path is relative to the recipe's folder: see flows/recipe.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CALLER = "ASSAY_CALLER"
VARIABLES = (
    "ASSAY_HOME",
    "ASSAY_TASKS",
    "ASSAY_DATABASE_URL",
    "ASSAY_ARTIFACTS_URL",
    "ASSAY_CHECKPOINTS_URL",
    "ASSAY_CHECKPOINTS_LOG_URL",
    "RAY_AUTH_TOKEN_PATH",
)
SCHEMES = ("sqlite:///", "file://")  # addresses that hold a path


def given(text: str) -> str:
    """A path of the command line as an absolute one; `-` (stdin) and addresses such as s3://bucket/file pass."""
    if text in {"", "-"} or "://" in text:
        return text
    return os.path.normpath(Path(os.environ.get(CALLER) or Path.cwd()) / Path(text).expanduser())


def recipe(text: str) -> str:
    """As `given`. Where no such file is there, one of that name in the checkout is meant: flows/recipes/demo.toml."""
    path = given(text)
    shipped = ROOT / text
    return str(shipped) if not Path(path).exists() and shipped.is_file() else path


def overrides(settings: Iterable[str], recipe_path: str | None) -> list[str]:
    """`--set` as given, its places seen from the caller's folder.

    data.root becomes absolute. A source or a backbone's folder or file becomes relative to the recipe's folder, as the
    recipe itself would write it, so that the recipe's digest holds no machine's path.
    """
    return [_override(text, recipe_path) for text in settings]


def _override(text: str, recipe_path: str | None) -> str:
    key, sign, raw = (part.strip() for part in text.partition("="))
    value = raw[1:-1] if len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "'\"" else raw
    path = given(value)
    if not sign or not value or path == value:
        return text
    if key == "data.root":
        return f"{key}={json.dumps(path)}"
    is_file = key.startswith("tasks.") and key.endswith(".source") and ("/" in value or Path(value).suffix != "")
    if is_file or (key == "backbone.name" and (Path(path).is_dir() or path.endswith(".gguf"))):
        relative = os.path.relpath(path, Path(recipe_path).parent) if recipe_path else path
        return f"{key}={json.dumps(relative if '/' in relative or is_file else './' + relative)}"
    return text


def settle() -> None:
    """Make the paths of the ASSAY_ variables absolute, once, in this process; its children inherit them."""
    for name in VARIABLES:
        value = os.environ.get(name, "")
        scheme = next((known for known in SCHEMES if value.startswith(known)), "")
        if value and value != scheme and (scheme or "://" not in value) and value != "sqlite:///:memory:":
            os.environ[name] = scheme + given(value.removeprefix(scheme))
