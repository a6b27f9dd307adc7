"""The key of an installation: Ed25519 over canonical JSON. It signs checkpoints, and what a person accepted as seen.

The file is PKCS #8 in PEM under the home, for its owner alone. A public key is told as 64 hexadecimal digits, a
signature as 128.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.digest import canonical
from registry.errors import RegistryError


@dataclass(frozen=True)
class Seal:
    """The private key of an installation."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public key."""
        return self.private.public_key().public_bytes_raw().hex()

    def sign(self, document: Mapping[str, Any]) -> str:
        """The signature over a document."""
        return self.private.sign(canonical(document).encode()).hex()


def holds(public: str, document: Mapping[str, Any], signature: str) -> bool:
    """Whether a signature over a document was made by the owner of a public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), canonical(document).encode())
    except (InvalidSignature, ValueError, TypeError):  # also what is no key, no signature or no text
        return False
    return True


def read(path: Path) -> Seal | None:
    """The key in a file, None where there is none. Raises RegistryError for a file that others may read, or no key."""
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegistryError(f"the installation's key {str(path)!r} cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise RegistryError(f"others may read the installation's key {str(path)!r}; chmod 600 it")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RegistryError(f"{str(path)!r} is no private key in PEM; bring it back from a copy") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError(f"{str(path)!r} is another kind of key than Ed25519; bring the old one back from a copy")
    return Seal(key)


def make(path: Path) -> Seal:
    """The key in a file, made where there is none. Of two processes at once, one makes it. Raises RegistryError."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(scratch, path)
        finally:
            Path(scratch).unlink()
    except OSError as error:
        raise RegistryError(
            f"the installation's key cannot be written to {str(path)!r} ({error.strerror}); set ASSAY_HOME to a folder "
            "of yours"
        ) from error
    found = read(path)
    if found is None:
        raise RegistryError(f"the installation's key {str(path)!r} was taken away while it was made; try again")
    return found
