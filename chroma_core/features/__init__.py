"""Reference features stages."""
