"""Which tensors of an ONNX file lie in other files, told without the ``onnx`` package.

An ONNX file is a protobuf message (https://protobuf.dev/programming-guides/encoding/), a
``ModelProto`` of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Tensors stand in it at
many depths: initializers, attributes of nodes, graphs inside attributes, functions. Only the way to
them is followed here; their numbers are passed over, not copied. On that way nodes are counted, and
what tensors claim to hold is read: networks that are larger than any are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from chroma_core.errors import ModelFormatError

__all__ = ["external_tensors"]

_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Kind of message to the numbers of its fields in which tensors stand, and their kinds."""

MOST_NODES = 100_000
"""Nodes of a network, those of its branches and functions included; DDColor's has some 3,000."""

MOST_NUMBERS = 1 << 31
"""Numbers in a tensor: a file of 2 GiB holds no more."""

_GRAPH = 7
_DIMENSIONS = 1
_NAME, _EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 8, 13, 14, 1
_KEY, _VALUE = 1, 2

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5

_FLATBUFFER = b"ORTM"
"""Bytes 4 to 8 of onnxruntime's own format, which is no protobuf."""


def external_tensors(model: bytes) -> list[tuple[str, str]]:
    """Return name and location of each tensor that does not lie in the file.

    Parameters
    ----------
    model : bytes
        Content of an ONNX file.

    Raises
    ------
    ModelFormatError
        If that is no such message, there is no graph in it, or it has more nodes, or larger
        tensors, than any network.

    Examples
    --------
    >>> external_tensors(b"no network")
    Traceback (most recent call last):
    ...
    chroma_core.errors.ModelFormatError: is no ONNX file
    """
    found: list[tuple[str, str]] = []
    # Not by recursion: how deep messages lie in each other is the file's choice.
    waiting = [("model", memoryview(model))]
    graphs = nodes = 0
    try:
        if model[4:8] == _FLATBUFFER:
            raise ValueError("onnxruntime's own format")
        while waiting:
            kind, message = waiting.pop()
            if kind == "tensor":
                found += _declared(message)
                continue
            nodes += kind == "node"
            if nodes > MOST_NODES:
                raise ModelFormatError(f"has more than {MOST_NODES:,} nodes")
            for number, value in _fields(message):
                if number in _INSIDE[kind] and isinstance(value, memoryview):
                    waiting.append((_INSIDE[kind][number], value))
                    graphs += kind == "model" and number == _GRAPH
        if not graphs:
            raise ValueError("no graph")
    except ValueError as error:
        raise ModelFormatError("is no ONNX file") from error
    return found


def _declared(tensor: memoryview) -> list[tuple[str, str]]:
    """Return name and location of a tensor if it declares to lie elsewhere."""
    name, location, elsewhere, numbers = "", "", False, 1
    for number, value in _fields(tensor):
        if number == _DIMENSIONS:
            for side in [value] if isinstance(value, int) else _varints(value):
                # A negative side is a number near 2^64 here; one of 0 makes no other harmless.
                numbers *= max(side, 1)
            if numbers > MOST_NUMBERS:
                raise ModelFormatError(f"has a tensor of more than {MOST_NUMBERS:,} numbers")
        elif number == _DATA_LOCATION:
            elsewhere |= value == _EXTERNAL
        elif isinstance(value, memoryview) and number == _NAME:
            name = _text(value)
        elif isinstance(value, memoryview) and number == _EXTERNAL_DATA:
            elsewhere = True
            entry = dict(_fields(value))
            key, told = entry.get(_KEY), entry.get(_VALUE)
            if (
                isinstance(key, memoryview)
                and bytes(key) == b"location"
                and isinstance(told, memoryview)
            ):
                location = _text(told)
    return [(name, location)] if elsewhere else []


def _text(value: memoryview) -> str:
    return bytes(value[:400]).decode("utf-8", "replace")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield numbers and values of a message's fields; numbers of four or eight bytes as they lie.

    Raises
    ------
    ValueError
        If it is no message, or holds groups, which ONNX does not know.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field 0")
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _LENGTH:
            length, place = _varint(message, place)
        elif wire in (_FOUR_BYTES, _EIGHT_BYTES):
            length = 4 if wire == _FOUR_BYTES else 8
        else:
            raise ValueError(f"wire type {wire}")
        if length > len(message) - place:
            raise ValueError("cut off")
        yield number, message[place : place + length]
        place += length


def _varints(message: memoryview) -> Iterator[int]:
    """Yield numbers that stand one behind the other, as repeated ones may."""
    place = 0
    while place < len(message):
        number, place = _varint(message, place)
        yield number


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("cut off")
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("a number of more than ten bytes")
