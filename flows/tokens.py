"""`./assay tokens new | list | rotate | revoke`: keys of the endpoints. A secret is printed once and kept nowhere."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.table import Table

import registry
from flows import console
from flows.documents import DONE, book, show, who
from serving.access import ROLES, rights
from serving.spool import tenant

NOTE = "the token is shown this once and kept nowhere; who loses it is issued another"


def tokens(arguments: Namespace) -> int:
    """Issue, list, rotate or revoke a key of the endpoints."""
    named = arguments.verb in {"rotate", "revoke"}
    if named != (arguments.name is not None):
        raise ValueError(f"tokens {arguments.verb} {'needs the ID of a key' if named else 'takes no ID'}")
    if arguments.verb == "list":
        return _list(arguments)
    if arguments.verb == "new":
        key, secret = registry.new_api_key(book(), _grant(arguments), who())
        return show(arguments, {**_told(key), "token": secret, "note": NOTE})
    if arguments.verb == "rotate":
        key, secret = registry.rotate_api_key(book(), arguments.name, who())
        return show(arguments, {**_told(key), "replaces": arguments.name, "token": secret, "note": NOTE})
    return show(arguments, _told(registry.revoke_api_key(book(), arguments.name, who())))


def _grant(arguments: Namespace) -> registry.Grant:
    """What was asked for. Raises ValueError for what no role, tenant or right is."""
    role, scopes = arguments.role, tuple(arguments.scope)
    if role not in ROLES:
        raise ValueError(f"--role {role!r} is no role; take one of {', '.join(ROLES)}")
    unknown = sorted(set(scopes) - rights(role))
    if unknown:
        raise ValueError(f"--scope {unknown[0]!r} is none of what {role} may do: {', '.join(sorted(rights(role)))}")
    return registry.Grant(tenant.checked(arguments.tenant), role, scopes, arguments.days)


def _list(arguments: Namespace) -> int:
    found = registry.api_keys(book())
    rows = [{**_told(key), "state": _state(key, found.now)} for key in found.keys.values()]
    if arguments.json:
        console.emit({"tokens": rows, "strange": list(found.strange)})
        return DONE
    table = Table(title="Keys of the endpoints, beside the home's own token", title_justify="left")
    for name in ("id", "tenant", "role", "scopes", "created", "expires", "state", "by"):
        table.add_column(name)
    for row in rows:
        cells = {
            **row,
            "scopes": " ".join(row["scopes"]),
            "created": row["created"][:19],
            "expires": row["expires"][:19],
        }
        table.add_row(*(str(cells[str(column.header)]) for column in table.columns))
    console.show(table)
    if found.strange:
        console.say(f"tokens    rows that no event speaks of open nothing: {', '.join(found.strange)}; ./assay verify")
    return DONE


def _told(key: registry.ApiKey) -> dict[str, Any]:
    """A key without anything of its secret."""
    names = ("tenant", "role", "created", "expires", "revoked", "by")
    return {"id": key.name, **{name: getattr(key, name) for name in names}, "scopes": list(key.scopes)}


def _state(key: registry.ApiKey, now: str) -> str:
    if key.revoked is not None:
        return "revoked"
    return "expired" if key.expires <= now else "active"
