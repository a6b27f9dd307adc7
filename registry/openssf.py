"""The files of a version signed as an OpenSSF model signature, which others check by `model_signing verify`.

The library takes no Ed25519, so this installation has a second key, on P-256. It is imported here alone, where
something is signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from registry.errors import NotAllowed, RegistryError
from registry.signing import keep_once

SIGNATURE, PUBLIC = "model.sig", "model.pub.pem"


def sign(folder: Path, into: Path, key: Path) -> None:
    """Sign every file of a folder: `into`/model.sig, and the public key as `into`/model.pub.pem.

    key  the file of the private key on P-256, made where there is none
    Raises RegistryError where the library is absent or the key cannot be used, NotAllowed where others may read it.
    """
    try:
        from model_signing import signing
    except ImportError as error:
        raise RegistryError(
            f"nothing is exported unsigned, and the library that signs is absent ({error}); run make install"
        ) from error
    public = _public(key)
    config: Any = signing.Config  # the library types its parts, not the whole
    config().use_elliptic_key_signer(private_key=key).sign(folder, into / SIGNATURE)
    (into / PUBLIC).write_bytes(public)


def _public(path: Path) -> bytes:
    """The public key of a file in PEM, made where there is none."""
    try:
        if not path.exists():
            form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            keep_once(path, ec.generate_private_key(ec.SECP256R1()).private_bytes(*form))
        if path.stat().st_mode & 0o077:
            raise NotAllowed(f"others may read the key {str(path)!r}; chmod 600 it, and make another if they did")
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError) as error:
        raise RegistryError(f"the key {str(path)!r} cannot be used ({error}); mend it or move it away") from error
    except ValueError as error:
        if isinstance(error, RegistryError):
            raise
        raise RegistryError(f"{str(path)!r} is no private key in PEM; mend it or move it away") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RegistryError(f"{str(path)!r} is no key on P-256; move it away, and another is made")
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)
