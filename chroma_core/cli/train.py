"""``chroma train``: networks from shards or photographs (module 3b)."""

NAME = "train"
EXAMPLES = ""


def command() -> None:
    """Placeholder until training lands."""
