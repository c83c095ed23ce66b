"""How much one picture may cost: pixels, bytes, time, memory.

A limit comes from an argument, else from an environment variable, else from its default. The
numbers were set so that a 4 x 5 inch film scanned at 2,400 dpi (115 megapixels) passes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from chroma_core.errors import OptionError

__all__ = ["VARIABLES", "Limits", "number_with_suffix"]

VARIABLES = {
    "max_pixels": "CHROMA_MAX_PIXELS",
    "max_side": "CHROMA_MAX_SIDE",
    "max_bytes": "CHROMA_MAX_BYTES",
    "max_memory": "CHROMA_MAX_DECODED",
    "max_metadata": "CHROMA_MAX_METADATA",
    "max_pages": "CHROMA_MAX_PAGES",
    "max_scans": "CHROMA_MAX_SCANS",
    "decode_timeout": "CHROMA_DECODE_TIMEOUT",
    "worker_memory": "CHROMA_WORKER_MEMORY",
}
"""Environment variable of each limit."""

_SUFFIXES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_BINARY_SUFFIXES = {"ki": 1024, "mi": 1024**2, "gi": 1024**3}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a reader refuses to go beyond.

    Attributes
    ----------
    max_pixels : int
        Width times height.
    max_side : int
        Width, and height.
    max_bytes : int
        Size of the file.
    max_memory : int
        Size of the decoded samples: pixels times channels times bytes a sample.
    max_metadata : int
        Size of each block of metadata; a larger one is dropped with a warning.
    max_pages : int
        Pages of a file that are looked at.
    max_scans : int
        Scans of a progressive JPEG; libjpeg decodes the whole picture once for each.
    decode_timeout : float
        Seconds that decoding in a worker may take, plus 1 for every 10 megapixels.
    worker_memory : int
        Resident bytes of a worker that decodes.

    Raises
    ------
    OptionError
        If a limit is not a positive number.
    """

    max_pixels: int = 178_956_970
    max_side: int = 1_000_000
    max_bytes: int = 2 * 1024**3
    max_memory: int = 4 * 1024**3
    max_metadata: int = 16 * 1024**2
    max_pages: int = 1000
    max_scans: int = 100
    decode_timeout: float = 30.0
    worker_memory: int = 4 * 1024**3

    def __post_init__(self) -> None:
        """Refuse limits that limit nothing, or everything."""
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value > 0):
                raise OptionError(f"{item.name} is {value}, wanted a positive number")

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **given: float | None
    ) -> Limits:
        """Return the limits that arguments and environment variables ask for.

        Parameters
        ----------
        environment : Mapping, optional
            The process's own by default.
        **given : float or None
            Limits that were given by name; None means not given.

        Raises
        ------
        OptionError
            If a value is not a positive number; names the variable.
        """
        environment = os.environ if environment is None else environment
        chosen: dict[str, float] = {
            name: value for name, value in given.items() if value is not None
        }
        for name, variable in VARIABLES.items():
            text = environment.get(variable, "").strip()
            if name in chosen or not text:
                continue
            try:
                chosen[name] = number_with_suffix(text)
                if not chosen[name] > 0:
                    raise ValueError(text)
            except ValueError:
                raise OptionError(
                    f"{variable} is {text!r}, wanted a positive number",
                    hint=f"unset {variable}, or set it to such as 400M",
                ) from None
        whole = {n: v if n == "decode_timeout" else int(v) for n, v in chosen.items()}
        return cls(**whole)  # type: ignore[arg-type]  # int and float by name, just above

    def seconds(self, pixels: int) -> float:
        """Return how long decoding a picture of so many pixels may take."""
        return self.decode_timeout + pixels / 10_000_000


def number_with_suffix(text: str) -> float:
    """Return ``400M`` as 400,000,000 and ``2Gi`` as 2 * 1024**3.

    Raises
    ------
    ValueError
        If it is no number.
    """
    cleaned = text.strip().lower().replace("_", "").replace(",", "")
    digits = cleaned.rstrip("kmgi")
    factors = {**_SUFFIXES, **_BINARY_SUFFIXES}
    suffix = cleaned[len(digits) :]
    if suffix not in factors or not digits:
        raise ValueError(f"{text!r} is no number")
    number = float(digits) * factors[suffix]
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no finite number")
    return number
