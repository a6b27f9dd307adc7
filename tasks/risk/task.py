"""Risk: how probable it is that an applicant does not pay back, and what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.classical.metrics import metric
from tasks.classical.table import lightgbm_table, logistic_table, mean
from tasks.data import reasons
from tasks.data.rationale import Rationale
from tasks.data.reasons import Reason
from tasks.data.section import TaskSection
from tasks.data.text import Notes
from tasks.risk import features, german, rationale, read_back
from tasks.task import UNDATED, Classical, DataError, Feature, Head, Inputs, Item, Place, Prediction, Rows, Source, Task

HEAD = Head("score", ("default",))
FEATURES = features.features()
LICENCE = "CC BY 4.0; Hofmann 1994, Statlog (German Credit Data), UCI, doi 10.24432/C5NC77"
PAID, DEFAULTED = ("0", "good", "paid", "false", "no"), ("1", "bad", "default", "defaulted", "true", "yes")


class RiskItem(Item):
    """An applicant and the loan that is asked for. Sex, marital status and origin are no fields, and are refused."""

    checking_account: Literal["overdrawn", "below_200", "200_or_more", "none"]
    duration_months: Annotated[int, Field(ge=1, le=120)]
    credit_history: Literal["no_credits", "all_paid_here", "paid_so_far", "past_delay", "critical_or_elsewhere"]
    purpose: Literal[
        "new_car",
        "used_car",
        "furniture",
        "television",
        "appliances",
        "repairs",
        "education",
        "retraining",
        "business",
        "other",
    ]
    credit_amount: Annotated[int, Field(ge=1, le=1_000_000, description="in DM")]
    savings: Literal["below_100", "100_to_500", "500_to_1000", "1000_or_more", "unknown_or_none"]
    employment: Literal["unemployed", "below_1_year", "1_to_4_years", "4_to_7_years", "7_years_or_more"]
    installment_rate: Annotated[int, Field(ge=1, le=4, description="share of income in four steps, 4 the highest")]
    other_debtors: Literal["none", "co_applicant", "guarantor"]
    residence_since: Annotated[int, Field(ge=1, le=4, description="years at this address in four steps")]
    property: Literal["real_estate", "savings_or_insurance", "car_or_other", "unknown_or_none"]
    age: Annotated[int, Field(ge=18, le=120)]
    other_plans: Literal["bank", "stores", "none"]
    housing: Literal["rent", "own", "free"]
    existing_credits: Annotated[int, Field(ge=0, le=50)]
    job: Literal["unskilled", "skilled", "management"]
    dependents: Annotated[int, Field(ge=0, le=20)]
    telephone: Literal["none", "registered"]
    notes: Notes = None


class RiskSection(TaskSection):
    """`[tasks.risk]`. One epoch: the text restates the table at five times a sentence's length."""

    epochs: int | None = 1


class RiskAnswer(BaseModel):
    """The probability that the credit goes bad and, where that is above one half, what counted against the applicant.

    `reasons` is null where the version keeps no list of them.
    """

    model_config = ConfigDict(frozen=True)

    probability_of_default: float
    reasons: list[Reason] | None = None


def encode(items: Sequence[Any]) -> Inputs:
    """One row per applicant: the table, and the record in words."""
    return Inputs(
        owner=np.arange(len(items), dtype=np.int64),
        text=tuple(features.words(item) for item in items),
        table=np.array([features.row(item) for item in items], dtype=np.float64).reshape(len(items), len(FEATURES)),
    )


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """The probability of the one row. Its reasons are the served model's, see tasks/validate/reasons.py."""
    return {"probability_of_default": float(found.probability[0, 0])}


def target(value: Any) -> Sequence[float]:
    """1 for a credit that went bad, 0 for one that was paid back. Raises ValueError for anything else."""
    name = str(value).strip().lower().removesuffix(".0")
    if name not in PAID + DEFAULTED:
        raise ValueError(f"label {value!r} is neither 0 (paid back) nor 1 (default); recode it")
    return (float(name in DEFAULTED),)


def pair(head: Head, columns: Sequence[Feature]) -> tuple[Classical, Classical]:
    """Boosting and a scorecard, both held to the declared signs; the baseline is the boosting alone."""
    signs = tuple(column.sign for column in columns)
    boosting = lightgbm_table(head, monotone=signs, features=columns)
    card = logistic_table(head, monotone=signs, features=columns, strength=0.03)
    return mean("gradient boosting (LightGBM) and scorecard", boosting, card), boosting


def embedded(place: Place) -> Rows:
    """The 1,000 applicants of German Credit, from the coded table beside this file."""
    return rows(Path(__file__).parent / "german.csv")


def german_credit(place: Place) -> Rows:
    """The same table from the folder of public sets, where a user has a newer one."""
    if place.root is None:
        raise DataError("the source german_credit needs data.root: the folder that holds risk_german_credit")
    return rows(place.root / "risk_german_credit" / "german.csv")


def rows(path: Path) -> Rows:
    """The applicants of one coded table. They are undated and independent of each other."""
    pairs = german.read(path)
    when = np.full(len(pairs), UNDATED)
    ids = tuple(f"german-{number}" for number in range(len(pairs)))
    return Rows(
        ids=ids,
        inputs=encode([RiskItem(**fields) for fields, _ in pairs]),
        target=np.array([[bad] for _, bad in pairs]),
        time=when,
        known=when.copy(),
        group=np.array(ids),
        split=np.full(len(pairs), "", dtype="U5"),
        protected={column: np.array(held) for column, held in german.protected(path).items()},
    )


SOURCES = {
    "embedded": Source(embedded, LICENCE),
    "german_credit": Source(german_credit, LICENCE),
}

CLASSICAL, BASELINE = pair(HEAD, FEATURES)

TASK = Task(
    name="risk",
    summary="The probability that an applicant does not pay a credit back, and what counted against who is refused",
    reads=("text", "table"),
    needs=("table",),
    head=HEAD,
    section=RiskSection,
    item=RiskItem,
    answer=RiskAnswer,
    sources=SOURCES,
    target=target,
    encode=encode,
    decode=decode,
    classical=CLASSICAL,
    baseline=BASELINE,
    metric=metric("auc", HEAD),
    pair=pair,
    restated=features.restated,
    rationale=Rationale(HEAD.outputs, rationale.given, rationale.write, read_back.read),
    reasons=reasons.read(Path(__file__).parent / reasons.FILE),
    in_words=features.in_words,
    example={
        "checking_account": "overdrawn",
        "duration_months": 36,
        "credit_history": "paid_so_far",
        "purpose": "furniture",
        "credit_amount": 4200,
        "savings": "below_100",
        "employment": "below_1_year",
        "installment_rate": 4,
        "other_debtors": "none",
        "residence_since": 2,
        "property": "car_or_other",
        "age": 27,
        "other_plans": "none",
        "housing": "rent",
        "existing_credits": 1,
        "job": "skilled",
        "dependents": 1,
        "telephone": "none",
    },
    features=FEATURES,
)
