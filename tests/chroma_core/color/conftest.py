"""Peers that the colour mathematics is compared with, and strategies for colours."""

from __future__ import annotations

import warnings

import pytest


@pytest.fixture(scope="session")
def colour():
    """Return colour-science, which warns about optional libraries when imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("colour")


@pytest.fixture(scope="session")
def skimage_color():
    """Return scikit-image's colour module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("skimage.color")
