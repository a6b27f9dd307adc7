"""A request: its JSON read strictly, then the items of a task by its own type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from serving.problem import Fault, Problem, invalid, pointer

DEPTH = 32
BATCH = 256
EXACT = 2**53  # up to here a float holds every whole number

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


async def body_of(request: Request) -> bytes:
    """The body of a question. Raises Problem 422 for a query, whose version would be passed over in silence."""
    if request.url.query:
        raise Problem(422, "a question has no query parameters; send everything in the body")
    return await request.body()


def read_document(raw: bytes) -> Any:
    """The JSON document of a body.

    Refused with 400: broken UTF-8 or JSON, a key that stands twice, more than 32 levels. With 422: NaN and Infinity,
    numbers that no float holds, half of a surrogate pair in a key or a text.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8 (byte {error.start}); send JSON in UTF-8") from error
    _shallow(text)
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
        )
    except json.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except ValueError as error:  # Python reads no integer of more than some 4,000 digits
        raise Problem(422, "a number has too many digits; send numbers that a float can hold") from error
    if _SURROGATE.search(text):  # only an escape can spell one: half a pair is no UTF-8
        _paired(document, ())
    return document


def read_items(raw: bytes, kind: type[BaseModel]) -> tuple[list[Any], bool]:
    """The items of a body, and whether they came as a list. Raises Problem 400, 413 or 422 with the field's path."""
    document = read_document(raw)
    if not isinstance(document, list):
        return [read_item(document, kind)], False
    if not document:
        raise Problem(422, f"the list is empty; send 1 to {BATCH} items")
    if len(document) > BATCH:
        raise Problem(413, f"the list holds {len(document)} items; send at most {BATCH} at a time")
    return [read_item(each, kind, f"/{place}") for place, each in enumerate(document)], True


def read_item(document: Any, kind: type[BaseModel], prefix: str = "") -> Any:
    """One item, strictly: no text for a number, no number for text. Raises Problem 422."""
    try:
        # Through JSON once more, because pydantic's strict mode takes a time or a tuple from JSON but not from Python.
        return kind.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        detail = "the item does not fit the task; each error names its field"
        raise Problem(422, detail, invalid(error, prefix)) from error


def _shallow(text: str) -> None:
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub('""', text)):
        depth += 1 if match.group() in "[{" else -1
        if depth > DEPTH:
            raise Problem(400, f"the body is nested deeper than {DEPTH} levels; flatten it")


def _unique(pairs: Sequence[Any]) -> dict[str, Any]:
    """An object from its (key, value) pairs."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Problem(400, "a key stands twice; send each key once", [Fault(path=pointer([key]), message="twice")])
        found[key] = value
    return found


def _paired(value: Any, place: tuple[int | str, ...]) -> None:
    """Refuse half of a surrogate pair: it is no character, and neither an answer nor an error could quote it."""
    if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
        fault = Fault(path=pointer(place), message="half of a surrogate pair")
        raise Problem(422, "a text or a key holds half of a surrogate pair; send whole characters", [fault])
    if isinstance(value, dict):
        for key, held in value.items():
            _paired(key, (*place, key))
            _paired(held, (*place, key))
    if isinstance(value, list):
        for at, held in enumerate(value):
            _paired(held, (*place, at))


def _whole(text: str) -> int:
    number = int(text)
    try:
        float(number)
    except OverflowError as error:
        raise Problem(422, "a number is too large; send numbers that a float can hold") from error
    return number


def _finite(text: str) -> float | int:
    """A number with a point or an exponent; 24.0 is a whole number, as JSON Schema has it."""
    number = float(text)
    if math.isinf(number):
        raise Problem(422, "a number is too large; send finite numbers")
    return int(number) if number.is_integer() and abs(number) <= EXACT else number


def _no_constant(name: str) -> NoReturn:
    raise Problem(422, f"{name} is not a number of JSON; send finite numbers, or leave the field out")
