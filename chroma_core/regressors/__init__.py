"""Reference regressor stages."""
