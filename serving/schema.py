"""The types of the endpoints, made from each task's own: what a seventh task needs is its folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field, create_model

from serving.flags import Unread
from serving.gateway import PROBLEM, SENTENCES
from serving.request import BATCH
from tasks.task import Task

REF = "#/components/schemas/"
OF_ALL = (400, 408, 414, 429, 431, 500, 502, 503, 504)  # what the gateway may say to any request
OF_TOKEN, OF_BODY = (401, 403), (401, 403, 409, 410, 413, 415, 422)


class Flags(BaseModel):
    """What to mind about an answer."""

    truncated: bool = Field(description="the text was longer than the model's window; the rest was not read")
    out_of_distribution: bool = Field(description="the input is unlike 99 % of what the version was validated on")
    abstained: bool = Field(
        description="do not act on it: nothing can be ruled out, the input is too unlike, or something in it misleads"
    )
    suspicious: dict[str, int] = Field(
        description="what in the input may mislead, counted: zero_width, soft_hyphen, bidi, tag, control, homoglyph, "
        "stacked_marks, special_token, instruction in texts; gap, future, zoneless, constant in series"
    )
    borderline: bool = Field(description="within 1e-5 of a cut that decides: another pass may decide otherwise")
    disagrees: bool = Field(description="the rationale did not agree with the answer or the input, and is withheld")


class Envelope(BaseModel):
    """What every answer carries beside the task's own fields."""

    decision: str = Field(description="names this answer in the decision log")
    task: str
    version: str = Field(description="task@number")
    digest: str = Field(description="sha256 that binds the version's model and report")
    probability: dict[str, float] | list[dict[str, float]] | None = Field(description="calibrated; one per row")
    interval: list[float] | list[list[float]] | None = Field(description="holds the truth 9 times in 10; one per row")
    set: list[str] | list[list[str]] | None = Field(description="conformal: holds the true class 9 times in 10")
    rationale: str | None = Field(
        description="fixed sentences of given evidence; null where there are none, or withheld"
    )
    flags: Flags
    unread: list[Unread] | None = Field(description="the characters beyond the model's window, where flags.truncated")


class Analysis(BaseModel):
    """Which tasks answered, and what the others would need."""

    answered: list[str]
    answers: dict[str, Any] = Field(description="task -> its answer, as POST /v1/tasks/{task} gives it")
    others: dict[str, list[str]] = Field(description="task -> fields that it would need, or why it cannot read them")


class TaskRow(BaseModel):
    """One task as it is served."""

    task: str
    summary: str
    version: str
    digest: str
    since: str
    reads: list[str]
    needs: list[str]
    outputs: list[str]
    example: dict[str, Any]
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schemas of `item` and `answer`")


class ReleaseBody(BaseModel):
    """The versions that answer together."""

    release: int = Field(description="its number in the registry")
    digest: str
    since: str
    versions: dict[str, dict[str, str]]
    challengers: dict[str, dict[str, str | float]] = Field(
        description="versions on trial, and the share of the clients that each answers; 0 in the shadow"
    )


class DecisionBody(BaseModel):
    """What is kept of one answer, without what was asked."""

    model_config = {"extra": "allow"}
    decision: str
    task: str
    version: str = Field(description="task@number")
    digest: str
    time: str
    input: str = Field(description="HMAC-SHA256 of the item's canonical JSON under a key of this home")
    raw: list[list[float]] | None = Field(description="what the version said, uncalibrated")
    flags: dict[str, Any]
    answer: dict[str, Any] | None = Field(description="as it was given; null once it was erased, and to a viewer")


def reply_model(task: Task) -> type[BaseModel]:
    """The answer of one task: the envelope with the task's own fields under `answer`."""
    return create_model(f"{_title(task)}Reply", __base__=Envelope, answer=(task.answer, ...))


def request_body(task: Task) -> dict[str, Any]:
    """The OpenAPI request body of one task: an item, or a list of them."""
    one = {"$ref": f"{REF}{_title(task)}Item"}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": BATCH}
    return {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": [one, many]}, "example": dict(task.example)}},
    }


def item_schemas(tasks: Iterable[Task]) -> dict[str, Any]:
    """The components that the request bodies refer to."""
    found: dict[str, Any] = {}
    for task in tasks:
        title = _title(task)
        schema = task.item.model_json_schema(ref_template=f"{REF}{title}{{model}}")
        found |= {f"{title}{name}": part for name, part in schema.pop("$defs", {}).items()}
        found[f"{title}Item"] = schema
    return found


def document(tasks: Iterable[Task]) -> dict[str, Any]:
    """One document for every task that can read it: the fields of one task as its item has them, and those of others.

    Where the fields of another task do not fit it, that task is told under `others`, and refuses nothing.
    """
    tasks = list(tasks)
    known = sorted({name for task in tasks for name in task.item.model_fields})
    found = item_schemas(tasks)
    forms = []
    for task in tasks:
        one = found[f"{_title(task)}Item"]
        fields = {name: one["properties"].get(name, {}) for name in known}
        forms.append({**one, "title": f"for {task.name}", "properties": fields})
    return {"anyOf": forms}


def faults(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, each as a problem; those that every route has are among them."""
    content = {PROBLEM: {"schema": {"$ref": f"{REF}ProblemBody"}}}
    return {code: {"content": content, "description": SENTENCES[code]} for code in sorted({*codes, *OF_ALL})}


def _title(task: Task) -> str:
    return "".join(part.capitalize() for part in task.name.split("_"))
