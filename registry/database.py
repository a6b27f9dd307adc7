"""Opening the registry, and the two ways to speak with it: `reading` and `writing`.

A writer holds one lock from its first statement to its commit (SQLite: BEGIN IMMEDIATE; PostgreSQL: a transaction
advisory lock), so that events, version numbers and aliases form one order. The chain of served answers has a lock of
its own; on SQLite, whose file has one lock, it is the same.
Writers wait for each other, readers for nobody.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection, Engine
from sqlmodel import Session

from registry import address, artifacts, fence, roles, sqlite, trouble
from registry.errors import RegistryError, RegistryUnreachable
from registry.fence import Lease

LOCK = 0x4153534159  # "ASSAY": the advisory lock of every writer of events
ADDED = "added"  # what a session keeps the kinds of its events under
DECISIONS_LOCK = LOCK + 1  # of who writes served answers
WAIT_SECONDS = 60  # how long a writer waits for the others before it gives up
CLOCKS = {  # the database's clock, as the registry writes times
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'",
    "postgresql": "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}
MIGRATIONS = Path(__file__).parent / "migrations"


class Watch:
    """Who is asked before each write and told after it. This one says nothing; registry/watching.py looks."""

    def before(self, registry: Registry) -> None:
        """Raises RegistryError where nothing may be written."""

    def after(self, registry: Registry, kinds: Sequence[str]) -> None:
        """Events of these kinds were committed."""


@dataclasses.dataclass(frozen=True)
class Registry:
    """An open registry. Another process opens its own by the same addresses.

    log     where checkpoints are kept outside the database
    key     the file of the installation's key, None where there is none to sign with
    leases  those under which it is written: each write is refused once one of them is another's (registry/leases.py)
    """

    engine: Engine
    store: artifacts.Store
    place: str
    log: artifacts.Store | None = None
    key: Path | None = None
    watch: Watch = dataclasses.field(default_factory=Watch)
    leases: tuple[Lease, ...] = ()


def connect(database_url: str, artifacts_url: str) -> Registry:
    """Open the database and the store, and bring the tables up to date."""
    where = address.read(database_url)
    registry = Registry(engine=_engine(where), store=artifacts.open_store(artifacts_url), place=where.place)
    with translated(registry.place):
        _migrate(registry.engine)
    return registry


@dataclasses.dataclass(frozen=True)
class Migrated:
    """The revision of the tables before and after, and what became of the roles of PostgreSQL."""

    before: str | None
    after: str | None
    roles: roles.Settled


def migrate(database_url: str) -> Migrated:
    """Bring the tables up to date, and give the roles that are there their rights, also where the tables are.

    Raises RegistryUnreachable, RegistryError where this user may not, or the database is newer than this program.
    """
    where = address.read(database_url)
    engine = _engine(where)
    try:
        with translated(where.place):
            before = _revision(engine)
            settled = _migrate(engine, always=True)
            return Migrated(before, _revision(engine), settled)
    finally:
        engine.dispose()


def unbound(registry: Registry) -> str:
    """Why the database's guards do not bind this connection, with the cure; empty where they do."""
    with reading(registry) as session:
        return roles.unbound(session.connection())


def close(registry: Registry) -> None:
    """Give the connections back."""
    registry.engine.dispose()


@contextlib.contextmanager
def reading(registry: Registry) -> Iterator[Session]:
    """A session that sees one consistent state and changes nothing."""
    with translated(registry.place), registry.engine.connect() as connection, Session(connection) as session:
        yield session


@contextlib.contextmanager
def writing(registry: Registry, lock: int = LOCK) -> Iterator[Session]:
    """A session that is alone in writing under its lock. Everything in it is committed together, or nothing is.

    Raises RestoredBackup where the database is behind its checkpoints, Conflict where another took a lease under which
    this registry is written.
    """
    registry.watch.before(registry)
    with unwatched(registry, lock) as session:
        yield session
    if added := session.info.get(ADDED):
        registry.watch.after(registry, added)


@contextlib.contextmanager
def unwatched(registry: Registry, lock: int = LOCK) -> Iterator[Session]:
    """The same for those who watch."""
    with translated(registry.place), _locked(registry.engine, lock) as connection, Session(connection) as session:
        for lease in registry.leases:
            fence.check(connection, lease)
        yield session
        session.flush()


def now(session: Session) -> str:
    """The database's clock, as fixed-width UTC text."""
    return clock(session.connection())


def clock(connection: Connection) -> str:
    """The database's clock on one connection: machines may disagree about the time, the database is asked."""
    found: str = connection.exec_driver_sql(f"SELECT {CLOCKS[connection.dialect.name]}").scalar_one()
    return found


@contextlib.contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the SQL library's errors into the registry's, without the password and without the statement."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, ssl.SSLError, TimeoutError, ConnectionError) as error:
        raise trouble.told(place, error) from error


def _engine(where: address.Address) -> Engine:
    url = where.url
    if url.drivername.startswith("postgresql"):
        arguments = {**where.arguments, "timeout": where.connect_seconds}
        engine = sqlalchemy.create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_timeout=WAIT_SECONDS)
        sqlalchemy.event.listen(engine, "connect", _be_patient)
        return engine
    folder = Path(str(url.database)).expanduser().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegistryUnreachable(
            f"the folder {str(folder)!r} of the registry's database cannot be made ({error.strerror}); "
            "point ASSAY_HOME or ASSAY_DATABASE_URL to a place that can be written"
        ) from error
    file = Path(str(url.database)).expanduser()
    engine = sqlalchemy.create_engine(
        url, creator=lambda: sqlite.connect(file, WAIT_SECONDS), pool_timeout=WAIT_SECONDS
    )
    sqlalchemy.event.listen(engine, "begin", _on_begin)
    return engine


def _be_patient(connection: Any, _: Any) -> None:
    # The driver has one time limit. Once connected it holds for every answer, so it must outlast another writer's lock.
    connection._usock.settimeout(2 * WAIT_SECONDS)


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("assay_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _locked(engine: Engine, lock: int = LOCK) -> Iterator[Connection]:
    with engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
        yield connection


def _migrate(engine: Engine, always: bool = False) -> roles.Settled:
    """Migrate and settle the roles where the tables are behind; `always` settles them in any case."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    found, head = _revision(engine), scripts.get_current_head()
    if found == head and not always:
        return roles.Settled("", (), ())
    with _locked(engine) as connection:
        if not roles.may_migrate(connection):
            raise RegistryError(
                f"the registry's tables are of revision {found}, this Assay asks for {head}, and the database's user "
                f"may not migrate; run ./assay migrate with an ASSAY_DATABASE_URL that names {roles.OWNER}"
            )
        _upgrade(config, connection, {script.revision for script in scripts.walk_revisions()})
        return roles.settle(connection)


def _upgrade(config: Any, connection: Connection, known: set[str]) -> None:
    from alembic import command
    from alembic.migration import MigrationContext

    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        raise RegistryError(
            f"the registry's tables are of revision {found!r}, which this Assay does not know; "
            "use the newer Assay that made them"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(engine: Engine) -> str | None:
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
