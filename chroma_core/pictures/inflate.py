"""Deflated bytes, inflated as far as they go (RFC 1950)."""

from __future__ import annotations

import zlib

__all__ = ["inflated_so_far"]

_STEP = 4096


def inflated_so_far(packed: bytes | memoryview, most: int) -> tuple[bytes, bool]:
    """Return what comes out before an error or the end.

    Parameters
    ----------
    packed : bytes
        A stream that may be cut or damaged.
    most : int
        Bytes that are wanted; one more is inflated at most.

    Returns
    -------
    plain : bytes
        At most ``most + 1`` bytes.
    whole : bool
        Whether the stream holds as many as are wanted, and ends well or goes on.
    """
    machine = zlib.decompressobj()
    plain = bytearray()
    # In small steps: what comes out before an error is kept.
    for start in range(0, len(packed), _STEP):
        try:
            plain += machine.decompress(packed[start : start + _STEP], most - len(plain) + 1)
        except zlib.error:
            return bytes(plain), False
        if len(plain) > most:
            return bytes(plain), True
    return bytes(plain), machine.eof and len(plain) == most
