"""The bars of the acceptance rows, A1 to A18, in words."""

from __future__ import annotations

from interpret.report.proofs import LEAST_AGREE, LEAST_COVERED, LEAST_LIKE, LEAST_SAME_FOUR
from interpret.report.sections.explanation_quality import LEAST_TAU, WORST_ERROR
from interpret.report.sections.findings import ENOUGH_ROWS, MOST_ADDITIVITY

MOST_PAGES = 40
BARS = {
    "A1": "23 sections, none empty, no schema error",
    "A2": "no forged report registers, and who judged the version signed it",
    "A3": "page and print made again byte for byte, no number without a place in the JSON, nothing fetched, "
    f"at most 10 MB and {MOST_PAGES} printed pages",
    "A4": f"answer - base - values at most {MOST_ADDITIVITY:g} of max(1, |answer - base|), files opened anew",
    "A5": "relative L1 to all coalitions at most 0.05, rank correlation at least 0.99, means over the cases of text",
    "A6": "planted driver first in 95 % of rows, dead and twin players within 2 standard errors in 95 %",
    "A7": f"largest standard error at most {WORST_ERROR:g} of the sum of |value|",
    "A8": f"differences of two runs lie within their 95 % intervals in {LEAST_COVERED:g} or more",
    "A9": f"another seed: rank correlation at least {LEAST_LIKE:g}, the same top four in {LEAST_SAME_FOUR:g}",
    "A10": f"at least {ENOUGH_ROWS} rows, order in two halves at least {LEAST_TAU:g} (Kendall)",
    "A11": "comprehensiveness and sufficiency at 1, 5, 10, 20, 50 % better than random order, lower end above 0",
    "A12": "rank correlation with a randomised adapter and head at most 0.3",
    "A13": "top four of two backgrounds overlap by half; a planted scaffold is flagged",
    "A14": f"signs of the surest values agree with a second method in {LEAST_AGREE:g}",
    "A15": "1 to 4 reasons of a versioned list, lower end above 0, none of an input that was missing",
    "A16": "every counterfactual flips the decision, none by a protected feature",
    "A17": "every answer in the log replays offline, of more than 1,000 the newest 1,000",
    "A18": "10,000 of 10,000 single-bit flips seen; a log cut off or rolled back is seen",
}
