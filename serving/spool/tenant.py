"""Whose a request is. Every caller holds the one token of the service today, so all of them are one tenant.

Where tokens name tenants, `of` is the place that reads it; what is sealed, found and erased asks nowhere else.
"""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection

DEFAULT = "default"
FORM = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def of(request: HTTPConnection) -> str:
    """The tenant of a request."""
    return DEFAULT


def checked(name: str) -> str:
    """A tenant's name, which is also a folder's. Raises ValueError for any other text."""
    if not FORM.fullmatch(name):
        raise ValueError(f"{name!r} is no tenant: write small letters, digits and hyphens, 40 at most, as {DEFAULT}")
    return name
