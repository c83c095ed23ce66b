"""How a file is read where there is a choice: which page, which scale of floats, how strictly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chroma_core.errors import OptionError, PictureError

__all__ = ["PLAIN", "Reading", "refuse_pages"]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reader is asked for besides the picture.

    Attributes
    ----------
    page : int or None
        Which page of a TIFF, 1 for the first; previews and masks do not count. None is the first,
        with a warning if there are more.
    value_range : tuple of float, or None
        Values of floats that stand for black and white; None takes them as 0 to 1.
    nan : float or None
        What stands in place of values that are NaN or infinite, on the file's own scale; None
        refuses them.
    salvage : bool
        Whether a PNG, JPEG or TIFF that is cut short or damaged gives what can be decoded of it.

    Raises
    ------
    OptionError
        If one of them cannot be meant.
    """

    page: int | None = None
    value_range: tuple[float, float] | None = None
    nan: float | None = None
    salvage: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.page is not None and self.page < 1:
            raise OptionError(f"page is {self.page}, wanted 1 or more")
        if self.value_range is not None:
            low, high = self.value_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise OptionError(
                    f"range is {low:g} to {high:g}, wanted two numbers, the lower one first"
                )
        if self.nan is not None and not math.isfinite(self.nan):
            raise OptionError(f"nan is {self.nan}, wanted a finite number")


PLAIN = Reading()
"""Nothing asked for."""


def refuse_pages(format: str, page: int | None) -> None:
    """Raise PictureError if another page than the first is asked of a format without pages."""
    if page is not None and page > 1:
        raise PictureError(
            f"there is no page {page} in a {format.upper()}, which has one picture",
            kind="unsupported",
            hint="pages are in TIFF files; leave --page out",
        )
