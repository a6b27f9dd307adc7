"""Plots as inline SVG: drawn by matplotlib, the same bytes for the same data, styled by the page.

Every style attribute becomes a presentation attribute, so that the page needs no inline style and the colours can
follow light and dark by selectors on them. Text stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Ends = tuple[float, float]
INK, SOFT, RULE = "#1d2733", "#5d6b7a", "#d5dbe1"
COLOURS = {
    "text": "#2b62a8",
    "table": "#1f7a62",
    "series": "#a8681a",
    "ours": "#2b62a8",
    "peer": "#5d6b7a",
    "off": "#a8681a",
}
STANDS = "stands:"  # before the place of a text's content in the data: matplotlib hands it on as the id of a group
WIDTH = 7.2  # inches at 100 units each: the width of the page's column
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "assay",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 10,
    "figure.dpi": 100,
    "path.simplify": False,
}


def draw(plot: str, data: Mapping[str, Any], alt: str, pointer: str) -> str:
    """The SVG of one figure block. `plot` is estimates, bars, curves or reliability; `data` what its painter takes.

    Every text points to its place below `pointer`, the block's; the numbers of an axis are its scale, and marked so.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    painters: dict[str, Callable[..., None]] = {
        "estimates": _estimates,
        "bars": _bars,
        "curves": _curves,
        "reliability": _reliability,
    }
    with matplotlib.rc_context(SETTINGS):
        height = 0.62 + 0.3 * len(data["names"]) if plot in {"estimates", "bars"} else 3.3
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.set_facecolor("none")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        painters[plot](axes, **data)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _clean(buffer.getvalue(), alt, pointer)


def _estimates(
    axes: Any,
    names: Sequence[str],
    values: Sequence[float],
    ci95: Sequence[Ends | None],
    kinds: Sequence[str],
    xlabel: str,
    zero: bool = False,
) -> None:
    """One dot per row with its interval; with `zero` a line stands at zero."""
    for at, (value, ends, kind) in enumerate(zip(values, ci95, kinds, strict=True)):
        colour = COLOURS.get(kind, SOFT)
        if ends is not None:
            axes.plot(ends, [at, at], color=colour, linewidth=2.4, solid_capstyle="round", alpha=0.55)
        axes.plot([value], [at], "o", color=colour, markersize=7)
        place = {"textcoords": "offset points", "gid": f"{STANDS}values/{at}"}
        axes.annotate(_short(value), (value, at), (0, 8), ha="center", fontsize=9, **place)
    _rows(axes, names, xlabel)
    axes.margins(x=0.12)
    if zero:
        axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0)


def _bars(
    axes: Any,
    names: Sequence[str],
    values: Sequence[float],
    ci95: Sequence[Ends | None],
    kinds: Sequence[str],
    xlabel: str,
) -> None:
    """One bar per row with its interval."""
    axes.barh(range(len(names)), values, color=[COLOURS.get(kind, SOFT) for kind in kinds], height=0.62)
    tips = [value if ends is None else max(value, ends[1]) for value, ends in zip(values, ci95, strict=True)]
    for at, (value, ends, tip) in enumerate(zip(values, ci95, tips, strict=True)):
        if ends is not None:
            axes.plot(ends, [at, at], color=INK, linewidth=1.1)
        place = {"textcoords": "offset points", "gid": f"{STANDS}values/{at}"}
        axes.annotate(_short(value), (tip, at), (6, 0), va="center", fontsize=9, **place)
    _rows(axes, names, xlabel)
    axes.set_xlim(0, (max(tips) or 1.0) * 1.12)


def _rows(axes: Any, names: Sequence[str], xlabel: str) -> None:
    count = len(names)
    axes.set_yticks(range(count), [_clip(name) for name in names])
    for at, label in enumerate(axes.get_yticklabels()):
        label.set_gid(f"{STANDS}names/{at}")
    axes.set_ylim(count - 0.45, -0.65)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(xlabel, gid=f"{STANDS}xlabel")
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _curves(
    axes: Any,
    names: Sequence[str],
    x: Sequence[float],
    lines: Sequence[Sequence[float | None]],
    kinds: Sequence[str],
    xlabel: str,
    ylabel: str,
) -> None:
    """Lines over one x from 0 to 1; a line is None from where it has ended."""
    for name, line, kind in zip(names, lines, kinds, strict=True):
        style = "-" if kind == "ours" else "--"
        known = [float("nan") if value is None else value for value in line]
        axes.plot(x, known, style, color=COLOURS.get(kind, SOFT), linewidth=2, label=name)
    legend = axes.legend(frameon=False, fontsize=9, loc="best")
    for at, label in enumerate(legend.get_texts()):
        label.set_gid(f"{STANDS}names/{at}")
    _labels(axes, xlabel, ylabel)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_xlim(0, 1)


def _reliability(
    axes: Any,
    predicted: Sequence[float],
    observed: Sequence[float],
    count: Sequence[int],
    ci95: Sequence[Ends],
    xlabel: str,
    ylabel: str,
) -> None:
    """Predicted against observed shares with intervals; a point is as large as the number of answers behind it."""
    sizes = [20 + 160 * rows / max(count) for rows in count]
    axes.plot([0, 1], [0, 1], "--", color=SOFT, linewidth=1)
    axes.vlines(predicted, *zip(*ci95, strict=True), color=COLOURS["ours"], linewidth=1.4)
    axes.scatter(predicted, observed, s=sizes, color=COLOURS["ours"], alpha=0.8, linewidths=0)
    _labels(axes, xlabel, ylabel)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(color=RULE, linewidth=0.6)


def _labels(axes: Any, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel, gid=f"{STANDS}xlabel")
    axes.set_ylabel(ylabel, gid=f"{STANDS}ylabel")


def _short(value: float) -> str:
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−")


def _clip(name: str, most: int = 44) -> str:
    # A dollar sign would start mathematics in matplotlib.
    shown = name if len(name) <= most else name[: most - 1].rstrip() + "…"
    return shown.replace("$", r"\$")


def _clean(svg: str, alt: str, pointer: str) -> str:
    """The bare svg element, without styles, declarations and fixed size, and with a title for who cannot see it."""
    prefix = pointer.replace("/", "_")
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r'style="([^"]*)"', lambda found: _attributes(found.group(1).split(";")), body)
    body = re.sub(rf'<g id="{STANDS}([^"]*)"', rf'<g data-p="{pointer}/data/\1"', body)
    body = re.sub(r'<g id="matplotlib\.axis[^"]*"', '<g class="scale"', body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'(id="|#)([mp][0-9a-f]{10})', rf"\g<1>{prefix}\g<2>", body)
    body = re.sub(r' (?:width|height)="[\d.]+pt"', "", body, count=2)
    body = re.sub(r"<svg ", f'<svg role="img" aria-label="{_escape(alt)}" ', body, count=1)
    return re.sub(r"\n\s*", "\n", body).strip()


def _attributes(declarations: Sequence[str]) -> str:
    found = []
    for declaration in declarations:
        name, _, content = declaration.partition(":")
        name, content = name.strip(), content.strip()
        if name == "font":  # "9px 'DejaVu Sans', ..." : the page chooses the face
            size = re.search(r"([\d.]+)px", content)
            found.append(f'font-size="{size.group(1)}"' if size else "")
        elif name and not name.startswith("font-"):
            found.append(f'{name}="{_escape(content)}"')
        elif name == "font-size":
            found.append(f'font-size="{content.removesuffix("px")}"')
    return " ".join(part for part in found if part)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
