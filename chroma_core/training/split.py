"""Which pictures teach, which choose the epoch, which go into the card.

Parts are made by picture, never by pixel: neighbouring nodes are so alike that a split by node
measures memory. The part follows from the picture's name alone, so it stays when pictures are added
elsewhere, and neighbours in a numbered series (``0012.jpg`` and ``0012-crop.jpg``) stay together.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from chroma_core.errors import OptionError
from chroma_core.stages import Split

__all__ = ["DEFAULT_RULE", "modulus_of", "split_of"]

DEFAULT_RULE = "mod10"

_DIGITS = re.compile(r"[0-9]+")


def modulus_of(rule: str) -> int:
    """Return the N of a rule ``"modN"``.

    Raises
    ------
    OptionError
        If it is no such rule, or N is below 3 (nothing would be left to train on).
    """
    match = re.fullmatch(r"mod([0-9]{1,6})", rule)
    if not match or int(match[1]) < 3:
        raise OptionError(f"split rule is {rule!r}, wanted mod10, or modN with N of 3 or more")
    return int(match[1])


def split_of(relative_path: str, index: int, rule: str = DEFAULT_RULE) -> Split:
    """Return the part of a picture.

    The number of the file, modulo N: 0 goes into the card, 1 validates, the rest trains.

    Parameters
    ----------
    relative_path : str
        Path below the folder of photographs. The number is the longest run of digits in the file's
        name without its extension, of equally long ones the last.
    index : int
        Its place in its sorted folder, which counts where the name has no number.
    rule : str, optional
        ``"modN"``; a picture in N makes each of the two smaller parts.

    Raises
    ------
    OptionError
        If the rule is not of this form.

    Examples
    --------
    >>> split_of("bsds500/00010.webp", 3)
    'card'
    >>> split_of("2007_000121.jpg", 0), split_of("harbour.jpg", 1), split_of("harbour.jpg", 2)
    ('validation', 'validation', 'train')
    """
    modulus = modulus_of(rule)
    runs = _DIGITS.findall(PurePosixPath(relative_path).stem)
    number = int(max(reversed(runs), key=len)) if runs else index
    remainder = number % modulus
    if remainder == 0:
        return "card"
    return "validation" if remainder == 1 else "train"
