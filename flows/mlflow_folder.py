"""A version as an MLflow model folder of the flavour python_function: files, the code that reads them, requirements.

MLflow is not needed to write it, and nothing in it is pickled: `loader_module` is serving/pyfunc.py, in code/.
"""

from __future__ import annotations

import json
import platform
import shutil
import tomllib
from pathlib import Path
from typing import Any

import registry
import tasks
from flows.closure import closure
from serving.pyfunc import ABOUT, FILES
from tasks import digest

ROOT = Path(__file__).resolve().parents[1]
LOADER = "serving.pyfunc"
CODE, DATA = "code", "data"


def write(version: registry.Version, model: Path, made: Path) -> None:
    """Write the folder of a version, whose model files lie in `model`, into an empty one."""
    shutil.copytree(model, made / DATA / FILES)
    files = {str(path.relative_to(model)): digest.of_file(path) for path in model.rglob("*") if path.is_file()}
    told = {
        "task": version.task,
        "version": version.ref,
        "digest": version.digest,
        "report": version.report_digest,
        "created": version.created,
        "status": version.status,
        "files": files,
    }
    digest.write_json(made / DATA / ABOUT, told)
    code, requirements = _code(version.task)
    for name, path in code.items():
        (made / CODE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, made / CODE / name)
    (made / "requirements.txt").write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
    _yaml(made / "MLmodel", _model(version))
    python = platform.python_version()
    pip = {"pip": ["-r requirements.txt"]}
    _yaml(made / "conda.yaml", {"name": "assay", "dependencies": [f"python={python}", "pip", pip]})
    _yaml(made / "python_env.yaml", {"python": python, "build_dependencies": ["pip"], "dependencies": pip["pip"]})


def _code(task: str) -> tuple[dict[str, Path], list[str]]:
    """What the loader needs of this checkout, and of the task's folder wherever that lies."""
    wanted, place = [LOADER], tasks.folder(task)
    elsewhere = {} if place.parent == tasks.HERE else {f"tasks.{task}": place}
    code: dict[str, Path] = {}
    if (place / tasks.CODED).is_file():
        wanted.append(f"tasks.{task}.task")
    else:
        code = {f"tasks/{task}/{path.name}": path for path in place.iterdir() if path.is_file()}
        like = tomllib.loads((place / tasks.DECLARED).read_text(encoding="utf-8")).get("like")
        wanted += [f"tasks.{like}.task"] if like else []
    found, requirements = closure(ROOT, wanted, elsewhere)
    return found | code, requirements


def _model(version: registry.Version) -> dict[str, Any]:
    return {
        "flavors": {
            "python_function": {
                "loader_module": LOADER,
                "python_version": platform.python_version(),
                "code": CODE,
                "data": DATA,
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            }
        },
        "utc_time_created": version.created[:19].replace("T", " "),
        "metadata": {"version": version.ref, "digest": version.digest, "status": version.status},
    }


def _yaml(path: Path, document: dict[str, Any]) -> None:
    """JSON is YAML too."""
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
