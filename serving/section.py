"""The recipe's [serve]: how many replicas answer, with how many threads each. Light: the recipe's reader needs it."""

from __future__ import annotations

from pydantic import Field

from tasks.task import Section


class ServeSection(Section):
    """Two replicas, so that one which dies is not an outage; one thread each, since a replica's passes are short."""

    replicas: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=1, ge=1, le=64)


DEFAULT = ServeSection()
