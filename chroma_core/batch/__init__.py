"""Folders of pictures: planning names, journal, workers."""
