"""Bring TensorFlow in without a word, and fix its threads."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from typing import Any

from chroma_core.errors import PluginError

__all__ = ["set_threads", "tensorflow"]

_log = logging.getLogger(__name__)
_lock = threading.Lock()


def tensorflow() -> Any:
    """Import TensorFlow and return it.

    TensorFlow writes to file descriptor 2 while it loads, which no logging setting stops, so the
    descriptor points elsewhere during the first import.

    Raises
    ------
    PluginError
        If TensorFlow cannot be imported.
    """
    with _lock:
        if "tensorflow" not in sys.modules:
            _import_quietly()
        import tensorflow as tf

        return tf


def set_threads(tf: Any, threads: int, *, side_by_side: int) -> None:
    """Share threads out: some operations side by side, each on some threads of its own.

    Two nets side by side on a thread each train half as fast again as one after the other with
    every product split between two threads, for the products are small.

    Parameters
    ----------
    tf : module
        TensorFlow; can be told only before it has computed anything, and says so otherwise.
    threads : int
        Threads to compute with; 0 stands for one a processor.
    side_by_side : int
        Nets that are computed side by side.
    """
    total = threads or os.cpu_count() or 1
    config = tf.config.threading
    wanted = max(1, min(total, side_by_side)), max(1, total // side_by_side)
    have = (
        config.get_inter_op_parallelism_threads(),
        config.get_intra_op_parallelism_threads(),
    )
    if have == wanted:
        return
    try:
        config.set_inter_op_parallelism_threads(wanted[0])
        config.set_intra_op_parallelism_threads(wanted[1])
    except RuntimeError:
        _log.warning("TensorFlow has begun to compute already; its threads stay as they are")


def _import_quietly() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import tensorflow  # noqa: F401
        except ImportError as error:
            sink.seek(0)
            _log.debug("TensorFlow wrote: %s", sink.read().decode(errors="replace"))
            raise PluginError(
                f"TensorFlow cannot be imported: {error}",
                hint="pip install 'chroma-colorize[tensorflow]'",
            ) from error
        finally:
            os.dup2(saved, 2)
            os.close(saved)
