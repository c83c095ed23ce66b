"""Extraction of training data to disk, and training."""
