"""The guards that stand in a database, word for word: an empty one under the old name is no guard.

registry/guards.json holds what the migrations make, by database and name; a test holds it against both. After a new
migration `python -m registry.guards DATABASE_URL` prints what stands in a fresh registry there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sqlalchemy.engine import Connection

from registry.digest import of_text

EXPECTED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
QUERIES = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT c.relname, t.tgname, t.tgenabled::text || t.tgtype::text || ' ' || p.prosrc FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
    ),
}


def standing(connection: Connection) -> dict[str, str]:
    """Every trigger of the database as `table.name`: the sha256 of what it does, and when."""
    rows = connection.exec_driver_sql(QUERIES[connection.dialect.name])
    return {f"{table}.{name}": of_text(body) for table, name, body in rows}


if __name__ == "__main__":
    from registry.opening import open_registry

    with open_registry(sys.argv[1], "file:///tmp").engine.connect() as asked:
        print(json.dumps({asked.dialect.name: dict(sorted(standing(asked).items()))}, indent=1))
