"""For schemathesis: leaves out bodies that only a rule between fields refuses, which JSON Schema cannot tell.

Such rules: as many timestamps as values and in order; the same days for every asset; constraints that can be met.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from pydantic import ValidationError

import tasks

ITEMS = [tasks.get(name).item for name in tasks.names()]


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Whether a request is made, of drawn ones and of those that walk along the schema."""
    return sent(case.body)


def sent(body: Any) -> bool:
    """Whether a body is sent."""
    return not any(_crosses(item) for item in (body if isinstance(body, list) else [body]) if isinstance(item, dict))


def _crosses(item: dict[str, Any]) -> bool:
    for kind in ITEMS:
        known = {name: value for name, value in item.items() if name in kind.model_fields}
        try:
            kind.model_validate_json(json.dumps(known), strict=True)
        except (ValidationError, ValueError) as error:
            rows = error.errors() if isinstance(error, ValidationError) else []
            if any(row["type"] == "value_error" and row["loc"] == () for row in rows):
                return True
    return False
