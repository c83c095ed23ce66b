import numpy as np
import pytest

from chroma_core.color import WHITE_POINTS, inside_srgb, lab_to_rgb, rgb_to_lab
from chroma_core.colorspaces.lab import LabColorspace, LabOptions
from chroma_core.errors import OptionError
from chroma_core.options import options_from_text, options_to_text
from chroma_core.stages import Colorspace


def spaces():
    return [
        LabColorspace(LabOptions(illuminant=illuminant, observer=observer))
        for illuminant, observer in WHITE_POINTS
    ]


@pytest.mark.parametrize("space", spaces(), ids=repr)
def test_stage_is_the_conversion_under_its_white(space):
    rgb = np.random.default_rng(1).random((9, 7, 3)).astype(np.float32)
    white = WHITE_POINTS[space.options.illuminant, space.options.observer]
    lab = space.from_rgb(rgb)

    assert lab.dtype == np.float32
    np.testing.assert_array_equal(lab, rgb_to_lab(rgb, white_point=white))
    np.testing.assert_array_equal(space.to_rgb(lab), lab_to_rgb(lab, white_point=white))


@pytest.mark.parametrize("space", spaces(), ids=repr)
def test_gray_is_neutral_and_white_is_100(space):
    gray = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, np.newaxis], 3, axis=1)
    lab = space.from_rgb(gray)

    assert (lab[:, 1:] == 0).all()
    assert lab[0, 0] == 0
    assert lab[-1, 0] == 100


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("space", spaces()[:7], ids=repr)
def test_its_way_into_the_gamut_is_that_of_the_contract_only_faster(space, dtype):
    rng = np.random.default_rng(2)
    lab = np.stack([rng.uniform(5, 95, 3000), *rng.normal(0, 40, (2, 3000))], axis=-1)
    lab = lab.astype(dtype)
    mapped = space.into_gamut(lab)
    plain = Colorspace.into_gamut(space, lab)
    distance = np.hypot(*(mapped - plain)[:, 1:].astype(np.float64).T)

    assert inside_srgb(mapped, white_point=space.white_point).all()
    np.testing.assert_array_equal(mapped[:, 0], lab[:, 0])
    # The plain way allows 1e-6 of encoded values, not of light: a grazing ray crosses later.
    assert np.quantile(distance, 0.98) < 0.01


def test_options_go_to_text_and_back():
    options = LabOptions(illuminant="D50", observer=10)
    text = options_to_text(options)

    assert text == {"illuminant": "D50", "observer": "10"}
    assert options_from_text(LabOptions, text) == options


@pytest.mark.parametrize("bad", [{"illuminant": "D99"}, {"observer": 3}, {"observer": "2"}])
def test_other_whites_are_refused(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        LabOptions(**bad)
