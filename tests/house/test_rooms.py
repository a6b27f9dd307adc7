"""Holds the rooms of tasks/ and interpret/ against the plan: arrows, circles, packed signatures. Each message says the cure."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.house.tree import FOLDERS, ROOT, Tree, imported, trees  # type: ignore[import-not-found]

# A room bears the name of the recipe section that it reads. Arrows point down; every room may use tasks/task.py and
# tasks/digest.py, which stand flat, and tasks/__init__.py, which finds the tasks.
ROOMS = {
    "train": {"model", "backbone", "classical", "data", "privacy"},
    "validate": {"model", "backbone", "data", "privacy"},
    "model": {"backbone", "data"},
    "data": {"privacy"},
    "classical": {"privacy"},
    "privacy": set(),
    "backbone": set(),
}
OF_A_TASK = {"data", "classical"}
INTERPRET = {"attribution": set(), "report": {"attribution"}}
FLAT = {"tasks": {"__init__", "task", "digest", "declared"}, "interpret": {"__init__", "section"}}


def room_of(parts: tuple[str, ...], tasks: frozenset[str]) -> str | None:
    """The room of a module or file by its first two names; "a task" for a task's folder; None for what stands flat."""
    if parts[0] not in FLAT or len(parts) < 3 or parts[1] in FLAT[parts[0]]:
        return None
    return "a task" if parts[0] == "tasks" and parts[1] in tasks else parts[1]


def foreign_arrows(name: str, source: str, tasks: frozenset[str]) -> Iterator[str]:
    """What one file imports of a room that it must not know."""
    parts = Path(name).parts
    here = room_of(parts, tasks)
    if here is None:
        if parts[0] in FLAT and Path(name).stem not in FLAT[parts[0]]:
            yield f"{name} stands flat in {parts[0]}/. Cure: a file belongs to a room, a task to its folder"
        return
    plan: Mapping[str, set[str]] = ROOMS | {"a task": OF_A_TASK} if parts[0] == "tasks" else INTERPRET
    if here not in plan:
        yield f"{name}: {parts[0]}/{here} is no room of the plan. Cure: put the file into a room, or the room into the plan"
        return
    for line, module in imported(ast.parse(source), typing=True):
        other = tuple(module.split("."))
        if len(other) == 2 and other[1] in {*plan, *tasks}:
            other = (*other, "*")  # a whole room: from tasks import train
        there = room_of(other, tasks) if other[0] == parts[0] else None
        mine = there == here and (here != "a task" or other[1] == parts[1])
        if there is not None and not mine and there not in plan[here]:
            yield (
                f"{name}:{line}: {parts[0]}/{parts[1]} imports {parts[0]}/{other[1]}. "
                "Cure: arrows point down; move the code, or pass the value in from above"
            )


def circles(files: Mapping[str, Tree]) -> list[list[str]]:
    """Groups of files that import each other, by dotted name; imports in functions and under TYPE_CHECKING count."""
    names = {name: tree for name, tree in files.items() if not name.endswith("__init__")}
    graph = {
        name: {
            target
            for _, module in imported(tree, typing=True)
            for target in (module, module.rpartition(".")[0])
            if target in names and target != name
        }
        for name, tree in names.items()
    }
    reached = {name: below(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def below(graph: Mapping[str, set[str]], name: str) -> set[str]:
    """Everything that a file imports, and what that imports in turn."""
    found: set[str] = set()
    waiting = set(graph[name])
    while waiting:
        found |= waiting
        waiting = {target for each in waiting for target in graph[each]} - found
    return found


def packed(name: str, source: str) -> Iterator[str]:
    """Parameters that are a tuple of unlike things: a record, or several parameters, say what each of them is."""
    tree = ast.parse(source)
    aliases: set[str] = set()
    for node in tree.body:  # in their order, for one alias may be made of another
        named = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(named, ast.Name) and getattr(node, "value", None) and unlike(node.value, aliases):
            aliases.add(named.id)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            starred = [argument for argument in (node.args.vararg, node.args.kwarg) if argument is not None]
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *starred]:
                if argument.annotation is not None and unlike(argument.annotation, aliases):
                    yield (
                        f"{name}:{node.lineno}: {node.name} takes {argument.arg} as a packed tuple. "
                        "Cure: a frozen record, or one parameter for each"
                    )


def unlike(annotation: ast.AST, aliases: set[str]) -> bool:
    """Whether a type holds a tuple of unlike things; what a function gives back may be one."""
    if isinstance(annotation, ast.Name):
        return annotation.id in aliases
    parts = list(ast.iter_child_nodes(annotation))
    if isinstance(annotation, ast.Constant):
        parts = quoted(annotation.value)
    elif isinstance(annotation, ast.Subscript):
        name = ast.unparse(annotation.value).rpartition(".")[2]
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        kinds = {ast.unparse(part) for part in parts}
        if name in {"tuple", "Tuple"} and len(kinds) > 1 and "..." not in kinds:
            return True
        parts = {"Literal": [], "Callable": parts[:1]}.get(name, parts)
    return any(unlike(part, aliases) for part in parts)


def quoted(text: object) -> list[ast.AST]:
    """The type that stands in quotes."""
    with contextlib.suppress(SyntaxError, UnicodeEncodeError):  # a text that is no type
        return [ast.parse(text, mode="eval").body] if isinstance(text, str) else []
    return []


FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
TASKS = frozenset(path.parent.name for path in (ROOT / "tasks").glob("*/task.*"))


def test_a_room_imports_only_what_stands_below_it() -> None:
    found = [
        text
        for path in FILES
        for text in foreign_arrows(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), TASKS)
    ]
    assert not found, "\n".join(found)


