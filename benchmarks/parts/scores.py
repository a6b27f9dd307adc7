"""docs/quality.md: what `./assay bench quality` found, and a plot of every task beside what it has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import ledger
from benchmarks.parts.ledger import DOCS, mark, prose, table, verdict

HEAD = ("set", "metric", "ours, 95 %", "baseline", "lift, 95 %", "published", "bar", "rows", "seed", "measured")
PERCENT = ("nab",)  # metrics that end at 100
# What a reader needs beside the tables: further figures of a row, by key.
MORE = {
    "without_near": "without near copies in train",
    "each": "each split",
    "others": "other models",
    "ece": "calibration error",
    "qlike": "QLIKE, lower is better",
    "diebold_mariano_p": "Diebold-Mariano on QLIKE, p",
    "sets": "each set",
    "var_99": "value at risk, 99 %",
}


def keep(rows: Iterable[Mapping[str, Any]], docs: Path = DOCS) -> None:
    """Take the rows of a run, and write the page and its plot anew."""
    known = ledger.merge(docs / "quality.json", rows)
    sets = [row for case, row in known.items() if not case.startswith("conformal_")]
    if sets:
        _draw(sets, docs / "quality.svg")
    (docs / "quality.md").write_text(_page(known, sets), encoding="utf-8")


def _page(known: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]) -> str:
    covers = [row for row in known.values() if row not in sets]
    return "\n".join([
        "# Quality: every task beside the model it has to beat",
        "",
        *prose(
            "Written by `./assay bench quality --set data.root=FOLDER`; the sets are public and lie with the user.",
            "Rates, stops, temperatures and sets are chosen on validation rows; test rows choose nothing,",
            "but the designs of anomaly and portfolio, and the scorecard's strength in risk, were made with some of",
            "these sets in view, as their cards say. The size of compliance's concepts, and that its network learns",
            "apart, were chosen on the forty documents that fold 0 of unfair_clauses trains on, so fold 0 alone tests",
            "documents that chose nothing.",
        ),
        *ledger.machines(known),
        "",
        "## On test rows",
        "",
        *table(HEAD, (_line(row) for row in sets)),
        "",
        "![Each set: ours with its interval, the baseline, published figures](quality.svg)",
        "",
        *_coverage(covers),
        "## More of each",
        "",
        *(
            line
            for row in sets
            for key in MORE
            if key in row
            for line in prose(f"{row['case']}, {MORE[key]}: {_told(row[key])}", lead="- ")
        ),
    ]) + "\n"  # fmt: skip


def _line(row: Mapping[str, Any]) -> list[Any]:
    bar = f"{row['bar']}: {verdict(row)}" if "bar" in row else None
    mine, peer = f"{row['ours']:.3f} {_ends(row['ci95'])}", f"{row['peer']:.3f} {row['peer_name']}"
    cells = [row["case"], row["metric"], mine, peer, _ends(row["lift_ci95"]), _told(row.get("published"))]
    return [*cells, bar, row["rows"], row["seed"], mark(row)]


def _coverage(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = [
        [
            row["case"].removeprefix("conformal_"),
            f"{row['ours']:.3f}",
            _ends(row["ci95"]),
            verdict(row),
            row["rows"],
            mark(row),
        ]
        for row in rows
        if row["ours"] is not None
    ]
    return [
        "## Sets that hold the truth nine times in ten",
        "",
        *prose(
            "The band is where 95 of 100 exact ones lie for these counts of calibration and test rows",
            "(beta-binomial).",
        ),
        "",
        *table(("task", "share inside", "band", "bar", "rows", "measured"), lines),
        "",
    ]  # fmt: skip


def _ends(pair: Sequence[float] | None) -> str:
    return "" if pair is None else f"[{pair[0]:.3f}, {pair[1]:.3f}]"


def _told(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(inner)}" for key, inner in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _to_one(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A metric that ends at 100, brought to 1 for the plot."""
    if row["metric"] not in PERCENT:
        return row
    published = {name: value / 100 for name, value in row.get("published", {}).items()}
    ends = None if row["ci95"] is None else [end / 100 for end in row["ci95"]]
    return {**row, "ours": row["ours"] / 100, "peer": row["peer"] / 100, "ci95": ends, "published": published}


def _draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 1.3 + 0.75 * len(rows)), layout="constrained")
    for place, row in enumerate(map(_to_one, reversed(rows))):
        start, end = row["ci95"] or (row["ours"], row["ours"])
        axes.plot([start, end], [place, place], color="#1f5f8b", linewidth=2.4, solid_capstyle="round")
        axes.plot(row["ours"], place, "o", color="#1f5f8b", label="ours, 95 %" if not place else None)
        axes.plot(row["peer"], place, "D", color="#b5651d", label="baseline" if not place else None)
        for high, (name, value) in enumerate(sorted(row.get("published", {}).items(), key=lambda pair: pair[1])):
            axes.plot(value, place, "|", color="#555555", markersize=13)
            axes.annotate(
                name,
                (value, place),
                xytext=(0, 8 + 8 * (high % 3)),
                textcoords="offset points",
                fontsize=6,
                ha="center",
            )
    axes.set_yticks(
        range(len(rows)),
        [f"{row['case']}\n{row['metric']}{' / 100' * (row['metric'] in PERCENT)}" for row in reversed(rows)],
        fontsize=8,
    )
    axes.set(xlabel="metric on test rows", xlim=(0, 1), ylim=(-0.5, len(rows) - 0.3))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
