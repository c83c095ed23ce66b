"""An example plugin for chroma."""