def test_no_file_is_in_a_circle() -> None:
    found = circles(trees(FILES))
    assert not found, (
        f"these files import each other: {found}. Cure: what two of them need goes into a third below both"
    )


def test_no_signature_packs_unlike_things_into_a_tuple() -> None:
    found = [text for path in FILES for text in packed(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "source", "cure"),
    [
        ("tasks/data/x.py", "from tasks.model import forward", "tasks/data imports tasks/model"),
        ("tasks/model/x.py", "def f():\n    from tasks.train.loop import fit", "tasks/model imports tasks/train"),
        ("tasks/risk/x.py", "from tasks.validate import gates", "tasks/risk imports tasks/validate"),
        ("tasks/risk/x.py", "from tasks.sentiment import source", "tasks/risk imports tasks/sentiment"),
        (
            "tasks/train/x.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tasks.validate.gates import verdict",
            "tasks/train imports tasks/validate",
        ),
        ("tasks/data/x.py", "from tasks import train", "tasks/data imports tasks/train"),
        ("tasks/data/x.py", "import tasks.risk", "tasks/data imports tasks/risk"),
        ("tasks/audit.py", "", "stands flat in tasks/"),
        ("tasks/cellar/x.py", "", "tasks/cellar is no room of the plan"),
        ("interpret/attribution/x.py", "from interpret.report import blocks", "imports interpret/report"),
    ],
)
def test_a_wrong_arrow_between_rooms_is_seen_and_its_cure_named(name: str, source: str, cure: str) -> None:
    found = list(foreign_arrows(name, source, TASKS))
    assert any(cure in text and "Cure: " in text for text in found)


def test_what_the_plan_allows_is_not_complained_of() -> None:
    for name, source in (
        ("tasks/train/x.py", "from tasks.model import forward\nfrom tasks.task import Task\nfrom tasks import get"),
        ("tasks/risk/x.py", "from tasks.risk import german\nfrom tasks.classical.table import mean"),
        (
            "interpret/report/sections/x.py",
            "from interpret.attribution.study import Study\nfrom tasks.model import forward",
        ),
    ):
        assert not list(foreign_arrows(name, source, TASKS))


@pytest.mark.parametrize(
    "second", ["from a.one import x", "def f():\n    from a import one", "if TYPE_CHECKING:\n    from a.one import x"]
)
def test_a_circle_is_seen_also_in_a_function_and_for_types_alone(second: str) -> None:
    files = {"a.one": ast.parse("from a import two"), "a.two": ast.parse(second), "a.three": ast.parse("import a.one")}
    assert circles(files) == [["a.one", "a.two"]]
    assert circles({**files, "a.two": ast.parse("import b")}) == []


def test_two_circles_are_two_and_what_stands_between_them_is_in_neither() -> None:
    lines = {
        "a.one": "from a import two",
        "a.two": "from a import one, way",
        "a.way": "from b import one",
        "b.one": "from b import two",
        "b.two": "from b import one",
    }
    found = circles({name: ast.parse(line) for name, line in lines.items()})
    assert found == [["a.one", "a.two"], ["b.one", "b.two"]]


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("def f(at: tuple[int, float]): ...", True),
        ("def f(*, jobs: Sequence[tuple[str, int]]): ...", True),
        ("def f(g: Callable[[tuple[str, int]], None]): ...", True),
        ("Row = tuple[str, int]\ndef f(rows: list[Row]): ...", True),
        ("Row = tuple[str, int]\nRows = list[Row]\ndef f(rows: Rows): ...", True),
        ("Row: TypeAlias = tuple[str, int]\ndef f(row: Row | None): ...", True),
        ("def f(at: 'tuple[int, float]', /): ...", True),
        ("def f(*jobs: typing.Tuple[str, int]): ...", True),
        ("def f(g: collections.abc.Callable[[int], tuple[bool, str]]): ...", False),
        ("def f(how: Literal['by time', 'tuple[int, str]']): ...", False),
        ("def f(span: tuple[int, int], names: tuple[str, ...]) -> tuple[int, str]: ...", False),
        ("def f(g: Callable[[int], tuple[bool, str]]): ...", False),
        ("Span = tuple[int, int]\ndef f(span: Span): ...", False),
    ],
)
def test_a_packed_tuple_in_a_signature_is_seen(source: str, seen: bool) -> None:
    assert bool(list(packed("x.py", source))) is seen
