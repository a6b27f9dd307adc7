"""How a command shows what it found: one JSON document, or a table; and the registry that it asks."""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.table import Table

import registry
from flows import console
from infra.settings import Settings

DONE, SAID_NO, BAD_INPUT = 0, 1, 2


def book() -> registry.Registry:
    """The registry of these settings."""
    settings = Settings()
    return registry.open_registry(*settings.registry)


def show(arguments: Namespace, document: Mapping[str, Any]) -> int:
    """A document as JSON where asked, else as a table of keys and values."""
    if arguments.json:
        console.emit(document)
        return DONE
    table = Table(show_header=False)
    for key, value in document.items():
        text = (
            json.dumps(value, indent=1, ensure_ascii=False, default=str)
            if isinstance(value, dict | list)
            else str(value)
        )
        table.add_row(key, text)
    console.show(table)
    return DONE


def record(value: Any) -> dict[str, Any]:
    """A frozen record as JSON holds it."""
    document: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(value), default=str))
    return document


def moment(text: str) -> datetime:
    """A time as it was given on the command line. Raises ValueError with how to write one."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time; write ISO 8601, as 2026-11-22T12:00:00+00:00") from error


def who() -> str:
    """The user of the machine: a container may give it no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
