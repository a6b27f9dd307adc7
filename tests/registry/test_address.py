"""Addresses of a database as clouds hand them out: TLS, a time limit, and no piece of a password in any sentence."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

import registry as reg
from registry import address
from tests import tls


@pytest.fixture
def front(postgresql: str, tmp_path: Path) -> Iterator[tls.Front]:
    port = sqlalchemy.make_url(postgresql).port
    assert port is not None
    with tls.front(port, tmp_path) as made:
        yield made


def through(front: tls.Front, postgresql: str, query: str) -> str:
    url = sqlalchemy.make_url(postgresql).set(port=front.port).render_as_string(hide_password=False)
    return f"{url}?{query}"


@pytest.mark.parametrize(
    "query", ["sslmode=require", "sslmode=prefer", "sslmode=allow", "", "sslmode=require&connect_timeout=5"]
)
def test_an_address_of_a_cloud_comes_to_tls(front: tls.Front, postgresql: str, artifacts_url: str, query: str) -> None:
    reg.close(reg.open_registry(through(front, postgresql, query), artifacts_url))
    assert front.encrypted and set(front.encrypted) <= {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full", "require"])
def test_a_server_is_checked_against_the_ca_of_the_address(
    front: tls.Front, postgresql: str, artifacts_url: str, mode: str
) -> None:
    query = f"sslmode={mode}&sslrootcert={front.certificate}"
    reg.close(reg.open_registry(through(front, postgresql, query), artifacts_url))
    assert front.encrypted


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_no_password(
    front: tls.Front, postgresql: str, artifacts_url: str, mode: str
) -> None:
    with pytest.raises(reg.RegistryUnreachable, match=r"did not come to TLS .*sslrootcert"):
        reg.open_registry(through(front, postgresql, f"sslmode={mode}"), artifacts_url)
    assert not front.encrypted


def test_a_server_without_tls_is_refused_where_it_is_asked_for(postgresql: str, artifacts_url: str) -> None:
    with pytest.raises(reg.RegistryUnreachable, match=r"has no TLS .*sslmode=prefer"):
        reg.open_registry(f"{postgresql}?sslmode=require", artifacts_url)


@pytest.mark.parametrize("query", ["sslmode=disable", "sslmode=prefer", "application_name=desk", "sslmode="])
def test_a_server_without_tls_is_taken_where_it_is_not_asked_for(
    postgresql: str, artifacts_url: str, query: str
) -> None:
    reg.close(reg.open_registry(f"{postgresql}?{query}", artifacts_url))


def test_user_and_password_may_stand_behind_the_question_mark(postgresql: str, artifacts_url: str) -> None:
    url = sqlalchemy.make_url(postgresql)
    spelt = f"postgres:///?host={url.host}&port={url.port}&dbname={url.database}&user={url.username}&password={url.password}"
    book = reg.open_registry(spelt, artifacts_url)
    assert str(url.password) not in book.place
    reg.close(book)


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time(artifacts_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=1"
        began = time.monotonic()
        with pytest.raises(reg.RegistryUnreachable, match="does not answer") as caught:
            reg.open_registry(url, artifacts_url)
        assert time.monotonic() - began < 30
        assert "s3cret" not in str(caught.value)


def test_the_limit_on_connecting_is_none_on_an_answer(postgresql: str, artifacts_url: str) -> None:
    book = reg.open_registry(f"{postgresql}?connect_timeout=1", artifacts_url)
    with book.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(1.5)").scalar_one() == 7
    reg.close(book)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("sslmode=on", "sslmode=on of the database address is none of disable, allow"),
        ("target_session_attrs=any", "target_session_attrs of the database address are not known"),
        ("sslrootcert=/nowhere/ca.pem&sslmode=verify-full", "cannot be read .*/nowhere/ca.pem"),
        ("sslcert=/nowhere/me.pem&sslmode=require", "cannot be read .*/nowhere/me.pem"),
        ("connect_timeout=soon", "connect_timeout=soon .* no whole number of seconds"),
    ],
)
def test_what_an_address_asks_and_cannot_have_is_named(query: str, sentence: str) -> None:
    with pytest.raises(reg.RegistryError, match=sentence) as caught:
        address.read(f"postgresql://u:s3cret@h/d?{query}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("piece", ["@", "/", "#", "?", "%", " ", ":", "@:", "/@", "[", "%zz", ":5432/"])
def test_no_piece_of_a_password_is_told_however_it_breaks_the_address(piece: str) -> None:
    secret = f"alpha{piece}omega"
    for url in (
        f"postgresql://u:{secret}@h:5/d",
        f"postgres://u:{secret}@h",
        f"postgresql://u:{secret}@",
        f"mysql://u:{secret}@h/d",
    ):
        try:
            told = address.read(url).place
        except reg.RegistryError as error:
            told = str(error)
            assert "in a password write @ as %40" in told or "postgresql://user:password@host" in told
        assert "alpha" not in told and "omega" not in told


def test_a_quoted_password_is_read_as_it_is_meant() -> None:
    url = address.read("postgresql://u%40corp:a%40b%2Fc%3A%25@[::1]:5433/d%20e").url
    assert (url.username, url.password, url.host, url.port, url.database) == ("u@corp", "a@b/c:%", "::1", 5433, "d e")


def test_a_folder_as_host_is_a_unix_socket() -> None:
    where = address.read("postgresql:///d?host=/var/run/postgresql&user=u")
    assert where.arguments["unix_sock"] == "/var/run/postgresql/.s.PGSQL.5432"
