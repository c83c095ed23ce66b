"""Filters and resampling of pictures: NumPy only."""
