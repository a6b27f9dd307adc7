"""Builds the task that a task.toml declares: the same frozen record that a task.py holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model

from tasks.classical import metrics
from tasks.classical.bag_of_words import tfidf_logistic, tfidf_ovr
from tasks.classical.stock import stock
from tasks.classical.table import lightgbm_table, logistic_table, ridge_table
from tasks.data import contract, declaration, declared_rows, field_types, reasons
from tasks.data.declaration import METRICS, Declaration, FieldDeclaration, HeadDeclaration
from tasks.data.reasons import Reason
from tasks.data.section import TaskSection
from tasks.data.text import LongText
from tasks.task import Classical, DataError, Feature, Head, Item, Metric, Modality, Prediction, Task

LONGEST = 20_000  # values of a series in a request
Like = Callable[[str], Task]


def build(name: str, path: Path, like: Like) -> Task:
    """The task of a task.toml. `like` finds a shipped task by name. Raises DataError with every mistake."""
    declared = declaration.read(path)
    base = like(declared.like) if declared.like else None
    if base is not None and not declared.fields:
        section = _without_source(name, base.section)
        return dataclasses.replace(base, name=name, summary=declared.summary, section=section, sources={})
    head = declared.head or _head_of(base)
    _check_like(declared, head, base)
    inputs = declared.used("input")
    features = tuple(feature for key, each in inputs.items() for feature in field_types.features_of(key, each))
    shape = Head(head.kind, head.outputs)
    classical, baseline = _pair(declared, shape, features, base)
    series = {key: each for key, each in inputs.items() if each.type == "series"}
    listed = reasons.read(path.with_name(reasons.FILE))
    found = Task(
        name=name,
        summary=declared.summary,
        reads=_reads(inputs),
        needs=_reads({key: each for key, each in inputs.items() if each.type != "text" or each.missing is None}),
        head=shape,
        section=_section(name, declared, head),
        item=_item(name, declared),
        answer=_answer(name, shape, told=listed is not None),
        sources={},
        target=_target(head),
        encode=lambda items: declared_rows.encode(declared, items),
        decode=lambda item, found: _decode(shape, found),
        classical=classical,
        baseline=baseline,
        metric=_metric(declared, shape, base),
        example=declared.example,
        split=declared.split,
        features=features,
        channels=tuple(series),
        length=max((each.length for each in series.values()), default=0),
        purge_days=declared.purge_days,
        additive=base.additive if base is not None else not features,
        columns=lambda values, cells: declared_rows.columns(declared, values),
        aside=tuple(declared.used("protected")),
        reasons=listed,
        contract=contract.of_fields(declared.fields, declared.fresh_days),
    )
    if listed is not None:
        reasons.check(listed, found)
    return found


def _check_like(declared: Declaration, head: HeadDeclaration, base: Task | None) -> None:
    """Refuse to be like a task whose models answer another kind of head, or read what no field holds."""
    if base is None:
        return
    if base.pair is None:
        raise DataError(
            f"like = {declared.like!r} has models of its own columns: leave [fields] out, or leave like out"
        )
    if head.kind != base.head.kind:
        raise DataError(
            f"like = {declared.like!r} answers a head of kind {base.head.kind}, [head] is of kind {head.kind}"
        )
    held = _reads(declared.used("input"))
    for part in base.needs:
        if part not in held:
            raise DataError(f"like = {declared.like!r} reads a {part}, and no input is one: leave like out")


def _head_of(base: Task | None) -> HeadDeclaration:
    """A shipped task's head, whose words are those that its own file may hold."""
    if base is None:
        raise DataError("[head] is missing")  # the declaration has refused this already
    return HeadDeclaration(kind=base.head.kind, outputs=base.head.outputs)


def _reads(inputs: Mapping[str, FieldDeclaration]) -> tuple[Modality, ...]:
    kinds = {each.type for each in inputs.values()}
    held: list[tuple[Modality, bool]] = [
        ("text", "text" in kinds),
        ("table", bool(kinds - {"text"})),
        ("series", "series" in kinds),
    ]
    return tuple(name for name, there in held if there)


def _metric(declared: Declaration, head: Head, base: Task | None) -> Metric:
    if base is not None and base.head == head and declared.metric is None:
        return base.metric
    return metrics.metric(declared.metric or METRICS[head.kind][0], head, _cluster(declared))


def _cluster(declared: Declaration) -> metrics.Cluster:
    if declared.split == "time":
        return "time"
    return "group" if declared.used("group") else "row"


def _pair(
    declared: Declaration, head: Head, features: tuple[Feature, ...], base: Task | None
) -> tuple[Classical, Classical]:
    """The classical part, and the baseline that the task must beat."""
    if base is not None and base.pair is not None:
        classical, baseline = base.pair(head, features)
    elif features and head.kind != "multilabel":
        classical, baseline = stock(head, features)
    else:
        classical = baseline = tfidf_ovr(head) if head.kind == "multilabel" else tfidf_logistic(head)
    named: Mapping[str, Callable[[], Classical]] = {
        "gradient_boosting": lambda: lightgbm_table(head, features=features),
        "scorecard": lambda: logistic_table(head, features=features),
        "ridge": lambda: ridge_table(head, features=features),
        "tfidf": lambda: tfidf_ovr(head) if head.kind == "multilabel" else tfidf_logistic(head),
    }
    return classical, named[declared.baseline]() if declared.baseline else baseline


# -- the types of its file and endpoint


