"""Who may write to the database, computes every digest rightly and knows the functions of our own connections."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy

import registry as reg
from registry import chain, database, events, persons, statements, tables, verdicts
from registry.digest import canonical, of_text

Values = dict[str, Any]
LATER = "2999-01-01T00:00:00.000000Z"


class Forger:
    """Writes rows by SQL alone, in one transaction that must not come to its end."""

    def __init__(self, registry: reg.Registry, connection: sqlalchemy.Connection) -> None:
        self.registry, self.connection = registry, connection

    def run(self, statement: str, **values: Any) -> None:
        self.connection.execute(sqlalchemy.text(statement), values)

    def row(self, table: str, **values: Any) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        self.run(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values)

    def one(self, query: str) -> Any:
        return self.connection.execute(sqlalchemy.text(query)).one()

    def version(self, ref: str) -> Any:
        return self.one(f"SELECT seq, digest, model_digest, report_digest FROM version WHERE number = {ref[-1]}")

    def event(self, kind: str, subject: str, payload: Values, **other: Any) -> tables.Event:
        """The next event of the chain, with its right digest unless `other` says what else is to be written."""
        last = self.last()
        time = other.get("time", database.clock(self.connection))
        event = tables.Event(
            seq=last.seq + 1,
            time=time,
            kind=kind,
            subject=subject,
            payload=canonical(payload),
            previous=other.get("previous", last.digest),
            digest="",
        )
        event.digest = other.get("digest") or events.digest_of(event)
        self.row("event", **event.model_dump())
        return event

    def verdict(self, ref: str, approved: bool = True, by: str = "Ann", kind: str = "", **other: Any) -> None:
        version = self.version(ref)
        said = {"by": by, "reason": "fine", "automatic": False}
        kind = kind or ("approved" if approved else "rejected")
        event = self.event(kind, ref, {**said, "digest": version.digest})
        row = {"seq": event.seq, "version_seq": version.seq, "approved": approved, **said, "time": event.time}
        self.row("verdict", **{**row, **other})

    def signed(self, ref: str, signer: reg.Signer, by: str = "", **other: Any) -> None:
        """A verdict with the signature of whoever signs, in any name and role."""
        version = tables.VersionRow(**self.one(f"SELECT * FROM version WHERE number = {ref[-1]}")._mapping)
        said = {"by": by or signer.name, "reason": "fine", "automatic": False, "role": "validator", **other}
        row = tables.VerdictRow(
            **{"seq": self.last().seq + 1, "version_seq": version.seq, "approved": True, "time": "", **said}
        )
        if not row.signature:
            row.signature = signer.sign(verdicts.document(row, version, not row.approved, self.last().digest))
        statement = statements.of_verdict(row, version)
        event = self.event(statement.kind, statement.subject, statement.payload)
        self.row("verdict", **{**row.model_dump(), "seq": event.seq, "time": event.time})

    def person(self, change: str, name: str, key: str, owner: reg.Signer, **other: Any) -> None:
        """An entry of a person, signed by whoever signs, in any name."""
        said = {"roles": '["validator"]', "signer": owner.name, **other}
        row = tables.PersonRow(
            seq=self.last().seq + 1, name=name, change=change, key=key, signature="", time="", **said
        )
        row.signature = owner.sign(persons.document(row, self.last().digest))
        statement = statements.of_person(row)
        event = self.event(statement.kind, statement.subject, statement.payload)
        self.row("person", **{**row.model_dump(), "seq": event.seq, "time": event.time})

    def again(self, table: str, where: str) -> None:
        """A signed row once more at the end, on an event that names the same one before it as the first did."""
        old = self.one(f"SELECT * FROM {table} WHERE {where} ORDER BY seq LIMIT 1")._mapping
        event = self.one(f"SELECT * FROM event WHERE seq = {old['seq']}")
        anew = self.event(event.kind, event.subject, json.loads(event.payload), previous=event.previous)
        self.row(table, **{**old, "seq": anew.seq, "time": anew.time})

    def last(self) -> Any:
        return self.one("SELECT seq, digest FROM event ORDER BY seq DESC LIMIT 1")

    def alias(self, ref: str, name: str = "champion", **other: Any) -> None:
        version = self.version(ref)
        below = self.one(f"SELECT coalesce(max(seq), 0) FROM alias WHERE task = 'risk' AND alias = '{name}'")[0]
        said = {"move": "promote", "version": ref, "digest": version.digest, "below": other.get("below", below)}
        event = self.event("alias", f"risk@{name}", said)
        row = {"task": "risk", "alias": name, "version_seq": version.seq, "move": "promote", "below": below}
        self.row("alias", **{"seq": event.seq, **row, "time": event.time, **other})

    def registered(self, number: int = 4, facts: str = '{"verdict":"accepted"}', **other: Any) -> None:
        known = self.version("risk@1")
        row = {"task": "risk", "number": number, "key": "forged", "model_digest": known.model_digest}
        row = {**row, "report_digest": known.report_digest, "digest": known.digest, **other}
        event = self.event("registered", f"risk@{number}", {**row, "facts": of_text(facts)})
        self.row("version", **row, seq=event.seq, time=event.time, facts=facts)

    def release(self, ref: str, digest: str = "", **other: Any) -> None:
        versions = canonical({"risk": {"version": ref, "digest": digest or self.version(ref).digest}})
        said = {"by": "serving", "digest": of_text(versions)}
        event = self.event("released", "release 2", {**said, "versions": {}})
        self.row(
            "release", **{"seq": event.seq, "number": 2, "versions": versions, **said, "time": event.time, **other}
        )

    def step(self, ref: str, step: str, facts: str = "{}") -> None:
        version = self.version(ref)
        event = self.event("release_step", ref, {"step": step, "by": "serving", "digest": version.digest, "facts": {}})
        row = {"task": "risk", "version_seq": version.seq, "step": step, "by": "serving", "facts": facts}
        self.row("release_step", seq=event.seq, **row, time=event.time)

    def decision(self, ref: str, digest: str = "", **other: Any) -> None:
        """A batch of one answer after the last one."""
        last = self.one("SELECT number, link FROM decision_batch ORDER BY number DESC LIMIT 1")
        digest = digest or self.version(ref).digest
        body = canonical({"id": "dz", "task": "risk", "version": ref, "digest": digest, "request": None})
        batch = tables.BatchRow(
            number=last.number + 1,
            time=other.pop("time", database.clock(self.connection)),
            count=1,
            digest=of_text(canonical([of_text(body)])),
            previous=last.link,
            link="",
        )
        batch.link = other.pop("link", "") or chain.link_of(batch)
        self.row("decision_batch", **batch.model_dump())
        row = {"id": "dz", "seq": 0, "place": 0, "task": "risk", "version": int(ref.partition("@")[2])}
        self.row("decision", **{**row, "digest": digest, "body": body, "batch": batch.number, **other})

    def key(self, **other: Any) -> None:
        said = {"hash": "ab" * 32, "tenant": "bank", "role": "viewer", "expires": LATER, "by": "Ann"}
        event = self.event("api_key_issued", "key forged", {**said, "scopes": []})
        row = {"seq": event.seq, "name": "forged", **said, "scopes": "[]", "revoked": False, "time": event.time}
        self.row("api_key", **{**row, **other})

    def feedback(self, **other: Any) -> None:
        said = {"decision": "d1", "tenant": "bank", "version": "risk@1", "kind": "label", "known": LATER, "by": "k"}
        said |= {"identity": "i", "month": "2026-11"}
        empty = {"loss": None, "replaces": None, "request": None}
        event = self.event("feedback", "task risk", {**said, **empty, "sealed": of_text("x")})
        row = {"seq": event.seq, "task": "risk", **said, **empty, "sealed": "x", "time": event.time}
        self.row("feedback", **{**row, **other})

    def review(self, **other: Any) -> None:
        said = {"decision": "d1", "tenant": "bank", "outcome": "dismissed", "by": "k", "identity": "i", "month": "m"}
        event = self.event("review", "task risk", {**said, "feedback": None, "sealed": of_text("x")})
        row = {"seq": event.seq, "task": "risk", **said, "feedback": None, "sealed": "x", "time": event.time}
        self.row("review", **{**row, **other})
