"""Sections 7 and 13: how it was explained, and what shows that the explanations can be trusted."""

from __future__ import annotations

from interpret.attribution.scaffold import LEAST_OVERLAP
from interpret.attribution.study import Study
from interpret.report import blocks, proofs
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.findings import ENOUGH_CASES, ENOUGH_ROWS, MOST_ADDITIVITY

WORST_ERROR = 0.005
LEAST_TAU = 0.9
HIDING = {
    "text": "Text: sentences where there are three or more, else phrases of whole words. A hidden span is shown to the "
    "backbone as mask tokens in place, and as blanks to the classical part.",
    "table": "Table: one player per declared group of features. Hidden groups take the values of a reference row.",
    "series": "Series: segments of equal length by channel group. Hidden cells take those of a reference row's window "
    "at the same steps.",
}
WRITTEN = (
    "Text: headings, labels, words of the paragraphs and of the question, each kind apart. What is hidden is blank in "
    "the prompt; numbers and the names of cells stay, so that the program can still be written."
)
ANSWER = (
    "One presence vector says which parts of a row the model sees. Its value is the raw answer of the served model to "
    "the row with the other parts hidden; attributions are the Shapley values of this game."
)
PROGRAM = (
    "What is explained of a row is the program that it was served. One presence vector says which words the body sees; "
    "its value is the log-odds that the body then writes this program, without the classical part. Attributions are "
    "the Shapley values of this game."
)
ESTIMATORS = {
    "exact": "all coalitions (shap's Exact)",
    "regression": "regression on the odd terms of order 1 and 3, pairs of coalitions",
    "permutation": "a permutation and its reverse, each against a fresh reference row",
}
ERRORS = {
    "exact": "Where all combinations of a text's parts fit the budget, its values are exact.",
    "regression": "Of a longer text, pairs of combinations are drawn without replacement, and main effects and "
    "products of three parts are fitted to them. The error is what leaving out each pair in turn would change.",
    "permutation": "Numbers are hidden by those of another row. Each permutation takes a fresh one, so that "
    "the spread between pairs holds the error of the order and that of the reference. The interval is Student's t.",
}
LIMITS = (
    "Masked text and mixed windows are not inputs that occur; a model can behave differently on them.",
    "A value says what moved this model's answer, not what causes the outcome in the world.",
    "Values of correlated parts depend on how the groups were cut.",
)


def method(facts: Facts, study: Study) -> list[Block]:
    """Section 7: players, masking, background, scale, estimator, budget, seeds, versions, limits."""
    kinds = {player.modality for row in study.rows for player in row.game.players}
    methods = {row.attribution.method for row in study.rows}
    writes = facts.task.writer is not None
    hiding = HIDING | ({"text": WRITTEN} if writes else {})
    return [
        blocks.text("game", PROGRAM if writes else ANSWER),
        blocks.bullets("players", [said for kind, said in hiding.items() if kind in kinds]),
        _estimator(facts, study, text_only=kinds == {"text"}),
        blocks.text(
            "errors",
            *(ERRORS[kind] for kind in ("exact", "regression", "permutation") if kind in methods),
        ),
        blocks.bullets("limits", LIMITS),
    ]


def _estimator(facts: Facts, study: Study, *, text_only: bool) -> Block:
    run, methods = facts.run, {row.attribution.method for row in study.rows}
    rows = [
        Fact("Library", f"shap {facts.libraries['shap']}"),
        Fact("Estimator", "; ".join(ESTIMATORS[kind] for kind in ESTIMATORS if kind in methods)),
        Fact("Scale", f"raw answer ({words.scale(facts.task.head)}), identity link"),
        Fact("Budget per case", run.section.text_budget if text_only else run.section.budget, "integer"),
        Fact("Budget per row of the global view", "an eighth of it, at least 16"),
        Fact("Tolerance", run.section.tolerance, "percent"),
        Fact("Rows that references are drawn from", study.background_rows or None, "integer"),
        Fact("Evaluations in all", study.evaluations, "integer"),
        Fact("Seed", run.seed, "integer"),
        Fact("Seed of a row", "seed + 101 × (place in the pool + 1)"),
        Fact("Threads", run.threads, "integer"),
    ]
    return blocks.facts("estimator", "Estimator", rows)


