"""`[data]` and `[validate.splits]`: from where, as of when, and how rows are divided. Read without pandas."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from tasks.task import Modality, Section


class FileSection(Section):
    """`[tasks.<name>.file]`: how a user's file is written, where it is not to be found out by looking at it.

    `zone` is where the times of a long file without zones were read off a clock, such as Europe/Berlin.
    `missing` are the words that mean that there is no value.
    `max_bad_rows` is how many rows may be left out, their reasons in a file of their own; one more refuses the file.
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    quote: str | None = None
    header: bool = True
    zone: str | None = None
    missing: tuple[str, ...] | None = None
    max_bad_rows: int = Field(default=0, ge=0)


class GovernanceSection(Section):
    """`[tasks.<name>.governance]`: who answers for the versions of a task, and how much hangs on them.

    `exposure` is how much is at stake where an answer is wrong, `purpose` whether it informs a person or decides.
    `triggers` are what calls for a review before the date, in words.
    """

    owner: str = ""
    validator: str = ""
    next_review: date | None = None
    exposure: Literal["low", "high"] | None = None
    purpose: Literal["inform", "decide"] | None = None
    triggers: tuple[str, ...] = ()

    @property
    def tier(self) -> int | None:
        """1 where much is at stake and it decides, 3 where neither, else 2; None where one of them is not declared."""
        if self.exposure is None or self.purpose is None:
            return None
        return 3 - (self.exposure == "high") - (self.purpose == "decide")


class TaskSection(Section):
    """What every `[tasks.<name>]` section holds; a task adds fields of its own by a subclass.

    `parts` are those that learn beside the classical one: all that the rows hold, where it is not given. `absent` are
    outputs that no row has: without it a run that lacks one is refused.
    """

    source: str = "embedded"
    columns: dict[str, str] = Field(default_factory=dict)
    file: FileSection = FileSection()
    absent: tuple[str, ...] = ()
    epochs: int | None = None
    learning_rate: float | None = None
    parts: tuple[Modality, ...] | None = None
    governance: GovernanceSection = GovernanceSection()


class DataSection(Section):
    """`[data]`: where public sets lie (a place, left out of digests), the day of knowledge.

    `feedback` are the tenants of the endpoints whose decisions, with the labels that were given to them, are learned
    from beside the source.
    """

    root: str | None = None
    as_of: datetime | None = None
    feedback: tuple[str, ...] = ()


class Splits(Section):
    """Shares of validation and test where a source gives no split; `purge_days` overrides the task's own."""

    valid: float = Field(default=0.15, gt=0, lt=0.5)
    test: float = Field(default=0.2, gt=0, lt=0.5)
    purge_days: int | None = Field(default=None, ge=0)
