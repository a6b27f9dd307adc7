"""The states of a version, by what its gates and people said of it; everybody who asks asks here.

refused      its gates did not let it through, so nobody can
registered   it waits for a person
approved     it may answer
rejected     a person did not let it answer, which is final
revoked      a person let it answer and took that back, which is final
"""

from __future__ import annotations

from collections.abc import Sequence

BARRED = frozenset({"refused", "rejected", "revoked"})  # what answers nobody, not even in the shadow


def status(gates: str, verdicts: Sequence[bool]) -> str:
    """The state of a version: `gates` said accepted or refused, people approved or not, in this order."""
    if not verdicts:
        return "refused" if gates == "refused" else "registered"
    if verdicts[-1]:
        return "approved"
    return "revoked" if any(verdicts) else "rejected"
