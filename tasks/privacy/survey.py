"""How many people stand in texts: spans by kind, for the card of data. Nothing of what was found is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tasks.privacy.redact import find
from tasks.privacy.spans import KINDS

MOST = 5_000  # texts that are looked at; some two seconds


def counted(texts: Sequence[str]) -> dict[str, Any]:
    """{"texts": how many were looked at, the first MOST, "of": how many there are, "kinds": {kind: spans}}."""
    found = Counter(one.kind for text in texts[:MOST] for one in find(text))
    return {"texts": min(len(texts), MOST), "of": len(texts), "kinds": {kind: found[kind] for kind in KINDS}}
