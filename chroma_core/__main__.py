"""``python -m chroma_core`` is the same program as ``chroma``."""

from chroma_core.cli import main

if __name__ == "__main__":
    main()
