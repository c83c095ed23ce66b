"""The files of a model folder: opened with care, bounded, and checked before they are believed.

A model may come from anywhere, so its files are read as strangers: no link is followed, only
regular files are opened, nothing is read or allocated by a size that the file merely claims, and no
code runs. Weights are safetensors files (https://github.com/huggingface/safetensors, its
``README.md`` describes the format); their header is read here by hand and compared with the tensors
that the stage declares before any data are read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.errors import ModelFormatError

__all__ = [
    "JSON_BYTES",
    "open_regular",
    "parse_json",
    "read_bounded",
    "read_weights",
    "weights_bytes",
]

JSON_BYTES = 1 << 20
JSON_DEPTH = 20
MODEL_BYTES = 4 << 30
"""Most bytes of one weight file."""

DTYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; neither a link nor anything that could block.

    Raises
    ------
    ModelFormatError
        If there is none, it is a link, a folder or a device, or it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise ModelFormatError("is a link, wanted a file of the model's own", path=str(path))
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            what = "is a link, wanted a file of the model's own"
        else:
            what = f"cannot be opened: {error.strerror}"
        raise ModelFormatError(what, path=str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelFormatError("is not a regular file", path=str(path))
    return os.fdopen(descriptor, "rb")


def read_bounded(path: Path, limit: int = JSON_BYTES) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises
    ------
    ModelFormatError
        As `open_regular`, and if it is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ModelFormatError(f"has {size:,} bytes, at most {limit:,} wanted", path=str(path))
        return file.read(limit)


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """Return a JSON object, with stricter rules than `json` has.

    UTF-8; no NaN, Infinity or number beyond float64; no key twice; at most 20 levels deep.

    Raises
    ------
    ModelFormatError
        If it is anything else.
    """
    try:
        parsed = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ModelFormatError(f"is nested more than {JSON_DEPTH} deep", path=str(path)) from None
    except ValueError as error:
        raise ModelFormatError(f"is not JSON: {str(error)[:200]}", path=str(path)) from None
    level = [parsed]
    for _ in range(JSON_DEPTH):
        level = [inner for outer in level for inner in _parts(outer)]
    if level:
        raise ModelFormatError(f"is nested more than {JSON_DEPTH} deep", path=str(path))
    if not isinstance(parsed, dict):
        raise ModelFormatError(f"holds a {type(parsed).__name__}, wanted an object", path=str(path))
    return parsed


def read_weights(
    path: Path, shapes: Mapping[str, tuple[int, ...]], sha256: str
) -> dict[str, AnyArray]:
    """Return the tensors of a weight file, which must be exactly those that are wanted.

    Parameters
    ----------
    path : Path
        A safetensors file.
    shapes : Mapping[str, tuple of int]
        The tensors that it must hold.
    sha256 : str
        SHA-256 of the whole file, hexadecimal.

    Returns
    -------
    dict of str to ndarray
        Read-only, float16 or float32, finite.

    Raises
    ------
    ModelFormatError
        If the file is damaged or holds other tensors; names the tensor and both shapes.
    """
    most = 8 + JSON_BYTES + 4 * sum(math.prod(shape) for shape in shapes.values())
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > min(most, MODEL_BYTES):
            raise ModelFormatError(
                f"has {size:,} bytes, at most {min(most, MODEL_BYTES):,} wanted", path=str(path)
            )
        prefix = file.read(8)
        if len(prefix) < 8:
            raise ModelFormatError(f"has {len(prefix)} bytes, wanted weights", path=str(path))
        (length,) = struct.unpack("<Q", prefix)
        if length > min(JSON_BYTES, size - 8):
            raise ModelFormatError(
                f"claims a header of {length:,} bytes in a file of {size:,}", path=str(path)
            )
        header = file.read(length)
        places = _places(parse_json(header, path), shapes, size - 8 - length, path)
        content = file.read(size - 8 - length + 1)
    if len(content) != size - 8 - length:
        raise ModelFormatError("changed while it was read", path=str(path))
    found = hashlib.sha256(prefix + header)
    found.update(content)
    if found.hexdigest() != sha256:
        raise ModelFormatError(
            f"has SHA-256 {found.hexdigest()[:12]}..., model.json says {sha256[:12]}...",
            hint="the file is damaged, or belongs to another model",
            path=str(path),
        )
    tensors = {}
    for name, (dtype, start) in places.items():
        count = math.prod(shapes[name])
        flat = np.frombuffer(content, dtype=dtype, count=count, offset=start)
        bad = count - int(np.count_nonzero(np.isfinite(flat)))
        if bad:
            raise ModelFormatError(
                f"tensor {name} holds {bad} values that are NaN or infinite", path=str(path)
            )
        tensors[name] = flat.reshape(shapes[name])
    return tensors


def weights_bytes(tensors: Mapping[str, AnyArray], net: str) -> bytes:
    """Return a weight file, the same bytes for the same tensors.

    Parameters
    ----------
    tensors : Mapping[str, ndarray]
        float16 or float32, in any memory layout.
    net : str
        Which net of the model this is, for the file's metadata.
    """
    from safetensors.numpy import save

    # safetensors 0.8.0 writes the memory of a transposed or strided array as it lies, scrambled
    # (test_transposed_and_strided_weights_come_back fails without this); ascontiguousarray alone
    # would make a vector of a single number.
    rows = {
        name: np.ascontiguousarray(array).reshape(array.shape)
        for name, array in sorted(tensors.items())
    }
    return bytes(save(rows, metadata={"net": net}))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a key stands twice")
    return unique


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond float64")
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _places(
    header: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], size: int, path: Path
) -> dict[str, tuple[np.dtype[Any], int]]:
    """Return dtype and place of each tensor, once the header is what it must be."""

    def refuse(what: str) -> ModelFormatError:
        return ModelFormatError(what, path=str(path))

    found = {name: entry for name, entry in header.items() if name != "__metadata__"}
    strange = sorted(set(found) - set(shapes))
    lacking = sorted(set(shapes) - set(found))
    if strange or lacking:
        have = f"holds the unknown tensor {strange[0][:80]!r}" if strange else ""
        lack = f"lacks the tensor {lacking[0]}" if lacking else ""
        raise refuse(" and ".join(filter(None, [have, lack])))
    places = {}
    spans = []
    for name, entry in found.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise refuse(f"tensor {name} has no dtype, shape and data_offsets")
        kind = entry["dtype"]
        dtype = DTYPES.get(kind) if isinstance(kind, str) else None
        if dtype is None:
            raise refuse(f"tensor {name} has dtype {str(kind)[:20]!r}, wanted F16 or F32")
        # A list of exact integers: JSON's true or 1.0 would compare equal to 1.
        shape = entry["shape"]
        exact = isinstance(shape, list) and all(type(side) is int for side in shape)
        if not exact or tuple(shape) != shapes[name]:
            raise refuse(f"tensor {name} has shape {str(shape)[:80]}, wanted {list(shapes[name])}")
        span = entry["data_offsets"]
        exact = isinstance(span, list) and len(span) == 2 and all(type(at) is int for at in span)
        if not exact or span[1] - span[0] != dtype.itemsize * math.prod(shapes[name]):
            raise refuse(f"tensor {name} does not fit its place {str(span)[:80]}")
        spans.append((span[0], span[1], name))
        places[name] = (dtype, span[0])
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise refuse(f"tensor {name} begins at byte {start}, wanted {end}")
        end = stop
    if end != size:
        raise refuse(f"is cut short or too long: {size:,} bytes of data, wanted {end:,}")
    return places