def _section(name: str, declared: Declaration, head: HeadDeclaration) -> type[TaskSection]:
    """Its part of the recipe: the columns that were declared stand in it, and those that are given there win."""
    reserved = {use: key for use in ("id", "group", "time", "known", "split") for key in declared.used(use)}  # type: ignore[arg-type]
    columns = {
        **{key: each.column or key for key, each in declared.used("input", "protected").items()},
        **{use: declared.fields[key].column or key for use, key in reserved.items()},
        **{key: declared.fields[key].column or key for key in declared.used("time") if _is_asked(declared)},
        "target": head.column,
    }
    return create_model(
        f"{_title(name)}Section", __base__=TaskSection, source=(str, ""), columns=(dict[str, str], columns)
    )


def _is_asked(declared: Declaration) -> bool:
    """Whether a request carries its time: the age of a date is counted from it."""
    return any("age" in each.features for each in declared.used("input").values())


def _without_source(name: str, section: type[TaskSection]) -> type[TaskSection]:
    """The section of a task that is taken over: what its own file is, its recipe says."""
    return create_model(f"{_title(name)}Section", __base__=section, source=(str, ""))


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _item(name: str, declared: Declaration) -> type[Item]:
    """The type of a request: every input with its bounds; what is kept aside has no field and is refused."""
    fields: dict[str, Any] = {}
    for key, each in declared.used("input").items():
        kind = _annotation(each)
        fields[key] = (kind, ...) if each.missing is None else (kind | None, None)
    if _is_asked(declared):
        fields |= dict.fromkeys(declared.used("time"), (date | datetime, ...))
    return create_model(f"{_title(name)}Item", __base__=Item, __doc__=declared.summary, **fields)


def _annotation(each: FieldDeclaration) -> Any:
    low, high = each.range or (-field_types.LARGEST, field_types.LARGEST)
    about = ", ".join(part for part in (each.about, each.unit and f"in {each.unit}") if part) or None
    kinds: Mapping[str, Any] = {
        "number": Annotated[float, Field(ge=low, le=high, description=about)],
        "whole": Annotated[int, Field(ge=int(np.ceil(low)), le=int(np.floor(high)), description=about)],
        "category": Annotated[Literal[tuple(each.words)] if each.words else str, Field(description=about)],
        "flag": Annotated[bool, Field(description=about)],
        "date": Annotated[date | datetime, Field(description=about)],
        "text": LongText,
        "series": Annotated[list[float], Field(min_length=max(each.length, 1), max_length=LONGEST, description=about)],
    }
    return kinds[each.type]


def _answer(name: str, head: Head, told: bool) -> type[BaseModel]:
    """What an answer holds beside what every answer carries; `told` where its folder has a list of reasons."""
    chances: tuple[Any, Any] = (dict[str, float], ...)
    fields: Mapping[str, dict[str, Any]] = {
        "score": {_chance(head): (float, ...)},
        "classify": {"label": (Literal[head.outputs], ...), "probabilities": chances},
        "multilabel": {"labels": (list[str], ...), "probabilities": chances},
        "regress": dict.fromkeys(("value", "low", "high"), (float, ...)),
    }
    config = ConfigDict(frozen=True)
    own = fields[head.kind] | ({"reasons": (list[Reason] | None, None)} if told else {})
    model: type[BaseModel] = create_model(f"{_title(name)}Answer", __config__=config, **own)
    return model


def _chance(head: Head) -> str:
    return "probability_of_" + "".join(letter if letter.isalnum() else "_" for letter in head.outputs[0])


def _decode(head: Head, found: Prediction) -> dict[str, Any]:
    """The answer of one row, from its calibrated prediction alone."""
    row = found.probability[0]
    if head.kind == "score":
        return {_chance(head): float(row[0])}
    if head.kind == "regress":
        interval = [np.nan, np.nan] if found.interval is None else found.interval[0].tolist()
        return {"value": float(found.raw[0, 0]), "low": interval[0], "high": interval[1]}
    chances = dict(zip(head.outputs, row.tolist(), strict=True))
    if head.kind == "classify":
        return {"label": head.outputs[int(np.argmax(row))], "probabilities": chances}
    return {"labels": [name for name, chance in chances.items() if chance > 0.5], "probabilities": chances}


# -- labels


def _target(head: HeadDeclaration) -> Callable[[Any], Sequence[float]]:
    """How a label of the file is read. Raises ValueError with the words that are known."""
    words = {name.casefold(): name for name in head.outputs} if head.kind != "score" else {}
    words |= {word.strip().casefold(): name for name, held in head.words.items() for word in held}
    for name in head.words:
        words.setdefault(name.casefold(), name)

    def known(value: Any) -> str:
        word = field_types.word(value).casefold()
        if word not in words:
            raise ValueError(f"label {value!r} is none of {', '.join(words)}: correct it, or add it to head.words")
        return words[word]

    def target(value: Any) -> Sequence[float]:
        if head.kind == "regress":
            number = float(value)
            if not np.isfinite(number):
                raise ValueError(f"label {value!r} is no finite number: correct it, or remove the row")
            return (number,)
        if head.kind == "multilabel":
            held = {known(part) for part in _parts(value)}
            return tuple(float(name in held) for name in head.outputs)
        name = known(value)
        return (float(name == head.outputs[0]) if head.kind == "score" else float(head.outputs.index(name)),)

    return target


def _parts(value: Any) -> list[Any]:
    if not isinstance(value, str):
        return list(value or ())
    return [part for part in value.replace("|", ";").replace(",", ";").split(";") if part.strip()]