def quality(facts: Facts, study: Study) -> list[Block]:
    """Section 13: measured against the bars set for it."""
    columns = [("criterion", "text"), ("measured", "measure"), ("bar", "text"), ("verdict", "verdict")]
    return [
        blocks.table("criteria", "Criteria and bars", columns, _criteria(study)),
        _deletion(facts, study),
        *_faithful(facts, study),
        blocks.text(
            "additivity",
            "Additivity shows that the wiring is right, not that the values are: see the errors and the curve.",
        ),
        _evidence(study),
    ]


def _evidence(study: Study) -> Block:
    """What was measured on this version alone, row by row; ./assay verify --report measures it again."""
    columns = [("row", "text"), ("what", "text"), ("measured", "measure"), ("verdict", "verdict"), ("how", "text")]
    said = {True: "met", False: "not met", None: "not applicable"}
    rows = [
        (line["row"], proofs.WHAT[line["row"]], line["figure"], said[line["holds"]], line["measured"])
        for line in proofs.evidence(study)
    ]
    return blocks.table("evidence", "Evidence of this version", columns, rows)


def _faithful(facts: Facts, study: Study) -> list[Block]:
    """Of a task that writes: whether its answers rest on what they cite."""
    if facts.task.writer is None:
        return []
    if not study.faithful:
        note = "The task does not say how its answers are tried without what they cite."
        return [blocks.absent("faithful", "Faithfulness of programs", "not_declared", note)]
    rows = [Fact(name, value, "percent") for name, value in study.faithful.items()]
    return [blocks.facts("faithful", "Whether answers rest on what they cite", rows)]


def _deletion(facts: Facts, study: Study) -> Block:
    gain = study.deletion
    low, high = gain.ci95
    data = {
        "names": ["most important first", "random order"],
        "x": gain.share,
        "lines": [gain.ordered, gain.random],
        "kinds": ["ours", "peer"],
        "xlabel": "share of the players that is hidden",
        "ylabel": f"drop of the answer ({words.scale(facts.task.head)})",
    }
    alt = (
        "The answer drops faster when players are hidden in the order of their values: mean advantage over random "
        f"order {gain.advantage:.3g}, 95 % interval {low:.3g} to {high:.3g}"
        if low > 0
        else f"The drop in the order of the values is no faster than in random order: {gain.advantage:.3g}"
    )
    return blocks.figure("deletion", "curves", "Hiding what matters first", alt, data)


def _criteria(study: Study) -> list[tuple[str, float | None, str, str]]:
    """Each criterion that this report measures, what was found, its bar, and whether it is met."""
    sampling, low, tau = study.sampling, study.deletion.ci95[0], study.stability
    worst, gap = sampling.worst_error, study.additivity
    hidden, alone = study.faithfulness.comprehensiveness_ci95[0], study.faithfulness.sufficiency_ci95[0]
    seen = study.scaffold is not None and study.scaffold.flagged is not None
    overlap, false = (study.scaffold.overlap, study.scaffold.flagged) if study.scaffold and seen else (None, None)
    measured: list[tuple[str, float | None, str, bool]] = [
        ("Sections and annexes present", 23, "23", True),
        ("Additivity against the served answer, worst", gap, f"≤ {MOST_ADDITIVITY:g}", gap <= MOST_ADDITIVITY),
        ("Cases within the tolerance", sampling.converged, str(sampling.rows), sampling.converged == sampling.rows),
        ("Worst standard error over sum of |value|", worst, f"≤ {WORST_ERROR:g}", worst <= WORST_ERROR),
        ("Rows in the global view", len(study.rows), f"≥ {ENOUGH_ROWS}", len(study.rows) >= ENOUGH_ROWS),
        ("Kendall's tau between two halves", tau, f"≥ {LEAST_TAU:g}", tau is not None and tau >= LEAST_TAU),
        ("Advantage over random order, 95 % lower end", low, "> 0", low > 0),
        ("Comprehensiveness over random, 95 % lower end", hidden, "> 0", hidden > 0),
        ("Sufficiency over random, 95 % lower end", alone, "> 0", alone > 0),
        ("Overlap with a surrogate of real rows", overlap, f"≥ {LEAST_OVERLAP:g}", overlap is not None and not false),
        ("Cases explained one by one", len(study.local), f"≥ {ENOUGH_CASES}", len(study.local) >= ENOUGH_CASES),
    ]
    return [
        (name, value, bar, "not applicable" if value is None else "met" if met else "not met")
        for name, value, bar, met in measured
    ]
