"""Measuring colour against the truth."""
