"""`./assay migrate`: the registry's tables up to date, and on PostgreSQL the roles with their rights."""

from __future__ import annotations

from argparse import Namespace

import registry
from flows import console
from flows.documents import show
from infra.settings import Settings


def migrate(arguments: Namespace) -> int:
    """Migrate, and say which roles have rights now; a role that is not there is the administrator's to make."""
    done = registry.migrate(Settings().database)
    if done.roles.missing:
        console.say(f"migrate   not there: {', '.join(done.roles.missing)}; docs/registry.md says how they are made")
    document = {"before": done.before, "after": done.after, "as": done.roles.user or None}
    return show(arguments, {**document, "granted": list(done.roles.granted), "missing": list(done.roles.missing)})
