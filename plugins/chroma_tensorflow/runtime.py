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

__all__ = ["tensorflow"]

_log = logging.getLogger(__name__)
_lock = threading.Lock()


def tensorflow(threads: int = 0) -> Any:
    """Import TensorFlow and return it.

    TensorFlow writes to file descriptor 2 while it loads, which no logging setting stops, so the
    descriptor points elsewhere during the first import; what it wrote is shown if the import fails.

    Parameters
    ----------
    threads : int, optional
        Threads that TensorFlow may compute with; 0 leaves the choice to it. Only the first call
        that comes before any computation can set this.

    Raises
    ------
    PluginError
        If TensorFlow cannot be imported.
    """
    with _lock:
        if "tensorflow" not in sys.modules:
            _import_quietly()
        import tensorflow as tf

        if threads:
            _set_threads(tf, threads)
        return tf


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


def _set_threads(tf: Any, threads: int) -> None:
    config = tf.config.threading
    if config.get_inter_op_parallelism_threads() == threads:
        return
    try:
        # The two nets are stepped side by side, each on threads of its own.
        config.set_inter_op_parallelism_threads(threads)
        config.set_intra_op_parallelism_threads(threads)
    except RuntimeError:
        _log.warning("TensorFlow has begun to compute already; its threads stay as they are")
