"""What the registry refuses, each with the cure in its sentence.

RegistryError (ValueError)
├── RegistryUnreachable   the database or the artifact store does not answer
├── UnknownVersion        a version, alias, run or decision that is not there
├── NotAllowed            a refused, rejected or unapproved version was to be approved or promoted
├── Conflict              the same key came again with other content
├── NotSigned             a verdict that is not its person's
├── Damaged               bytes that do not have the digest they were registered under
└── RestoredBackup        the database is behind its checkpoints: it may be read and not written
"""

from __future__ import annotations


class RegistryError(ValueError):
    """The registry refused; the sentence says why and what to do."""


class RegistryUnreachable(RegistryError):
    """The database or the artifact store does not answer."""


class UnknownVersion(RegistryError):
    """A version, alias, run or decision was named that the registry does not hold."""


class NotAllowed(RegistryError):
    """A version was to be approved or promoted against its verdict."""


class Conflict(RegistryError):
    """A key that was used before came again with other content."""


class NotSigned(RegistryError):
    """A verdict stands in the registry that its person did not sign."""


class Damaged(RegistryError):
    """Bytes were read that do not have the digest they were registered under."""

    exit_status = 1  # of a command that meets it: something does not hold


class RestoredBackup(RegistryError):
    """The database does not hold what its newest checkpoint says: an older copy was put back, or it was changed."""
