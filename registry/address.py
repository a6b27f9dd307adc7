"""The address of a database, as libpq and the cloud vendors write it: host, TLS and time limit, and no secret told."""

from __future__ import annotations

import dataclasses
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import sqlalchemy
from sqlalchemy.engine import URL, make_url

from registry.errors import RegistryError

CURE = "give sqlite:///file or postgresql://user:password@host:port/name in ASSAY_DATABASE_URL"
QUOTE = "in a password write @ as %40, / as %2F, # as %23, ? as %3F, : as %3A, % as %25, a blank as %20"
POSTGRES = re.compile(r"(?:postgres|postgresql|postgresql\+pg8000)://(?P<rest>.*)", re.DOTALL)
CONNECT_SECONDS = 10
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
PARTS = ("user", "password", "host", "port", "dbname")
KNOWN = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", *PARTS)


@dataclasses.dataclass(frozen=True)
class Address:
    """A database that can be connected to: `arguments` are the driver's own, `connect_seconds` its first patience."""

    url: URL
    arguments: Mapping[str, Any]
    connect_seconds: float = CONNECT_SECONDS

    @property
    def place(self) -> str:
        """The address for a sentence: without the password, without what stands behind the question mark."""
        return self.url.set(query={}).render_as_string(hide_password=True)


def read(database_url: str) -> Address:
    """The address of a SQLite file or a PostgreSQL. Raises RegistryError; no sentence holds a part of a password."""
    matched = POSTGRES.fullmatch(database_url)
    if matched is not None:
        return _postgres(matched["rest"])
    try:
        url = make_url(database_url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise RegistryError(f"the database address cannot be read; {CURE}") from error
    if url.drivername in {"sqlite", "sqlite+pysqlite"} and url.database and url.database != ":memory:":
        return Address(url, {})
    raise RegistryError(f"the registry runs on a SQLite file or PostgreSQL, not on {url.drivername!r}; {CURE}")


def _postgres(rest: str) -> Address:
    told, remainder = _without_user(rest)
    before, _, query = remainder.partition("?")
    authority, _, name = before.partition("/")
    (user, password), (host, port), asked = _user(told), _host(authority), _parameters(query)
    url = URL.create(
        "postgresql+pg8000",
        username=asked.get("user", user),
        password=asked.get("password", password),
        host=asked.get("host", host),
        port=_port(asked["port"]) if "port" in asked else port,
        database=asked.get("dbname", unquote(name)) or None,
    )
    arguments: dict[str, Any] = {"ssl_context": _tls(asked), "application_name": asked.get("application_name", "assay")}
    if url.host is not None and url.host.startswith("/"):
        arguments["unix_sock"] = f"{url.host}/.s.PGSQL.{url.port or 5432}"
        arguments["ssl_context"] = False
        url = url.set(host="localhost")
    return Address(url, arguments, _seconds(asked.get("connect_timeout", "")))


def _without_user(rest: str) -> tuple[str, str]:
    """User and password apart from the rest. A character that only quoted would be one of the password is refused."""
    told, at, remainder = rest.rpartition("@")
    if re.search(r"[@/?#\s\[\]]|%(?![0-9A-Fa-f]{2})", told):
        raise RegistryError(
            "the database address cannot be read, since its user or password holds a character that means something "
            f"else there; {QUOTE}"
        )
    return told if at else "", remainder


def _user(told: str) -> tuple[str | None, str | None]:
    user, colon, password = told.partition(":")
    return unquote(user) or None, unquote(password) if colon else None


def _host(text: str) -> tuple[str | None, int | None]:
    matched = re.fullmatch(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:,\[\]]*)(?::(?P<port>.*))?", text)
    if matched is None:
        raise RegistryError(f"the host of the database address cannot be read, it takes one; {CURE}; {QUOTE}")
    return unquote(matched["host"]).strip("[]") or None, _port(matched["port"]) if matched["port"] else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise RegistryError(f"the port of the database address is no number from 1 to 65535; {CURE}; {QUOTE}")
    return int(text)


def _parameters(query: str) -> dict[str, str]:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(asked) - set(KNOWN))
    if unknown:
        raise RegistryError(
            f"the parameters {', '.join(unknown)} of the database address are not known; leave them out; known are "
            f"{', '.join(KNOWN)}"
        )
    return {key: value for key, value in asked.items() if value}


def _seconds(text: str) -> float:
    if not text:
        return CONNECT_SECONDS
    if not (text.isascii() and text.isdigit() and int(text) < 3600):
        raise RegistryError(f"connect_timeout={text} of the database address is no whole number of seconds, as 10")
    return float(text) or CONNECT_SECONDS


def _tls(asked: Mapping[str, str]) -> ssl.SSLContext | bool | None:
    """What the driver takes: False for none, None for TLS where the server has it, else a context that insists on it.

    As libpq does, `require` with a CA at hand checks it. `verify-*` without sslrootcert asks the system's CAs.
    """
    ca = asked.get("sslrootcert", "")
    mode = asked.get("sslmode") or ("verify-full" if ca == "system" else "prefer")
    if mode not in MODES:
        raise RegistryError(f"sslmode={mode} of the database address is none of {', '.join(MODES)}; take one of them")
    if mode == "disable":
        return False
    certificate = bool(asked.get("sslcert"))
    if mode in {"allow", "prefer"} and not certificate:
        return None
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify-full"
    if not mode.startswith("verify") and (not ca or ca == "system"):
        context.verify_mode = ssl.CERT_NONE
    try:
        if ca and ca != "system":
            context.load_verify_locations(Path(ca).expanduser())
        if certificate:
            key = asked.get("sslkey")
            context.load_cert_chain(Path(asked["sslcert"]).expanduser(), Path(key).expanduser() if key else None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(f"{key}={asked[key]}" for key in ("sslrootcert", "sslcert", "sslkey") if asked.get(key))
        said = error.strerror or type(error).__name__
        raise RegistryError(
            f"a certificate of the database address cannot be read ({files}: {said}); give PEM files that this user "
            "may read, and a key without a password"
        ) from error
    return context
