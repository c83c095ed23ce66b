"""RGB to LAB files and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chroma_core.color.lab import rgb_to_lab
from chroma_core.color.white_points import WHITE_POINTS
from chroma_core.errors import OptionError, PictureError
from chroma_core.pictures.atomic import Overwrite
from chroma_core.pictures.names import format_of_suffix
from chroma_core.pictures.originals import refuse_original
from chroma_core.pictures.read import read_picture
from chroma_core.pictures.write import write_lab_tiff, write_picture

__all__ = ["Conversion", "convert"]

DEPTHS = ("8", "16", "float")
LAB_MARK = ".lab"
STRIPE_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What `convert` did.

    Attributes
    ----------
    path : Path
        The file that it wrote.
    story : str
        What that file holds, in words.
    warnings : tuple of str
        What the reader had to say.
    """

    path: Path
    story: str
    warnings: tuple[str, ...] = ()


def convert(
    picture: str | Path,
    output: str | Path,
    *,
    depth: str = "8",
    illuminant: str = "D65",
    observer: int = 2,
    overwrite: Overwrite = "never",
) -> Conversion:
    """Convert a picture file to a LAB TIFF, or a LAB TIFF to any other format.

    Parameters
    ----------
    picture : path
        The file to read.
    output : path
        A name that ends in ``.lab.tif`` or ``.lab.tiff`` asks for LAB, any other for RGB.
    depth : {"8", "16", "float"}, optional
        Numbers of the LAB TIFF. 8 bits round a* and b* to whole units.
    illuminant : str, optional
        White point of LAB: A, C, D50, D55, D65, D75 or E.
    observer : {2, 10}, optional
        Degrees.
    overwrite : {"never", "always", "older"}, optional
        What happens to an output that is there.

    Raises
    ------
    OptionError
        If there is no such depth, illuminant or observer.
    PictureError
        If the picture cannot be read, or the output not be written or is the input.
    """
    if depth not in DEPTHS:
        raise OptionError(f"depth is {depth!r}, wanted one of {', '.join(DEPTHS)}")
    white = WHITE_POINTS.get((illuminant, observer))
    if white is None:
        raise OptionError(
            f"there is no white point {illuminant} for {observer} degrees",
            hint=f"illuminants: {', '.join(sorted({name for name, _ in WHITE_POINTS}))}; 2 or 10",
        )
    refuse_original(picture, output)
    source = read_picture(picture)
    output = Path(output)
    is_tiff = format_of_suffix(output) == "tiff"
    if not (is_tiff and Path(output.stem).suffix.lower() == LAB_MARK):
        if format_of_suffix(output) is None:
            raise PictureError(
                "has no extension that can be written",
                kind="unsupported",
                path=str(output),
                hint="end it in .lab.tiff for LAB, or in .png, .tiff, .jpg for RGB",
            )
        path = write_picture(source, output, overwrite=overwrite)
        channels = "gray" if source.is_gray else "RGB"
        return Conversion(path=path, story=f"{channels}, sRGB", warnings=source.warnings)
    lab = np.empty((source.height, source.width, 3), dtype=np.float32)
    for start in range(0, source.height, STRIPE_ROWS):
        rows = slice(start, start + STRIPE_ROWS)
        lab[rows] = rgb_to_lab(source.rgb(start, start + STRIPE_ROWS), white_point=white)
    number: int | str = depth if depth == "float" else int(depth)
    path = write_lab_tiff(lab, output, depth=number, white_point=white, overwrite=overwrite)
    story = (
        f"CIE L*a*b*, {depth}{'' if depth == 'float' else '-bit'}, white {illuminant} {observer}°"
    )
    return Conversion(path=path, story=story, warnings=source.warnings)
