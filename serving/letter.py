"""A decision told to the person whom it is about: one page in plain words, made of its explanation alone.

It answers what Article 86 of Regulation (EU) 2024/1689 asks for (the part that the system had, and the main elements
of the decision) and the specific principal reasons of 12 CFR 1002.9(b)(2). It supports a lender in both; what stands in
brackets is the lender's to fill in, and whether the law of the place asks for more is the lender's to know.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from serving.explained import NotExplainable

WIDTH, LINES = 88, 60  # of one page


def write(told: Mapping[str, Any]) -> str:
    """The letter of an explanation. Raises NotExplainable where the task has no list of what may be told."""
    if told["reasons"] is None:
        raise NotExplainable(
            f"{told['task']} has no list of reasons, so nobody is written to about it; a list is reasons.toml in the "
            "task's folder, see docs/reasons.md"
        )
    paragraphs = [*_head(told), *_result(told), *_reasons(told), *_ways(told), *_rights(told)]
    return "\n".join(_wrapped(each) for each in paragraphs) + "\n"


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    yield "[name and address of who decides]"
    yield ""
    yield f"About the decision {told['decision']} of {_day(told['time'])}"
    yield ""


def _result(told: Mapping[str, Any]) -> Iterator[str]:
    (chance,) = told["probability"].values()
    side, whom = "above" if chance > 0.5 else "below", "against" if told["adverse"] else "for"
    yield (
        f"What you gave was assessed by a computer model ({told['version']}). It estimates how probable "
        f"{plain(told['output'])} is, and found {percent(chance)}; {side} 50 % its answer is {whom} you. "
        "[Say here what was decided, by whom, and what part the estimate had in it.]"
    )
    yield ""
    if told["flags"]["abstained"]:
        yield "The model itself marked its answer as one that should not be acted on without a person's own look."
        yield ""


def _reasons(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["adverse"]:
        yield "No reasons are listed, for the answer was not against you."
    elif not told["reasons"]:
        yield "No single thing was certain enough to be named as a reason. Please ask a person to look at your case."
    else:
        yield "What counted most against you, the largest first:"
        for number, reason in enumerate(told["reasons"], start=1):
            given = listed(told, reason["attribute"], reason["values"])
            yield f"  {number}. {reason['text']} [{reason['code']}]" + (f" You gave {given}." if given else "")
    yield ""


def _ways(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["adverse"]:
        return
    if told["counterfactuals"]:
        yield "The model would have answered the other way, had one of these been different and all else the same:"
        for way in told["counterfactuals"]:
            changes = "; and ".join(_change(told, each) for each in way["changes"])
            unsure = ", which it would call unsure" if len(way["set"]) > 1 else ""
            yield f"  - {changes} ({percent(way['probability'])}{unsure})"
        yield "Each was put to the same model. None is a promise: another day another model may answer."
    else:
        yield "No small change of what you can change was found that would have turned the model's answer."
    yield ""


def _rights(told: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "You may ask for a person to look at your case, tell us what is wrong in what we hold about you, and ask what "
        "this letter leaves open. Write to [contact]; the number of the decision is enough."
    )
    yield ""
    yield "[The notice that the law of your place asks for, with the authority that oversees us.]"


def _change(told: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    before, after = (listed(told, change["attribute"], change[end]) for end in ("from", "to"))
    return f"{after} (instead of {before.rpartition(': ')[2]})" if len(change["to"]) == 1 else f"{after}, not {before}"


def listed(told: Mapping[str, Any], group: str, values: Mapping[str, Any]) -> str:
    """What was given of a group in words: its name and value; where it holds several, each under its own."""
    if len(values) == 1:
        return f"{plain(told['labels'][group])}: {plain(*values.values())}"
    return ", ".join(f"{plain(name)}: {plain(value)}" for name, value in values.items())


def plain(word: Any) -> str:
    """A code word or number as people write it."""
    return str(word).replace("_", " ")


def percent(chance: float) -> str:
    """A probability in per cent; nothing is called certain or impossible by rounding."""
    shown = f"{100 * chance:.1f}"
    return {"100.0": "over 99.9", "0.0": "under 0.1"}.get(shown, shown) + " %"


def _day(time: str) -> str:
    when = datetime.fromisoformat(time)
    return f"{when.day} {when:%B %Y}"


def _wrapped(paragraph: str) -> str:
    indent = " " * (len(paragraph) - len(paragraph.lstrip()))
    return textwrap.fill(paragraph, WIDTH, subsequent_indent=indent + ("   " if indent else "")) if paragraph else ""
