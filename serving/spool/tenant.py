"""Whose a request is: the tenant of the key that it came with. What is sealed, found and erased asks nowhere else.

The home's own token is the tenant `default`.
"""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection

from serving import access

DEFAULT = "default"
FORM = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def of(request: HTTPConnection) -> str:
    """The tenant of a request."""
    return access.caller_of(request.scope).tenant


def checked(name: str) -> str:
    """A tenant's name, which is also a folder's. Raises ValueError for any other text."""
    if not FORM.fullmatch(name):
        raise ValueError(f"{name!r} is no tenant: write small letters, digits and hyphens, 40 at most, as {DEFAULT}")
    return name
