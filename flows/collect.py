"""`./assay collect`: files of the store that nothing names, and their end."""

from __future__ import annotations

from argparse import Namespace

from rich.table import Table

import registry
from flows import console
from flows.documents import DONE, book, record


def collect(arguments: Namespace) -> int:
    """List the strays; with --remove those that are a day old go."""
    found = registry.collect(book(), arguments.remove)
    if arguments.json:
        console.emit({"strays": [record(each) for each in found], "removed": sum(each.removed for each in found)})
        return DONE
    table = Table(title=f"{len(found)} files that nothing names" if found else "Every file of the store has a version")
    for name in ("what", "where", "hours old", "removed"):
        table.add_column(name)
    for each in found:
        hours = "unknown" if each.hours is None else f"{each.hours:.1f}"
        table.add_row(each.what, each.where, hours, "yes" if each.removed else "")
    console.show(table)
    return DONE
