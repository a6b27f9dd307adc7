"""Acceptance rows that are measured when a report is made, and that its files alone do not tell again."""

from __future__ import annotations

from typing import Any

from interpret.attribution.scaffold import LEAST_OVERLAP
from interpret.attribution.study import Study
from interpret.report.sections.findings import MOST_LIKE_BLANK

WHAT = {
    "A6": "Planted drivers are named first",
    "A8": "Intervals hold what they promise",
    "A9": "Another seed says the same",
    "A11": "What is named first matters",
    "A12": "Random weights give another order",
    "A13": "Another background, and real rows alone, give the same",
    "A14": "A second method has the same signs",
}
LEAST_SAME_TOP = 0.5
LEAST_COVERED, LEAST_LIKE, LEAST_SAME_FOUR, LEAST_AGREE = 0.93, 0.98, 0.95, 0.7


def evidence(study: Study) -> list[dict[str, Any]]:
    """Rows of {"row", "figure", "holds", "measured"}; `holds` is None where a row cannot be asked."""
    told = [_planted(study), _coverage(study), _seeds(study), _faithful(study), _blank(study), _backgrounds(study)]
    told.append(_second_method(study))
    return [dict(zip(("row", "figure", "holds", "measured"), each, strict=True)) for each in told]


def _planted(study: Study) -> tuple[str, float | None, bool | None, str]:
    found = study.planted
    if found is None:
        return "A6", None, None, "cannot be asked: no row has three players"
    shares = "; ".join(
        f"{name} {'none' if share is None else f'{share:.3f}'}"
        for name, share in (("dead players", found.dead), ("twins", found.twins))
    )
    said = f"planted on {found.rows} rows; the driver holds {found.mass:.3f} of the mass; within 2 s.e.: {shares}"
    return "A6", found.first, found.holds, said


def _coverage(study: Study) -> tuple[str, float | None, bool | None, str]:
    found = study.repeats
    if found is None:
        return "A8", None, None, "cannot be asked: all coalitions of the cases were asked, so no value has an interval"
    said = (
        f"differences of two of {found.runs} runs, {found.rows} cases: share within the root of both intervals' squares"
    )
    return "A8", found.covers, found.covers >= LEAST_COVERED, said


def _seeds(study: Study) -> tuple[str, float | None, bool | None, str]:
    found = study.repeats
    if found is None:
        return "A9", 1.0, True, "all coalitions of the cases were asked: nothing is drawn, so every seed says the same"
    said = (
        f"rank correlation of |value| with {found.rows} cases drawn again at the same cost; the same top four in "
        f"{found.same_top:.3f} of them"
    )
    return "A9", found.correlation, found.correlation >= LEAST_LIKE and found.same_top >= LEAST_SAME_FOUR, said


def _second_method(study: Study) -> tuple[str, float | None, bool | None, str]:
    """Of numbers TreeSHAP of the surrogate, of text what hiding a part alone does."""
    if study.alone is not None:
        said = "signs of the surest values, four a case at most, against hiding that part alone (occlusion)"
        return "A14", study.alone, study.alone >= LEAST_AGREE, said
    found = study.scaffold
    if found is None or found.agrees is None:
        return (
            "A14",
            None,
            None,
            "cannot be asked: no value is surely apart from zero, or of a program no surrogate learns",
        )
    if found.flagged is None:
        return (
            "A14",
            found.agrees,
            None,
            f"cannot be asked: the surrogate fits real rows too badly (R2 {found.fit:.2f})",
        )
    said = f"signs of the surest values, four a row, against TreeSHAP of a surrogate of real rows (R2 {found.fit:.2f})"
    return "A14", found.agrees, found.agrees >= LEAST_AGREE, said


def _faithful(study: Study) -> tuple[str, float, bool, str]:
    found, deletion = study.faithfulness, study.deletion.ci95[0]
    ends = (found.comprehensiveness_ci95[0], found.sufficiency_ci95[0], deletion)
    said = (
        f"lower ends over {len(study.local)} cases against random order: comprehensiveness {ends[0]:.3g}, "
        f"sufficiency {ends[1]:.3g} (1, 5, 10, 20, 50 % of the players), deletion curve {ends[2]:.3g}"
    )
    return "A11", min(ends), min(ends) > 0, said


def _blank(study: Study) -> tuple[str, float | None, bool | None, str]:
    found = study.blank
    if found is None:
        return "A12", None, None, "cannot be asked: what the net adds to the classical part moves in no row"
    low, high = found.ci95
    said = (
        f"signed rank correlation of |value| with a random adapter and head, {found.rows} rows, without the classical "
        f"part: 95 % interval {low:.3f} to {high:.3f}"
    )
    return "A12", found.correlation, found.correlation <= MOST_LIKE_BLANK, said


def _backgrounds(study: Study) -> tuple[str, float | None, bool | None, str]:
    found, scaffold = study.backgrounds, study.scaffold
    if found is None or scaffold is None:
        return "A13", None, None, "cannot be asked of text: nothing is drawn, and one way of hiding is used"
    told = {None: "cannot tell", True: "flags it", False: "does not flag it"}[scaffold.flagged]
    said = (
        f"top four against two halves of the background; a surrogate of real rows (R2 {scaffold.fit:.2f}) shares "
        f"{scaffold.overlap:.2f} of what moves it (bar {LEAST_OVERLAP:g}) and {told}"
    )
    return "A13", found, found >= LEAST_SAME_TOP and scaffold.flagged is not True, said
