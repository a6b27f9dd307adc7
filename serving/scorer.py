"""What a worker of a batch does: load one version once, and answer the parts of a file that it is given.

Found by its dotted name; takes one dict, and bytes as serving.sheets packs them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import registry
from serving import layout, loading
from serving.places import Places
from serving.score import answer, many, read
from serving.sheets import Config, unpacked
from tasks.data.section import FileSection


def scorer(config: Mapping[str, Any]) -> Callable[[int, Any], tuple[dict[str, Any], bytes]]:
    """A function that answers parts by one version, loaded once."""
    told = Config(**config)
    places = Places(**told.places)
    book = registry.open_registry(*places.registry)
    try:
        served = loading.versions(book, {told.task: told.version}, places).served[told.task]
    finally:
        registry.close(book)
    how = FileSection(**told.file)
    gc.freeze()  # what is loaded stays: the collector need not walk through it at each part
    shape, several = layout.columns(served.task, "id" in told.columns), many(served.task)

    def work(number: int, content: Any) -> tuple[dict[str, Any], bytes]:
        began = time.time()
        found, lines, torn, cells = unpacked(content)
        fields = {field: found[column] for field, column in told.columns.items() if field != "id"}
        said = answer(served, read(served.task, fields, len(lines), cells, how), several)
        ids = found[told.columns["id"]] if "id" in told.columns else None
        first = (number - 1) * told.rows + 1
        source = layout.Source(told.batch, told.version, told.digest, first, lines.tolist(), ids)
        content = layout.write(layout.table(shape, said, source), shape, told.form)
        wrong = sorted([*torn, *((int(lines[place]), reason) for place, reason in said.wrong.items())])
        return {"rows": len(lines) + len(torn), "answered": len(said.kept), "rejected": wrong, "began": began}, content

    return work
