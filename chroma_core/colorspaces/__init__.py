"""Reference colorspace stages."""
