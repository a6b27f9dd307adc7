"""The states of a version, by what its gates and people said of it; everybody who asks asks here.

refused      its gates did not let it through, so nobody can
registered   it waits for a person
approved     it may answer
rejected     a person did not let it answer, which is final
revoked      a person let it answer and took that back, which is final
expired      a person let it answer until a time that has passed; it may be approved again
"""

from __future__ import annotations

from collections.abc import Sequence

BARRED = frozenset({"refused", "rejected", "revoked", "expired"})  # what answers nobody, not even in the shadow


def status(gates: str, verdicts: Sequence[bool], over: bool = False) -> str:
    """The state of a version.

    gates     accepted or refused, as they said
    verdicts  whether people approved or not, in this order
    over      whether the newest of them had an end that has passed, by the database's clock
    """
    if not verdicts:
        return "refused" if gates == "refused" else "registered"
    if verdicts[-1]:
        return "expired" if over else "approved"
    return "revoked" if any(verdicts) else "rejected"


def was(state: str) -> str:
    """A state in which a version does not answer, in a sentence: risk@3 "was rejected", "has expired"."""
    return {"expired": "has expired", "registered": "was never approved"}.get(state, f"was {state}")
