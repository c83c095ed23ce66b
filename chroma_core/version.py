"""The version of this program, as installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["VERSION"]

try:
    VERSION = version("chroma-colorize")
except PackageNotFoundError:
    # Run from a source tree that was not installed.
    VERSION = "0+unknown"
