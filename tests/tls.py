"""A TLS front before a PostgreSQL that was built without it: the handshake is real, and so is the server behind."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SSL_REQUEST = (80877103).to_bytes(4, "big")


@dataclass(frozen=True)
class Front:
    """Where the front listens, its self-signed certificate for 127.0.0.1, and how many connections were encrypted."""

    port: int
    certificate: Path
    encrypted: list[str]


@contextlib.contextmanager
def front(port: int, folder: Path) -> Iterator[Front]:
    """Encrypt what comes before the server on `port`, while the block lasts."""
    certificate, key = _self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Front(listener.getsockname()[1], certificate, [])

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=_one, args=(client, context, port, made.encrypted), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def _one(client: socket.socket, context: ssl.SSLContext, port: int, encrypted: list[str]) -> None:
    with contextlib.suppress(OSError):
        if client.recv(8, socket.MSG_WAITALL)[4:] != SSL_REQUEST:
            client.close()  # this server takes nothing in clear
            return
        client.sendall(b"S")
        inside = context.wrap_socket(client, server_side=True)
        encrypted.append(str(inside.version()))
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_pipe, args=(server, inside), daemon=True).start()
        _pipe(inside, server)


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own server")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    built = built.add_extension(address, critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, secret = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret
