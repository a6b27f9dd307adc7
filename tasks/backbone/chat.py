"""A chat template is text that a stranger wrote: rendered in jinja2's sandbox, from what is known to end, or refused.

The sandbox keeps a template from Python's own names (CVE-2024-34359 was a GGUF's template rendered without it), and not
from work without end: so only the parts of the language that published templates need are let through, every loop is
counted, and every text is measured before it is made. Nothing else runs a template.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

SOURCE, LONGEST, ROUNDS, SECONDS = 20_000, 200_000, 2_000, 1.0  # characters read and written, rounds of all loops
# No macro, no recursion, no import, no product, power or format: each can make much of little.
NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.NSRef, nodes.Const, nodes.List, nodes.Tuple),
    *(nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.If, nodes.For),
    *(nodes.Assign, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Test),
    *(nodes.Filter, nodes.Call, nodes.Add, nodes.Sub, nodes.Mod, nodes.Neg),
)
FILTERS = ("default", "first", "items", "last", "length", "list", "lower", "string", "tojson", "trim", "upper")
METHODS = ("endswith", "get", "items", "keys", "lower", "lstrip", "rstrip", "split", "startswith", "strip", "upper")
FUNCTIONS = ("namespace", "raise_exception")
INDENT = 8  # the largest number that a filter may be given


class TemplateRefused(ValueError):
    """A chat template asks for what is not rendered; the sentence says for what."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Sums are measured before they are made; a remainder is one of numbers, for a text's would be a format."""

    intercepted_binops = frozenset({"+", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and not (isinstance(left, int) and isinstance(right, int)):
            raise SecurityError("a format by %")
        if operator == "+" and not isinstance(left, int | float) and len(left) + len(right) > LONGEST:
            raise SecurityError(f"a text of more than {LONGEST:,} characters")
        return super().call_binop(context, operator, left, right)


def render(template: str, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """What a template makes of messages ({"role", "content"}); `more` as add_generation_prompt or bos_token.

    Raises TemplateRefused where it asks for more than the language above, for Python's names, or for too much, and
    with the template's own words where it refuses the messages.
    """
    if len(template) > SOURCE or sum(len(str(message)) for message in messages) > LONGEST:
        raise TemplateRefused(f"a chat of more than {LONGEST:,} characters, or a template of {SOURCE:,}; send less")
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True)
    sandbox.globals = {"namespace": sandbox.globals["namespace"], "raise_exception": _raise}
    sandbox.filters = {name: sandbox.filters[name] for name in FILTERS} | {"counted": _counter()}
    try:
        tree = sandbox.parse(template)
        _check(tree)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None)
        code = sandbox.compile(tree)
        made = sandbox.template_class.from_code(sandbox, code, sandbox.globals)
        return _measured(made.generate(messages=list(messages), **more))
    except (TemplateError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TemplateRefused(f"the chat template cannot be rendered ({error}); write the prompt yourself") from error


def _check(tree: nodes.Template) -> None:
    """Raise SecurityError at the first node that is not one of those above."""
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, (*NODES, nodes.EvalContext)) or (isinstance(node, nodes.For) and node.recursive):
            raise SecurityError(f"line {node.lineno} holds a {type(node).__name__.lower()}")
        if "__" in str(getattr(node, "attr", getattr(node, "value", ""))):
            raise SecurityError(f"line {node.lineno} reaches for a name of Python's own")
        if isinstance(node, nodes.Filter):
            given = [part.value if isinstance(part, nodes.Const) else None for part in node.args]
            given += [part.value.value if isinstance(part.value, nodes.Const) else None for part in node.kwargs]
            if node.name not in FILTERS or any(isinstance(value, int) and value > INDENT for value in given):
                raise SecurityError(f"line {node.lineno} asks for the filter {node.name}")
        if isinstance(node, nodes.Call):
            called = node.node
            known = (isinstance(called, nodes.Name) and called.name in FUNCTIONS) or (
                isinstance(called, nodes.Getattr) and called.attr in METHODS
            )
            if not known:
                raise SecurityError(f"line {node.lineno} calls {getattr(called, 'attr', getattr(called, 'name', '?'))}")


def _counter() -> Any:
    """A filter that counts the rounds of every loop of one rendering."""
    rounds, end = 0, time.thread_time() + SECONDS

    def counted(items: Any) -> Iterator[Any]:
        nonlocal rounds
        for item in items:
            rounds += 1
            if rounds > ROUNDS or time.thread_time() > end:
                raise SecurityError(f"more than {ROUNDS:,} rounds, or {SECONDS:g} s")
            yield item

    return counted


def _measured(parts: Iterator[str]) -> str:
    found, length = [], 0
    for part in parts:
        length += len(part)
        if length > LONGEST:
            raise SecurityError(f"a text of more than {LONGEST:,} characters")
        found.append(part)
    return "".join(found)


def _raise(message: str) -> None:
    raise TemplateError(message)
