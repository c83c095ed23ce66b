import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chroma_core.color import delta_e_76, delta_e_2000

# G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes,
# supplementary test data, and mathematical observations", Color Research and Application 30 (2005),
# table 1: L1, a1, b1, L2, a2, b2, difference.
SHARMA = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)

labs = hnp.arrays(
    np.float64,
    hnp.array_shapes(max_dims=2, max_side=4).map(lambda shape: (*shape, 3)),
    elements=st.floats(-120, 120),
)


@pytest.mark.parametrize("row", SHARMA, ids=[str(k) for k in range(1, 35)])
def test_published_table_is_met(row):
    # The table is rounded to the fourth digit.
    assert float(delta_e_2000(row[:3], row[3:6])) == pytest.approx(row[6], abs=5.1e-5)


def test_peers_agree(colour, skimage_color):
    rng = np.random.default_rng(11)
    first, second = rng.uniform((0, -100, -100), (100, 100, 100), (2, 20_000, 3))
    ours = delta_e_2000(first, second)

    # 200 differences up to 130 in double precision; both peers compute in degrees.
    np.testing.assert_allclose(
        ours, colour.delta_E(first, second, method="CIE 2000"), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        ours, skimage_color.deltaE_ciede2000(first, second), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        delta_e_76(first, second), skimage_color.deltaE_cie76(first, second), rtol=1e-14
    )


@given(labs)
def test_law_a_colour_does_not_differ_from_itself(lab):
    assert (delta_e_2000(lab, lab) == 0).all()
    assert (delta_e_76(lab, lab) == 0).all()


@given(labs, labs)
def test_law_order_does_not_matter_and_nothing_is_negative(first, second):
    second = np.resize(second, first.shape)
    for difference in (delta_e_2000, delta_e_76):
        forth, back = difference(first, second), difference(second, first)

        assert (forth >= 0).all()
        np.testing.assert_allclose(forth, back, rtol=1e-9, atol=1e-9)


@given(st.floats(0, 100), st.floats(0, 100))
def test_law_on_the_gray_axis_only_lightness_counts(first, second):
    middle = ((first + second) / 2 - 50) ** 2
    wanted = abs(first - second) / (1 + 0.015 * middle / np.sqrt(20 + middle))

    # Squares of differences below 1e-160 underflow.
    np.testing.assert_allclose(
        delta_e_2000([first, 0, 0], [second, 0, 0]), wanted, rtol=1e-12, atol=1e-150
    )


def test_shapes_broadcast_and_dtype_is_kept():
    picture = np.random.default_rng(2).uniform(-50, 50, (5, 7, 3)).astype(np.float32)
    one = np.array([50, 0, 0], np.float32)

    for difference in (delta_e_2000, delta_e_76):
        against_one = difference(picture, one)
        assert against_one.shape == (5, 7)
        assert against_one.dtype == np.float32
        assert difference(picture, one.astype(np.float64)).dtype == np.float64
        assert difference(one, one).shape == ()
        np.testing.assert_array_equal(against_one[2, 3], difference(picture[2, 3], one))


def test_nan_and_enormous_colours():
    first = np.array([[50, np.nan, 0], [50, 1e200, 0], [50, 0, 0.0]])

    for difference in (delta_e_2000, delta_e_76):
        answer = difference(first, [50, 0, 0])
        np.testing.assert_array_equal(np.isnan(answer), [True, False, False])
