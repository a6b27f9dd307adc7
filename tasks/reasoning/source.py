"""Where questions come from: TAT-QA where a user has it."""

from __future__ import annotations

from tasks.reasoning.tatqa import LICENCE, tatqa
from tasks.task import Source

SOURCES = {"tatqa": Source(tatqa, LICENCE)}
