"""The types of feedback and of the review queue, as requests and answers carry them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

REASON = 2000  # characters
Name = Annotated[str, Field(max_length=64, description="the id that the answer carries")]
Reason = Annotated[str, Field(max_length=REASON, description="why; sealed with the decision's input")]


class FeedbackForm(BaseModel):
    """What became known of a decision: its label, or what a person decided instead. One of the two."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    decision: Name
    label: JsonValue = Field(default=None, description="the truth, as the task's own files write it")
    override: JsonValue = Field(default=None, description="what was decided instead, in the same form; needs a reason")
    reason: Reason = ""
    known_time: AwareDatetime | None = Field(default=None, description="when it was known, with a zone; else now")


class ReviewForm(BaseModel):
    """What came of a look at a decision."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    decision: Name
    outcome: Literal["confirmed", "overridden", "dismissed"] = Field(
        description="confirmed: the answer is the label; overridden: `override` is; dismissed: none, nothing is learned"
    )
    override: JsonValue = None
    reason: Reason = ""


class Kept(BaseModel):
    """The row that was kept. Sent again, the same gives the same row."""

    row: int = Field(description="its event in the registry's history")
    decision: str
    task: str
    version: str
    kind: str = Field(description="label or override; confirmed, overridden or dismissed of a review")
    time: str
    known_time: str | None
    replaces: int | None = Field(description="the row that said something else of this decision before")


class Open(BaseModel):
    """A decision that nobody has said anything of yet."""

    decision: str
    task: str
    version: str
    time: str
    why: list[str] = Field(description="abstained, borderline, out_of_distribution, or none of them")
    decided: JsonValue = Field(description="the label that the answer stands for; null for numbers and programs")
    choices: list[str] = Field(description="the words that a label is made of")
    several: bool = Field(description="whether a label is a list of them")
    probability: JsonValue
    interval: JsonValue
    answer: JsonValue = Field(description="as it was given; null without the right `inputs`, and once it was erased")
    item: JsonValue = Field(description="what was asked; likewise")


class Queue(BaseModel):
    """Abstained, borderline, out of distribution, then all others; the newest first among equals."""

    open: list[Open]
    inputs: bool = Field(description="whether this key may see what was asked")
