"""The encoder answers as the torch network that it was ported from, and stands where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chroma_core.color import gray_to_lightness
from chroma_core.errors import ModelFormatError
from chroma_core.stages import Grid

pytest.importorskip("onnxruntime")

from chroma_onnx.encoder import CHANNELS, DEPTHS, activations, load_session

ENCODER = Path(__file__).parents[3] / "plugins/chroma_onnx/encoder/lite0.onnx"

REFERENCE = np.load(Path(__file__).with_name("lite0-reference.npz"))
"""What torch answers on two photographs (training/encoder/read_lite0.py)."""


def run(gray):
    """Return what the shipped file answers on encoded gray in [0, 1], shape (N, H, W)."""
    session = load_session(ENCODER.read_bytes(), 1)
    given = {"gray": gray[:, np.newaxis].astype(np.float32)}
    return dict(zip(CHANNELS, session.run(list(CHANNELS), given), strict=True))


@pytest.mark.parametrize("name", CHANNELS)
def test_the_encoder_answers_as_torch_does(name):
    found = run(REFERENCE["gray"] / 255)[name]

    # Kernels of half precision (11 bits) through up to 50 layers; a wrong layer is off by 1.
    limit = 0.02 * np.abs(REFERENCE[name]).max()
    np.testing.assert_allclose(found, REFERENCE[name], rtol=0, atol=limit)


def test_places_of_a_map_are_a_step_apart():
    seen = activations(np.full((50, 70), 50, dtype=np.float32))
    for depth, step in DEPTHS.items():
        places = seen.places(depth, np.array([0.0, step]), 0)

        assert places[1] - places[0] == 1
        # The first row lies in the map, so that nothing is extrapolated at depth 1/4.
        assert depth != "quarter" or places[0] >= -0.5


@pytest.mark.parametrize("length", [1, 31, 50, 255, 256, 257, 341, 448])
def test_nodes_at_a_quarter_are_those_of_other_stages(length):
    nodes = Grid.regular(length, length, 4).row_positions()
    seen = activations(np.full((length, 40), 50, dtype=np.float32))
    places = seen.places("quarter", nodes[nodes % 4 == 2], 0)

    # Exactly on a node, or what the picture's finest map tells would be blurred.
    np.testing.assert_array_equal(places, np.rint(places))
    assert not len(places) or 0 <= places[0] <= places[-1] < seen.maps["quarter"].shape[1]


def test_a_dot_is_seen_at_its_place():
    # The centre of what a dot changes lies where the dot does. The padding alone would say
    # `step - 1`, which is 0.7, 3.7 and 5.8 pixels off.
    gray = np.pad(REFERENCE["gray"][0] / 255, 96, mode="symmetric")
    before = activations(gray_to_lightness(gray).astype(np.float32))
    pixels = np.arange(len(gray))
    gaps = {depth: [] for depth in ("quarter", "eighth", "sixteenth")}
    for row, col in np.random.default_rng(0).uniform(96, 160, (48, 2)):
        down, across = (np.exp(-(((pixels - at) / 1.5) ** 2) / 2) for at in (row, col))
        height = 0.2 if gray[int(row), int(col)] < 0.5 else -0.2
        dotted = gray_to_lightness(gray + height * np.outer(down, across)).astype(np.float32)
        after = activations(dotted)
        for depth, found in gaps.items():
            energy = ((after.maps[depth] - before.maps[depth]).astype(np.float64) ** 2).sum(axis=0)
            for axis, at in enumerate((row, col)):
                profile = energy.sum(axis=1 - axis)
                centre = profile @ np.arange(len(profile)) / profile.sum()
                found.append(centre - after.places(depth, np.array([at]), axis)[0])
    # At 1/4 a whole pixel is taken, and the measured one lies 0.4 after it; deeper, three times
    # the standard error of the 96 places, and what other photographs differ by.
    for depth, limit in [("quarter", 0.5), ("eighth", 0.75), ("sixteenth", 1.5)]:
        assert abs(np.mean(gaps[depth])) * DEPTHS[depth] < limit, depth


def test_the_picture_is_whole_in_what_the_network_sees():
    for height, width in [(1, 1), (5, 300), (256, 256), (257, 31)]:
        seen = activations(np.zeros((height, width), dtype=np.float32))
        for depth, step in DEPTHS.items():
            rows, cols = seen.maps[depth].shape[1:]

            assert (rows * step) % 32 == 0
            assert rows * step >= height + 8
            assert (cols * step) % 32 == 0
            assert cols * step >= width + 8


def test_lightness_comes_back_to_the_gray_that_the_network_was_trained_on():
    gray = REFERENCE["gray"][0] / 255
    padded = np.pad(gray, ((16, 16), (16, 16)), mode="symmetric")[np.newaxis]
    seen = activations(gray_to_lightness(gray).astype(np.float32))

    # L* and back in float32, then the network.
    np.testing.assert_allclose(seen.pooled, run(padded)["pooled"][0], rtol=0, atol=1e-3)


def test_what_is_no_network_is_refused():
    with pytest.raises(ModelFormatError, match="onnxruntime cannot run"):
        load_session(b"not a network", 1)


@pytest.mark.parametrize("place", ["weights.bin", "../here/weights.bin", "absolute"])
@pytest.mark.parametrize("count", [4, 1000])
def test_tensors_in_other_files_are_refused(tmp_path, monkeypatch, place, count):
    """Also where the file is there, of the right size, in or below the working directory."""
    onnx = pytest.importorskip("onnx")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = Path("weights.bin").absolute()
    file.write_bytes(np.ones(count, "<f4").tobytes())
    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [count])
    told = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [count])
    outside = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[count])
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value=str(file) if place == "absolute" else place)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g", [given], [told], [outside]
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()

    with pytest.raises(ModelFormatError, match="External data path validation failed"):
        load_session(model, 1)

    tensor = np.full(count, 2, np.float32)
    session = load_session(model, 1, {"w": tensor})
    np.testing.assert_array_equal(session.run(["y"], {"x": tensor})[0], tensor + 2)
