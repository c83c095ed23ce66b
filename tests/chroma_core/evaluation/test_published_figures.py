"""Figures that were measured independently of this code, for the two baselines.

They come from a study with scikit-image's SSIM and CIEDE2000 and another implementation of LAB and
of the gamut mapping; each is held to its printed digits.
"""

from __future__ import annotations

import numpy as np
import pytest

from chroma_core.evaluation.baselines import gray_of, lightness_of, mean_colour, to_gray_picture
from chroma_core.evaluation.evaluate import evaluate
from chroma_core.evaluation.metrics import mean_ciede2000, psnr

PUBLISHED = {
    # all gray: PSNR, CIEDE2000; mean colour (5, 8): PSNR, CIEDE2000
    "astronaut": (17.80, 11.34, 19.34, 9.74),
    "chelsea": (19.40, 15.87, 23.26, 8.47),
    "coffee": (14.12, 21.36, 16.00, 15.38),
    "rocket": (22.31, 12.84, 19.62, 17.94),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_golden_baselines_of_a_photograph(name):
    from skimage import data

    truth = getattr(data, name)()
    gray = to_gray_picture(gray_of(truth))
    constant = mean_colour(lightness_of(truth), (5, 8))
    figures = [
        figure(truth, picture) for picture in (gray, constant) for figure in (psnr, mean_ciede2000)
    ]

    assert figures == pytest.approx(PUBLISHED[name], abs=0.005)


@pytest.mark.shared
@pytest.mark.slow
def test_golden_baselines_of_two_hundred_photographs(shared_data):
    paths = sorted((shared_data / "data" / "eval_public").glob("*.webp"))
    evaluation = evaluate(
        {"eval_public": paths},
        lambda gray: np.repeat(gray[..., np.newaxis], 3, axis=-1),
        mean_ab=(1.16, 6.07),
    )
    summary = evaluation.sets[0]
    found = summary.metrics

    assert summary.n == 200
    assert found["psnr"].gray == pytest.approx(21.03, abs=0.005)
    assert found["psnr"].mean_colour == pytest.approx(21.42, abs=0.005)
    assert found["ssim"].gray == pytest.approx(0.9148, abs=0.00005)
    assert found["ssim"].mean_colour == pytest.approx(0.9125, abs=0.00005)
    assert found["ciede2000"].gray == pytest.approx(12.50, abs=0.005)
    assert found["ciede2000"].mean_colour == pytest.approx(12.53, abs=0.005)
    assert found["colourfulness"].gray == 0
    assert found["colourfulness"].mean_colour == pytest.approx(6.4, abs=0.05)
    assert summary.truth_colourfulness == pytest.approx(48.0, abs=0.05)
    gain = found["psnr"].mean_colour_minus_gray
    assert gain.mean == pytest.approx(0.394, abs=0.0005)
    # Which draws were made is not published. A bound of 10,000 resamples scatters by 0.0024 here
    # (the 2.5 % point of a normal spread of 0.0905); 0.01 is four times that.
    assert gain[1:] == pytest.approx((0.216, 0.571), abs=0.01)
    difference = found["ciede2000"].mean_colour_minus_gray
    assert difference.mean == pytest.approx(0.030, abs=0.0005)
    assert difference[1:] == pytest.approx((-0.281, 0.345), abs=0.02)  # 4 times 0.0044
    # Gray pictures as answers are the gray baseline, but for a rounding of float32 here and there.
    assert found["psnr"].ours == pytest.approx(found["psnr"].gray, abs=1e-5)
