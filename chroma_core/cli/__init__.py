"""The command line: parse, one library call, print.

Every command is a module of its own here, imports nothing heavy at its top, and does nothing that
``import chroma_core`` cannot do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; `sys.argv` where not given.
    """
    from chroma_core.cli.program import run_program

    sys.exit(run_program(list(sys.argv[1:] if arguments is None else arguments)))
