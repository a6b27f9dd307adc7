"""Kinds of columns that the tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String
from sqlmodel import Field


def big(**how: Any) -> Any:
    """A whole number of 64 bits; SQLite counts by its own kind."""
    return Field(sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), **how))


def seq_of_event() -> Any:
    """The number of the row's event."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(sa_column=Column(kind, ForeignKey("event.seq"), primary_key=True, autoincrement=False))


def of_version(index: bool = True) -> Any:
    """The version that a row speaks of."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(sa_column=Column(kind, ForeignKey("version.seq"), nullable=False, index=index))


def time_text(nullable: bool = False) -> Any:
    """A time as text, in the order of its bytes on both databases."""
    kind = String().with_variant(String(collation="C"), "postgresql")
    return Field(sa_column=Column(kind, nullable=nullable))
