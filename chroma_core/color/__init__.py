"""Colour mathematics on arrays of shape (..., 3): NumPy only."""
