"""An applicant as a row of numbers and as words, with the direction that each number is expected to have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal

from tasks.risk.german import CODES
from tasks.task import Feature, Span

# Expected before any training: +1 raises the risk of default, -1 lowers it. What is not here has no declared direction.
Sign = Literal[-1, 0, 1]
NUMBERS: Mapping[str, Sign] = {
    "duration_months": 1,
    "credit_amount": 1,
    "installment_rate": 1,
    "age": -1,
    "residence_since": 0,
    "existing_credits": 0,
    "dependents": 0,
}
SIGNS: Mapping[str, Mapping[str, Sign]] = {
    "checking_account": {"overdrawn": 1, "below_200": 1, "200_or_more": -1},
    "savings": {"below_100": 1, "500_to_1000": -1, "1000_or_more": -1},
    "employment": {"unemployed": 1, "below_1_year": 1, "4_to_7_years": -1, "7_years_or_more": -1},
    "other_debtors": {"guarantor": -1},
    "property": {"real_estate": -1, "unknown_or_none": 1},
    "other_plans": {"bank": 1, "stores": 1, "none": -1},
    "housing": {"own": -1, "rent": 1},
}
WORDS = {
    "duration_months": "duration of the loan in months",
    "credit_amount": "amount of the loan",
    "installment_rate": "instalment as a share of income",
    "age": "age in years",
    "residence_since": "years at this address, up to 4",
    "existing_credits": "credits at this bank",
    "dependents": "dependents",
    "checking_account": "checking account",
    "credit_history": "credit history",
    "purpose": "purpose of the loan",
    "savings": "savings",
    "employment": "time in the present employment",
    "other_debtors": "other debtors or guarantors",
    "property": "property",
    "other_plans": "other instalment plans",
    "housing": "housing",
    "job": "job",
    "telephone": "telephone",
}

SENTENCES = (
    "Loan of {credit_amount} DM over {duration_months} months for {purpose}. "
    "Instalment rate {installment_rate} of 4, {existing_credits} credits at this bank. "
    "Checking account {checking_account}, savings {savings}. "
    "Credit history: {credit_history}; other plans: {other_plans}. "
    "Employed: {employment}, {job} job, aged {age}. "
    "Housing {housing}, property {property}, guarantor: {other_debtors}."
)
STATED = tuple(re.findall(r"{(\w+)}", SENTENCES))
STATED_AGAIN = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(SENTENCES)))


def features() -> tuple[Feature, ...]:
    """The columns of the table: the numbers, then one column for each word of each attribute."""
    numbers = [Feature(name, name, sign) for name, sign in NUMBERS.items()]
    words = [
        Feature(f"{name}={word}", name, SIGNS.get(name, {}).get(word, 0))
        for name, codes in CODES.items()
        for word in dict.fromkeys(codes.values())
    ]
    return (*numbers, *words)


def in_words(row: Any) -> str:
    """What `words` says of the applicant of a row of the table, without notes."""
    held: dict[str, Any] = dict(zip(NUMBERS, map(int, row.tolist()[: len(NUMBERS)]), strict=True)) | {"notes": None}
    for feature, value in zip(features()[len(NUMBERS) :], row[len(NUMBERS) :].tolist(), strict=True):
        if value:
            name, _, word = feature.name.partition("=")
            held[name] = word
    return words(SimpleNamespace(**held))


def row(item: Any) -> list[float]:
    """One applicant as numbers, in the order of features()."""
    numbers = [float(getattr(item, name)) for name in NUMBERS]
    return numbers + [
        float(getattr(item, name) == word) for name, codes in CODES.items() for word in dict.fromkeys(codes.values())
    ]


def words(item: Any) -> str:
    """One applicant in words: what the text encoder reads. It restates the record; notes follow where there are any."""
    facts = SENTENCES.format_map({name: plain(getattr(item, name)) for name in STATED})
    return f"{facts} {item.notes.strip()}" if item.notes else facts


def restated(text: str) -> dict[str, list[Span]]:
    """Where a text that `words` wrote states each fact again; {} for any other text."""
    found = STATED_AGAIN.match(text)
    return {} if found is None else {name: [found.span(name)] for name in STATED}


def plain(word: str | int) -> str:
    """A code word or a number as people write it."""
    return str(word).replace("_", " ")
