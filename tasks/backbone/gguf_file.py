"""A GGUF file read as data: its metadata and tensors, each length held against the file before anything is made of it.

The layout is that of ggml/docs/gguf.md. The header is read here, because gguf's own reader believes every length: an
array that claims 2**60 entries keeps it busy for ever. Its tables of sizes and its arithmetic of blocks are used.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import gguf
import numpy as np

from tasks.backbone.body import BackboneMissing
from tasks.task import FloatArray

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
AXES = 4
ENTRIES = 2**22  # of one array: eight times the merges of the largest vocabulary
PLAIN = {"F32": np.float32, "F16": np.float16}  # kept as they are; BF16 and blocks become float32


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: its shape in numpy's order, how its numbers are kept, its first byte and their count."""

    shape: tuple[int, ...]
    kind: gguf.GGMLQuantizationType
    start: int
    size: int


@dataclass(frozen=True)
class GgufFile:
    """A file, mapped; `fields` is its metadata by key."""

    name: str
    fields: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    data: memoryview

    def numbers(self, name: str) -> FloatArray:
        """One tensor's numbers: float32 or float16, exactly those that the file stands for.

        Raises BackboneMissing where one is not finite.
        """
        tensor = self.tensors[name]
        raw = np.frombuffer(self.data[tensor.start : tensor.start + tensor.size], dtype=np.uint8)
        if tensor.kind.name in PLAIN:
            found = raw.view(PLAIN[tensor.kind.name]).reshape(tensor.shape)
        else:
            blocks = raw.reshape(gguf.quant_shape_to_byte_shape(tensor.shape, tensor.kind))
            with np.errstate(all="ignore"):  # what is not finite is told below
                found = gguf.dequantize(blocks, tensor.kind)
        if not np.isfinite(found).all():
            refuse(self.name, f"tensor {name!r} holds a number that is not finite", "take the file from its publisher")
        return found


def refuse(name: str, wrong: str, cure: str) -> NoReturn:
    """Raise BackboneMissing in one sentence."""
    raise BackboneMissing(f"GGUF {name!r}: {wrong}; {cure}")


def read(name: str, data: mmap.mmap) -> GgufFile:
    """Metadata and the places of all tensors. Raises BackboneMissing for whatever is not a whole, plain GGUF."""
    scan = _Scan(name, memoryview(data))
    if bytes(data[:4]) != b"GGUF":
        scan.refuse(f"it begins with {bytes(data[:4])!r}, not 'GGUF'", "give a GGUF file")
    scan.place = 4
    version = scan.scalar("I")
    if version & 0xFFFF == 0:
        scan.refuse("its numbers are in big-endian order", "convert it with gguf-convert-endian")
    if version not in (2, 3):
        scan.refuse(f"it is of version {version}", "write it again as version 3 with a recent llama.cpp")
    tensors, fields = scan.scalar("Q"), scan.scalar("Q")
    scan.holds(tensors, 24, "tensors")  # bytes of the shortest entry: a length, a count of axes, a kind and a place
    scan.holds(fields, 12, "metadata keys")
    found: dict[str, Any] = {}
    for _ in range(fields):
        key = scan.text()
        if key in found:
            scan.refuse(f"the metadata key {key!r} stands there twice", "take the file from its publisher")
        found[key] = scan.value(scan.scalar("I"))
    if found.get("split.count", 1) not in (0, 1):
        scan.refuse("it is one part of several", "join them with llama-gguf-split --merge")
    return GgufFile(name, found, scan.tensors(tensors, found.get("general.alignment", 32)), scan.data)


