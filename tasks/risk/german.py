"""Statlog German Credit: its codes in words, its file, and what is kept aside from every model.

H. Hofmann, Statlog (German Credit Data), UCI Machine Learning Repository, 1994, doi 10.24432/C5NC77, CC BY 4.0.
The coded table stands beside this file, unchanged.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.task import DataError

COLUMNS = (
    "checking_account",
    "duration_months",
    "credit_history",
    "purpose",
    "credit_amount",
    "savings",
    "employment",
    "installment_rate",
    "",  # personal status and sex: never an input
    "other_debtors",
    "residence_since",
    "property",
    "age",
    "other_plans",
    "housing",
    "existing_credits",
    "job",
    "dependents",
    "telephone",
    "",  # foreign worker: never an input
)
STATUS_AND_SEX, AGE, FOREIGN_WORKER, CLASS = 8, 12, 19, 20
YOUNG, ELDERLY = 25, 62  # below and from: "elderly" is 62 and more in Regulation B, 12 CFR 1002.2(o)
CODES: Mapping[str, Mapping[str, str]] = {
    "checking_account": {"A11": "overdrawn", "A12": "below_200", "A13": "200_or_more", "A14": "none"},
    "credit_history": {
        "A30": "no_credits",
        "A31": "all_paid_here",
        "A32": "paid_so_far",
        "A33": "past_delay",
        "A34": "critical_or_elsewhere",
    },
    "purpose": {
        "A40": "new_car",
        "A41": "used_car",
        "A42": "furniture",
        "A43": "television",
        "A44": "appliances",
        "A45": "repairs",
        "A46": "education",
        "A48": "retraining",
        "A49": "business",
        "A410": "other",
    },
    "savings": {
        "A61": "below_100",
        "A62": "100_to_500",
        "A63": "500_to_1000",
        "A64": "1000_or_more",
        "A65": "unknown_or_none",
    },
    "employment": {
        "A71": "unemployed",
        "A72": "below_1_year",
        "A73": "1_to_4_years",
        "A74": "4_to_7_years",
        "A75": "7_years_or_more",
    },
    "other_debtors": {"A101": "none", "A102": "co_applicant", "A103": "guarantor"},
    "property": {
        "A121": "real_estate",
        "A122": "savings_or_insurance",
        "A123": "car_or_other",
        "A124": "unknown_or_none",
    },
    "other_plans": {"A141": "bank", "A142": "stores", "A143": "none"},
    "housing": {"A151": "rent", "A152": "own", "A153": "free"},
    # The file tells resident from non-resident unskilled workers, which stands for the foreign-worker column: left out.
    "job": {"A171": "unskilled", "A172": "unskilled", "A173": "skilled", "A174": "management"},
    "telephone": {"A191": "none", "A192": "registered"},
}
SEX = {"A91": "male", "A92": "female", "A93": "male", "A94": "male", "A95": "female"}


def read(path: Path) -> list[tuple[dict[str, Any], float]]:
    """(the fields of an applicant, 1 for a bad credit or 0 for a good one) of each line. Raises DataError."""
    return [_applicant(path, number, cells) for number, cells in enumerate(_cells(path), start=1)]


def protected(path: Path) -> dict[str, list[str]]:
    """Sex, foreign-worker status and band of age of each line, in the file's order: for the fairness table alone."""
    cells = _cells(path)
    return {
        "age": [_band(int(row[AGE])) for row in cells],
        "sex": [SEX[row[STATUS_AND_SEX]] for row in cells],
        "foreign_worker": ["yes" if row[FOREIGN_WORKER] == "A201" else "no" for row in cells],
    }


def _band(age: int) -> str:
    if age < YOUNG:
        return f"below {YOUNG}"
    return f"{ELDERLY} and more" if age >= ELDERLY else f"{YOUNG} to {ELDERLY - 1}"


def _cells(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise DataError(f"{path} is not there; point data.root at the folder that holds risk_german_credit")
    with path.open(encoding="ascii", newline="") as lines:
        return [row for row in csv.reader(lines) if row]


def _applicant(path: Path, number: int, cells: list[str]) -> tuple[dict[str, Any], float]:
    if len(cells) != CLASS + 1:
        raise DataError(f"{path} row {number} has {len(cells)} cells, not {CLASS + 1}; fetch the file again")
    fields: dict[str, Any] = {}
    for name, cell in zip(COLUMNS, cells[:CLASS], strict=True):
        if name and cell not in CODES.get(name, {cell: ""}):
            raise DataError(f"{path} row {number}: {name} is {cell!r}, not one of {', '.join(CODES[name])}")
        if name:
            fields[name] = CODES[name][cell] if name in CODES else int(cell)
    return fields, float(cells[CLASS] == "2")
