"""The report of a version as it stands today: its number, who approved it and what points to it, from the registry.

The registered report knows none of this and stays as it is; what is shown is its JSON rendered with one line more.
"""

from __future__ import annotations

from pathlib import Path

import registry
from interpret.report import pdf, render
from interpret.report.stage import JSON
from tasks import digest


def shown(version: registry.Version, signature: str | None, report: Path, form: str) -> Path:
    """Render a report with where its version stands, beside the registered one; form is "html" or "pdf".

    What another release rendered cannot be made again, and is given as it was registered.
    """
    held = digest.read_json(report / JSON)
    if held.get("renderer") != render.renderer() or held.get("printer") != pdf.printer():
        return report / f"report.{form}"
    page = render.html(held, said(version, signature))
    place = report.parent / f"{version.task}-{version.number}.{form}"
    place.write_bytes(page.encode("utf-8") if form == "html" else pdf.pdf(held, page))
    return place


def said(version: registry.Version, signature: str | None) -> str:
    """Where a version stands, in a few words; `signature` is what the registry says of its newest verdict's."""
    told = f"{version.ref}, registered {version.created[:10]}"
    if version.approved_by is not None:
        told += f", {version.status} {'by its recipe, no person' if version.automatic else f'by {version.approved_by}'}"
    else:
        told += (
            f", {version.status}: nobody has approved it" if version.status == "registered" else f", {version.status}"
        )
    told += f" ({signature})" if signature else ""
    return told + (f"; it is now the {' and the '.join(version.aliases)}." if version.aliases else ".")
