"""Deflated bytes, inflated as far as they go (RFC 1950)."""

from __future__ import annotations

import contextlib
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
        Bytes that are wanted; no more are given back, and one more is inflated at most.

    Returns
    -------
    plain : bytes
        At most `most` bytes.
    whole : bool
        Whether the stream holds just as many as are wanted, and ends well.
    """
    machine = zlib.decompressobj()
    plain = bytearray()
    for start in range(0, len(packed), _STEP):
        step, before = packed[start : start + _STEP], machine.copy()
        try:
            plain += machine.decompress(step, most - len(plain) + 1)
        except zlib.error:
            # Once more, byte by byte: what comes out before the error is kept.
            with contextlib.suppress(zlib.error):
                for at in range(len(step)):
                    # At least 1: a bound of 0 is none.
                    plain += before.decompress(step[at : at + 1], max(most - len(plain), 1))
            return bytes(plain[:most]), False
        if len(plain) > most:
            return bytes(plain[:most]), False
    return bytes(plain), machine.eof and len(plain) == most
