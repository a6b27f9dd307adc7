"""Keys: Ed25519 (RFC 8032) over canonical JSON. A private key is a file of its owner's and is never sent.

A file is PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it, and is found by its public key, so that it
may bear any name that ends in .pem. A public key is told as 64 hexadecimal digits, a signature as 128.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.digest import canonical
from registry.errors import NotAllowed, RegistryError

HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Key:
    """A private key and the file that holds it, None while it is in no file."""

    private: Ed25519PrivateKey
    path: Path | None = None

    @property
    def public(self) -> str:
        """The public key, as 64 hexadecimal digits."""
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def pem(self) -> bytes:
        """The key as its file holds it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, document: Mapping[str, Any]) -> str:
        """The signature over a document's canonical JSON in UTF-8, as 128 hexadecimal digits."""
        return self.private.sign(canonical(document).encode()).hex()


@dataclass(frozen=True)
class Signer:
    """A person who decides, with the key at hand."""

    name: str
    key: Key

    def sign(self, document: Mapping[str, Any]) -> str:
        """The signature of the own key over a document."""
        return self.key.sign(document)


def holds(public: str, document: Mapping[str, Any], signature: str | None) -> bool:
    """Whether a signature over a document was made by the owner of a public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature or ""), canonical(document).encode())
    except (InvalidSignature, ValueError, TypeError):  # also what is no key, no signature or no text
        return False
    return True


def new_key() -> Key:
    """A key that nobody has yet; it lies in no file."""
    return Key(Ed25519PrivateKey.generate())


def keep_key(folder: Path, name: str, key: Key) -> Key:
    """Write a key into a file of its own, readable by its owner alone, in one step. Raises RegistryError."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "person"
    path = folder / f"{slug}-{key.public[:8]}.pem"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RegistryError(
            f"the key cannot be written to {str(path)!r} ({error.strerror}); free that place"
        ) from error
    return Key(key.private, path)


def keep_once(path: Path, content: bytes) -> None:
    """Give a file its content in one step, readable by its owner alone. Of two processes at once, one does; OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        Path(scratch).unlink()


def held_keys(folder: Path) -> dict[str, Key]:
    """The keys in a folder, by their public keys.

    Raises NotAllowed for a file that others may read, RegistryError for one that holds no Ed25519 key.
    """
    found = [read_key(path) for path in sorted(folder.glob("*.pem"))]
    return {key.public: key for key in found}


def public_of(path: Path) -> str:
    """The public key in a PEM file, as `openssl pkey -pubout` writes it. Raises RegistryError for anything else."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise RegistryError(f"{str(path)!r} holds no public key ({_said(error)}); give the PEM of its owner") from error
    if not isinstance(key, Ed25519PublicKey):
        raise RegistryError(f"{str(path)!r} holds another kind of key; make one by openssl genpkey -algorithm ed25519")
    return key.public_bytes_raw().hex()


def read_key(path: Path) -> Key:
    """The key in a file. Raises NotAllowed for one that others may read, RegistryError for what is no Ed25519 key."""
    try:
        if path.stat().st_mode & 0o077:
            raise NotAllowed(f"others may read the key {str(path)!r}; chmod 600 it, and rotate it if they did")
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a password
        raise RegistryError(f"the key {str(path)!r} cannot be read ({_said(error)}); mend or move it away") from error
    except ValueError as error:
        if isinstance(error, NotAllowed):
            raise
        raise RegistryError(f"{str(path)!r} is no private key in PEM; mend it or move it away") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError(f"{str(path)!r} is another kind of key; Assay signs with Ed25519: move it away")
    return Key(key, path)


def _said(error: Exception) -> str:
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
