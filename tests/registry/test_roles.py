"""Two roles on a real PostgreSQL: who adds rows cannot pass the guards, and who owns them is told."""

from __future__ import annotations

import io
import json
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from flows import doctor, documents, migrate, verify
from infra.settings import Settings
from registry import roles, tables
from tests.registry.forger import Forger

PASSWORD = uuid.uuid4().hex
FORGED = '7\tsentiment\t2\tk\td\tm\tr\t{"verdict":"accepted"}\t2026-01-01T00:00:00.000000Z\n'


@dataclass(frozen=True)
class Cluster:
    """A database whose tables `assay_owner` made: its address for each user."""

    server: str
    name: str

    def url(self, user: str = "") -> str:
        if not user:
            return self.server.removesuffix("/postgres") + f"/{self.name}"
        return f"postgresql://{user}:{PASSWORD}@{self.server.split('@')[1].removesuffix('/postgres')}/{self.name}"

    def run(self, *statements: str, user: str = "") -> None:
        engine = sqlalchemy.create_engine(self.url(user).replace("postgresql:", "postgresql+pg8000:"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def book(self, user: str, folder: Path) -> reg.Registry:
        return reg.open_registry(self.url(user), f"file://{folder / 'artifacts'}")


@pytest.fixture(scope="module")
def cluster(postgresql: str) -> Iterator[Cluster]:
    """Roles as docs/registry.md makes them; they belong to the whole server, so they go again."""
    found = Cluster(postgresql, f"roles_{uuid.uuid4().hex}")
    admin = Cluster(postgresql, "postgres")
    every = (roles.OWNER, roles.APP, roles.SERVE)
    admin.run(*(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'" for role in every))
    admin.run(f"CREATE DATABASE {found.name} OWNER {roles.OWNER}")
    yield found
    admin.run(f"DROP DATABASE {found.name} WITH (FORCE)")
    admin.run(*(f"DROP OWNED BY {role}" for role in every), *(f"DROP ROLE {role}" for role in every))


@pytest.fixture(scope="module")
def home(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[reg.Registry]:
    """What the application does all day, done as `assay_app`: risk@1 answers, risk@2 was refused, risk@3 waits."""
    folder = tmp_path_factory.mktemp("roles")
    with pytest.raises(reg.RegistryError, match=r"run ./assay migrate with an ASSAY_DATABASE_URL that names assay_own"):
        cluster.book(roles.APP, folder)
    done = reg.migrate(cluster.url(roles.OWNER))
    assert (done.before, done.roles) == (None, roles.Settled(roles.OWNER, (roles.APP, roles.OWNER, roles.SERVE), ()))
    book = cluster.book(roles.APP, folder)
    (folder / "model").mkdir()
    (folder / "report").mkdir()
    for number, verdict in ((1, "accepted"), (2, "refused"), (3, "accepted")):
        for part in ("model", "report"):
            (folder / part / "head.json").write_text(json.dumps([part, number]), encoding="utf-8")
        facts = {"verdict": verdict, "reasons": []}
        reg.register(book, "risk", folder / "model", folder / "report", facts, f"k{number}", lambda *_: ())
    reg.approve(book, "risk@1", "Ann", "the lift holds")
    reg.promote(book, "risk@1")
    reg.start_run(book, "r1", "retrain")
    reg.finish_run(book, "r1", "completed")
    reg.take_lease(book, "retrain", "a", 600)
    reg.take_lease(book, "retrain", "a", 600)
    reg.new_api_key(book, reg.Grant("bank", "viewer"), "Ann")
    yield book
    reg.close(book)


BYPASSES: dict[str, tuple[str, ...]] = {
    "a row is changed": ("UPDATE version SET facts = '{}'",),
    "a row is deleted": ("DELETE FROM verdict",),
    "a table is emptied": ("TRUNCATE event CASCADE",),
    "a row is changed by a conflict": (
        "INSERT INTO event SELECT * FROM event ON CONFLICT (seq) DO UPDATE SET payload = '{}'",
    ),
    "a guard is dropped": ("DROP TRIGGER version_guard ON version",),
    "guards are switched off": ("ALTER TABLE event DISABLE TRIGGER ALL",),
    "a guard of one's own comes before": (
        "CREATE TRIGGER a_first BEFORE INSERT ON verdict FOR EACH ROW EXECUTE FUNCTION assay_chain()",
    ),
    "the session is a replica, whose triggers sleep": ("SET session_replication_role = replica",),
    "the role sets that for its next session": ("ALTER ROLE assay_app SET session_replication_role = replica",),
    "the session becomes the owner": ("SET ROLE assay_owner",),
    "the session begins as the owner": ("SET SESSION AUTHORIZATION assay_owner",),
    "the role makes itself a superuser": ("ALTER ROLE assay_app SUPERUSER",),
    "the role joins the owner": ("GRANT assay_owner TO assay_app",),
    "the role gives itself a right": ("GRANT UPDATE ON version TO assay_app", "UPDATE version SET facts = '{}'"),
    "a guard gets another body": (
        "CREATE OR REPLACE FUNCTION assay_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
    ),
    "a guard reads names elsewhere": ("ALTER FUNCTION assay_event_guard() RESET search_path",),
    "a function of the owner's rights": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM event'",
    ),
    "a schema of one's own shadows the tables": ("CREATE SCHEMA mine",),
    "a temporary table shadows the versions": ("CREATE TEMP TABLE version AS SELECT * FROM version",),
    "a rule in the place of a row": ("CREATE RULE r AS ON INSERT TO verdict DO INSTEAD NOTHING",),
    "a view in the place of a table": ("CREATE OR REPLACE VIEW version AS SELECT 1",),
    "a table is dropped": ("DROP TABLE verdict",),
    "a table gets another name": ("ALTER TABLE verdict RENAME TO other",),
    "a table gets another owner": ("ALTER TABLE event OWNER TO assay_app",),
    "row security is switched off": ("ALTER TABLE event DISABLE ROW LEVEL SECURITY",),
    "a file of the server is read in": ("COPY event FROM '/etc/passwd'",),
    "a program of the server is run": ("COPY event FROM PROGRAM 'id'",),
    "a block of code deletes": ("DO $$BEGIN DELETE FROM decision; END$$",),
    "the revision is set back": ("UPDATE alembic_version SET version_num = '0001'",),
    "a lease gets another name": ("UPDATE lease SET name = 'mine'",),
    "a lease is deleted": ("DELETE FROM lease",),
    "everybody else is kept out": ("LOCK TABLE event IN ACCESS EXCLUSIVE MODE",),
}


def _held(book: reg.Registry) -> dict[str, list[str]]:
    with book.engine.connect() as connection:
        names = [*tables.APPEND_ONLY, "lease", "alembic_version"]
        return {name: sorted(map(str, connection.exec_driver_sql(f'SELECT * FROM "{name}"'))) for name in names}


def _let_in(book: reg.Registry, attacks: dict[str, Callable[[Any], object]]) -> list[str]:
    """The attacks that came to a commit."""
    found = []
    for name, attack in attacks.items():
        try:
            with book.engine.connect() as connection, connection.begin():
                attack(connection)
        except sqlalchemy.exc.DBAPIError:
            book.engine.dispose()  # a session that was set up in some way is nobody else's
            continue
        found.append(name)
    return found


def _statements(*texts: str) -> Callable[[Any], object]:
    return lambda connection: [connection.exec_driver_sql(text) for text in texts]


def test_whoever_connects_as_the_application_passes_no_guard(home: reg.Registry) -> None:
    before = _held(home)
    assert _let_in(home, {name: _statements(*texts) for name, texts in BYPASSES.items()}) == []
    assert _held(home) == before
    assert reg.verify(home)["ok"]


def _copied(connection: Any) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.execute("COPY version FROM STDIN", stream=io.BytesIO(FORGED.encode()))
    except Exception as error:
        raise sqlalchemy.exc.DBAPIError("COPY", None, error) from error


def test_a_guard_reads_our_tables_whatever_a_session_calls_by_their_names(cluster: Cluster, home: reg.Registry) -> None:
    """With a temporary table of versions that were all accepted, risk@2 was approved: PostgreSQL looks there first."""
    forged = (
        "CREATE TEMP TABLE version AS SELECT * FROM public.version",
        'UPDATE pg_temp.version SET facts = \'{"verdict":"accepted"}\'',
        "SET search_path = pg_temp, public",
    )

    def shadowed(connection: Any) -> None:
        _statements(*forged)(connection)
        Forger(home, connection).verdict("risk@2")

    cluster.run(f"GRANT TEMPORARY ON DATABASE {cluster.name} TO {roles.APP}")
    try:
        assert _let_in(home, {"shadowed": shadowed, "copied": _copied}) == []
        with home.engine.connect() as connection:  # the same without a verdict: what is refused is the verdict
            _statements(*forged)(connection)
    finally:
        cluster.run(f"REVOKE TEMPORARY ON DATABASE {cluster.name} FROM {roles.APP}")
        home.engine.dispose()
    assert reg.verify(home)["ok"]


def test_a_service_adds_what_it_decides_and_nothing_else(cluster: Cluster, home: reg.Registry, tmp_path: Path) -> None:
    book = cluster.book(roles.SERVE, tmp_path)
    version = reg.show(home, "risk@1")
    assert reg.release(book, ["risk@1"], "serving").number == 1
    reg.loaded(book, "risk@1", "serving", {})
    said = {"task": "risk", "version": "risk@1", "digest": version.digest, "tenant": "bank"}
    reg.log_decisions(book, [{**said, "id": "d1"}])
    reg.anchor_decisions(book)
    assert [row["id"] for row in reg.decisions(book)] == ["d1"]
    assert [key.tenant for key in reg.api_keys(book).keys.values()] == ["bank"]
    reg.fall_silent(book, by="serving")
    before = _held(home)
    attacks = {
        "approves": lambda c: Forger(home, c).verdict("risk@3"),
        "says that it was approved": lambda c: Forger(home, c).event("approved", "risk@3", {}),
        "registers": lambda c: Forger(home, c).registered(),
        "issues a key": lambda c: Forger(home, c).key(),
        "begins a run": _statements("INSERT INTO run VALUES (1, 'x', 'x', '{}', 'x')"),
        "takes a lease": _statements("UPDATE lease SET holder = 'eve', token = token + 1"),
        "moves another alias": lambda c: Forger(home, c).alias("risk@1", "shadow"),
        "changes an answer": _statements("UPDATE decision SET body = '{}'"),
        "is the application": _statements("SET ROLE assay_app"),
    }
    assert _let_in(book, attacks) == []
    assert _held(home) == before
    with pytest.raises(reg.RegistryError, match=r"row-level security policy .*; ./assay migrate gives its user"):
        reg.reject(book, "risk@3", "Ann", "fine")
    with book.engine.connect() as connection, connection.begin():  # the same rows rightly written are let in
        Forger(home, connection).alias("risk@1")
    assert reg.expire(book, by="serving") == []
    assert reg.verify(home)["ok"]
    reg.close(book)


def test_whoever_may_pass_the_guards_is_told_in_one_line(cluster: Cluster, home: reg.Registry, tmp_path: Path) -> None:
    assert reg.unbound(home) == ""
    told = {}
    for user in (roles.SERVE, roles.OWNER, ""):
        book = cluster.book(user, tmp_path)
        told[user] = reg.unbound(book)
        reg.close(book)
    assert told[roles.SERVE] == ""
    assert told[roles.OWNER].startswith("the database's user 'assay_owner' owns the tables")
    assert told[""].startswith("the database's user 'assay' is a superuser")
    assert all("\n" not in text and roles.APP in text for text in (told[roles.OWNER], told[""]))


def test_the_commands_say_it_too(
    cluster: Cluster, home: reg.Registry, monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_DATABASE_URL", cluster.url(roles.OWNER))
    assert migrate.migrate(Namespace(json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["as"], told["missing"], told["before"]) == (roles.OWNER, [], told["after"])
    row = doctor._row("database", doctor._database, Settings())
    assert not row["ok"] and row["found"].startswith("The database's user 'assay_owner' owns the tables")
    book = documents.book()
    assert any("owns the tables" in note for note in verify.verified(book, None)["notes"])
    reg.close(book)
    assert "notes" not in verify.verified(home, None)
    monkeypatch.setenv("ASSAY_DATABASE_URL", cluster.url(roles.APP))
    assert doctor._row("database", doctor._database, Settings())["found"] == "its guards bind us"
    with pytest.raises(reg.RegistryError, match=r"may not migrate; run ./assay migrate with an ASSAY_DATABASE_URL"):
        migrate.migrate(Namespace(json=True))


def test_a_superuser_hands_its_tables_over_and_the_rest_goes_on(
    postgresql: str, tmp_path: Path, cluster: Cluster
) -> None:
    """A home from before there were roles."""
    old = Cluster(postgresql, f"old_{uuid.uuid4().hex}")
    Cluster(postgresql, "postgres").run(f"CREATE DATABASE {old.name}")
    book = old.book("", tmp_path)
    reg.start_run(book, "r1", "retrain")
    reg.close(book)
    done = reg.migrate(old.url())
    assert (done.before, done.roles.missing) == (done.after, ())
    reg.migrate(old.url(roles.OWNER))
    book = old.book(roles.APP, tmp_path)
    reg.finish_run(book, "r1", "completed")
    assert (reg.unbound(book), reg.verify(book)["ok"]) == ("", True)
    reg.close(book)
    Cluster(postgresql, "postgres").run(f"DROP DATABASE {old.name} WITH (FORCE)")
