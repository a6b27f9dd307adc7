"""Records as they lie in a file: length, CRC-32, bytes. What a dying process left unfinished was never answered.

A tail that ends before its length is torn and is passed over; one whose checksum is wrong is damage, and is told.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = struct.Struct("<II")


@dataclass(frozen=True)
class Scanned:
    """What a piece of a file holds: whole records, where each of them ends, and whether damage follows the last."""

    payloads: Sequence[bytes]
    ends: Sequence[int]
    damaged: bool


def framed(payload: bytes) -> bytes:
    """A record with its length and checksum."""
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def scan(content: bytes, most: int | None = None) -> Scanned:
    """The records from the start of `content`, `most` at most; ends are counted from there."""
    payloads: list[bytes] = []
    ends: list[int] = []
    at = 0
    while at + HEADER.size <= len(content) and (most is None or len(payloads) < most):
        length, checksum = HEADER.unpack_from(content, at)
        end = at + HEADER.size + length
        if end > len(content) or not any(content[at : at + HEADER.size]):
            break  # torn: the rest never came, or came as the zeros of a file that grew before its bytes were there
        payload = content[at + HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return Scanned(payloads, ends, damaged=True)
        payloads.append(payload)
        ends.append(end)
        at = end
    return Scanned(payloads, ends, damaged=False)
