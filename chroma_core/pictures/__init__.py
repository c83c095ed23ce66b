"""The only place that opens and writes picture files."""
