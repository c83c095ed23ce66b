"""Checkpoints of a training: whole or not at all, two kept, the newest valid one loaded.

A checkpoint is one safetensors file. Its arrays are the regressor's own; what is not an array
stands as JSON in the file's metadata, with a hash of what the training was started with, so that a
checkpoint of other options is refused and not continued.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chroma_core.arrays import AnyArray
from chroma_core.errors import TrainingError
from chroma_core.training.manifest import not_written, write_atomically

__all__ = ["FolderCheckpoint", "NoCheckpoint"]

KEPT = 2
FORMAT = 1

_log = logging.getLogger(__name__)


class NoCheckpoint:
    """A checkpoint that keeps nothing."""

    def load(self) -> tuple[Mapping[str, AnyArray], Mapping[str, Any]] | None:
        """Return None: there is nothing to go on from."""
        return None

    def save(self, arrays: Mapping[str, AnyArray], facts: Mapping[str, Any]) -> None:
        """Forget the state."""


class FolderCheckpoint:
    """Checkpoints in a folder of their own.

    Parameters
    ----------
    folder : path
        Made when the first state is saved.
    settings : Mapping, optional
        What the training was started with, as JSON can hold it; a checkpoint that was saved with
        other settings is refused.
    resume : bool, optional
        Whether `load` gives what is there. False starts anew and removes nothing until a newer
        state is safe.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        settings: Mapping[str, Any] | None = None,
        resume: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.resume = resume
        text = json.dumps(settings or {}, sort_keys=True, allow_nan=False)
        self.settings_sha256 = hashlib.sha256(text.encode()).hexdigest()

    def load(self) -> tuple[Mapping[str, AnyArray], Mapping[str, Any]] | None:
        """Return arrays and facts of the newest state that can be read, or None.

        Raises
        ------
        TrainingError
            If the newest readable state was saved with other settings.
        """
        if not self.resume:
            return None
        for _, path in reversed(self.states()):
            try:
                arrays, header = _read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log.warning("checkpoint %s cannot be read and is passed over: %s", path, error)
                continue
            if header["settings_sha256"] != self.settings_sha256:
                raise TrainingError(
                    "the checkpoint was made with other options or other data",
                    hint="train without --resume to start anew",
                    path=str(path),
                )
            return arrays, header["facts"]
        return None

    def save(self, arrays: Mapping[str, AnyArray], facts: Mapping[str, Any]) -> None:
        """Save a state; whole or not at all. Older states than the last two are removed.

        Parameters
        ----------
        arrays : Mapping[str, ndarray]
            Weights, optimiser state, generator states.
        facts : Mapping
            What JSON can hold: epoch, step, best error.

        Raises
        ------
        TrainingError
            If it cannot be written (kind ``"io"``).
        """
        # Imported here: commands that do not train need no safetensors.
        from safetensors.numpy import save

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(error, self.folder) from error
        states = self.states()
        number = states[-1][0] + 1 if states else 0
        body = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        header = {
            "format": FORMAT,
            "settings_sha256": self.settings_sha256,
            "facts": dict(facts),
            "arrays_sha256": _digest(body),
        }
        payload = save(body, metadata={"chroma": json.dumps(header, allow_nan=False)})
        path = self.folder / f"state-{number:06d}.safetensors"
        write_atomically(path, payload)
        # With resume off the states of an earlier training go only now that a new one is safe.
        for _, old in self.states()[:-KEPT]:
            old.unlink(missing_ok=True)
        self.resume = True

    def states(self) -> list[tuple[int, Path]]:
        """Return number and file of each state that is there, oldest first."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in self.folder.iterdir():
            match = re.fullmatch(r"state-(\d{6,9})\.safetensors", path.name)
            if match:
                found.append((int(match[1]), path))
        return sorted(found)


def _digest(arrays: Mapping[str, AnyArray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["chroma"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}, wanted {FORMAT}")
    if header["arrays_sha256"] != _digest(arrays):
        raise ValueError("its arrays are not those that were saved")
    return arrays, header
