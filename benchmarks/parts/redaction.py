"""Redaction on the lent set of sentences with typed spans, which no part of the redactor was learned from."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.privacy import redact, rules
from tasks.privacy.model import shipped
from tasks.privacy.spans import KINDS

FOLDER = "pii_presidio_synth"
FILES = {"": "synth_dataset_v2.json", "second_": "generated_large.json"}  # the second was looked at once, at the end
BARS = {"PERSON": 0.82, "STREET_ADDRESS": 0.95, "GPE": 0.88, "ORGANIZATION": 0.82}
CASES = {
    "PERSON": "redact_person",
    "STREET_ADDRESS": "redact_address",
    "ADDRESS": "redact_address",
    "GPE": "redact_place",
    "LOCATION": "redact_place",
    "ORGANIZATION": "redact_organisation",
}
# Presidio 2.2.366 with spaCy's small model 3.8.0 on 300 of these sentences, in an environment of its own; not run here.
PRESIDIO = {"PERSON": 0.77, "STREET_ADDRESS": 0.18, "GPE": 0.64, "ORGANIZATION": 0.48}
PEER = "Presidio 2.2.366 with spaCy's small model, measured before"
CHECKED = {"CREDIT_CARD": "card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "US_SSN": "ssn"}
CHECKED_BAR, HARMLESS = 0.99, 0.15
WORD = re.compile(r"\w+")


def measure(root: Path) -> list[dict[str, Any]]:
    """Rows for both files. Raises ValueError where the set is not there."""
    return [row for prefix, file in FILES.items() for row in _rows(root / FOLDER / file, prefix)]


def _rows(path: Path, prefix: str) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path} is not there: say where the public sets lie, --set data.root=FOLDER")
    sentences = json.loads(path.read_text(encoding="utf-8"))
    shipped()
    redact.find("warm up")
    began = time.process_time()
    found = [redact.find(one["full_text"], KINDS) for one in sentences]
    milliseconds = 1e3 * (time.process_time() - began) / len(sentences)
    total, covered = Counter[str](), Counter[str]()
    masked = harmless = 0
    for one, spans in zip(sentences, found, strict=True):
        text, hidden, gold = one["full_text"], set[int](), set[int]()
        for span in spans:
            hidden |= set(range(span.start, span.end))
        for span in one["spans"]:
            places = range(span["start_position"], span["end_position"])
            gold |= set(places)
            signs = {place for place in places if text[place].isalnum()}
            if signs and _holds(span["entity_type"], text[places.start : places.stop]):
                total[span["entity_type"]] += 1
                covered[span["entity_type"]] += signs <= hidden
        for word in WORD.finditer(text):
            if any(place in hidden for place in range(*word.span())):
                masked += 1
                harmless += not any(place in gold for place in range(*word.span()))
    return [
        *(_row(prefix, kind, covered[kind] / total[kind], total[kind]) for kind in sorted(total)),
        {
            "case": f"{prefix}redact_harmless", "ours": round(harmless / masked, 3), "peer": None, "peer_name": None,
            "ratio": None, "unit": "share of masked words that nobody is told by", "rows": masked,
            "bar": f"at most {HARMLESS}", "pass": harmless / masked <= HARMLESS,
        },
        {
            "case": f"{prefix}redact_ms", "ours": round(milliseconds, 2), "peer": 52.0, "peer_name": PEER,
            "ratio": round(52.0 / milliseconds, 1), "unit": "ms of CPU a sentence", "rows": len(sentences),
            "bar": "at most a tenth", "pass": milliseconds <= 5.2,
        },
    ]  # fmt: skip


def _holds(kind: str, value: str) -> bool:
    """Whether what a rule owes is there: a number whose checksum does not hold is none."""
    digits = re.sub(r"\W", "", value)
    if kind == "CREDIT_CARD":
        return rules.luhn(re.sub(r"\D", "", value))
    return rules.mod_97(digits) if kind == "IBAN_CODE" else True


def _row(prefix: str, kind: str, share: float, count: int) -> dict[str, Any]:
    checked: Mapping[str, str] = CHECKED
    case = CASES.get(kind, f"redact_{checked.get(kind, kind.lower())}")
    bar = BARS.get(kind, CHECKED_BAR if kind in CHECKED else None)
    peer = PRESIDIO.get(kind) if not prefix else None
    return {
        "case": prefix + case, "ours": round(share, 3), "peer": peer, "peer_name": PEER if peer else None,
        "ratio": round(share / peer, 2) if peer else None, "unit": "share with every letter and digit masked",
        "rows": count, **({"bar": f"at least {bar}", "pass": share >= bar} if bar is not None and not prefix else {}),
    }  # fmt: skip