class _Scan:
    """A place in the file that moves on; nothing is read past its end."""

    def __init__(self, name: str, data: memoryview) -> None:
        self.name, self.data, self.place = name, data, 0

    def refuse(self, wrong: str, cure: str) -> NoReturn:
        refuse(self.name, wrong, cure)

    def holds(self, count: int, size: int, what: str) -> None:
        """Refuse where the rest of the file cannot hold `count` things of at least `size` bytes."""
        if count * size > len(self.data) - self.place:
            left = len(self.data) - self.place
            self.refuse(f"it tells of {count:,} {what} where {left:,} bytes are left", "fetch it again, whole")

    def bytes(self, count: int, what: str) -> memoryview:
        self.holds(count, 1, what)
        self.place += count
        return self.data[self.place - count : self.place]

    def scalar(self, code: str) -> Any:
        return struct.unpack("<" + code, self.bytes(struct.calcsize("<" + code), "bytes of a number"))[0]

    def text(self) -> str:
        raw = bytes(self.bytes(self.scalar("Q"), "bytes of text"))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse(f"a text of its metadata is not UTF-8 ({raw[:20]!r})", "take the file from its publisher")

    def value(self, kind: int) -> Any:
        if kind in SCALARS:
            return self.scalar(SCALARS[kind])
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            self.refuse(f"a metadata value is of unknown type {kind}", "take the file from its publisher")
        inner, count = self.scalar("I"), self.scalar("Q")
        if count > ENTRIES:
            self.refuse(f"an array of its metadata has {count:,} entries", f"none may have more than {ENTRIES:,}")
        if inner == STRING:
            self.holds(count, 8, "texts of an array")
            return [self.text() for _ in range(count)]
        if inner not in SCALARS:
            self.refuse(f"an array of its metadata has entries of type {inner}", "take the file from its publisher")
        code = SCALARS[inner]
        raw = self.bytes(count * struct.calcsize("<" + code), "bytes of an array")
        return list(struct.unpack(f"<{count}{code}", raw))

    def tensors(self, count: int, alignment: Any) -> dict[str, Tensor]:
        """The table of tensors, which must fill the rest of the file in their order, as llama.cpp demands too."""
        if type(alignment) is not int or not 8 <= alignment <= 2**20 or alignment & (alignment - 1):
            self.refuse(f"general.alignment is {alignment!r}", "take the file from its publisher")
        table = [self._entry() for _ in range(count)]
        start = end = self.place + -self.place % alignment
        found: dict[str, Tensor] = {}
        for name, shape, kind, offset in table:
            block, size = gguf.GGML_QUANT_SIZES[kind]
            if shape[-1] % block:
                self.refuse(f"rows of {name!r} are no whole blocks of {kind.name}", "take the file from its publisher")
            if name in found or start + offset != end + -end % alignment:
                self.refuse(f"tensor {name!r} does not follow the one before it", "take the file from its publisher")
            tensor = Tensor(shape, kind, start + offset, math.prod(shape) // block * size)
            found[name], end = tensor, tensor.start + tensor.size
            if end > len(self.data):
                self.refuse(f"tensor {name!r} ends {end - len(self.data):,} bytes past the end", "fetch it again")
        if not end <= len(self.data) <= end + -end % alignment:
            self.refuse(f"it has {len(self.data) - end:,} bytes after its last tensor", "take it from its publisher")
        return found

    def _entry(self) -> tuple[str, tuple[int, ...], gguf.GGMLQuantizationType, int]:
        name, axes = self.text(), self.scalar("I")
        if not 1 <= axes <= AXES:
            self.refuse(f"tensor {name!r} has {axes} axes, not 1 to {AXES}", "take the file from its publisher")
        shape = tuple(self.scalar("Q") for _ in range(axes))[::-1]
        if 0 in shape or math.prod(shape) > 8 * len(self.data):  # no kind packs more than eight numbers into a byte
            self.refuse(f"tensor {name!r} of shape {shape} is larger than the file", "take it from its publisher")
        return name, shape, self._kind(name, self.scalar("I")), self.scalar("Q")

    def _kind(self, name: str, number: int) -> gguf.GGMLQuantizationType:
        try:
            kind = gguf.GGMLQuantizationType(number)
            if kind.name not in PLAIN:
                gguf.dequantize(np.zeros((1, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8), kind)
        except (ValueError, KeyError, NotImplementedError):
            self.refuse(f"tensor {name!r} is of unknown quantisation {number}", "take another quantisation, as Q8_0")
        return kind
