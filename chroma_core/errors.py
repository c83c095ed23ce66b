"""The errors that chroma raises: one family, one line each.

::

    ChromaError
    ├── OptionError (ValueError)     which option, which value, what is allowed
    ├── InputError (ValueError)      an array or a folder from the caller: shape, dtype, range, NaN
    ├── PictureError (OSError)       a file that cannot be read or written
    ├── StageNotFound (LookupError)  role and name, the names there are, nearest first
    ├── PluginError                  would not load, name taken, misspelt hook, extra not installed
    ├── StageError                   a stage raised something else; the cause is kept with ``from``
    │   └── ContractError            a stage returned a wrong shape, dtype or NaN
    ├── ModelError                   a model folder that cannot be used
    │   ├── ModelFormatError         damaged, not ours, or newer than this program
    │   └── ModelMismatch            its stages, options or widths are not those asked for
    └── TrainingError                training or extraction cannot go on

Every error carries the exit status that the command line ends with (BSD ``sysexits`` where one
fits), a machine-readable class for ``--json``, and a hint that says what to do.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ChromaError",
    "ContractError",
    "InputError",
    "ModelError",
    "ModelFormatError",
    "ModelMismatch",
    "OptionError",
    "PictureError",
    "PluginError",
    "StageError",
    "StageNotFound",
    "TrainingError",
]


class ChromaError(Exception):
    """Base of every error that chroma raises on purpose.

    Parameters
    ----------
    what : str
        What was wrong, in one line: what came, and what was wanted.
    hint : str, optional
        What to do about it.
    path : str, optional
        The file or folder that it is about, as the caller named it.
    exit_status : int, optional
        Exit status of the command line, where it is not the class's own.
    kind : str, optional
        Machine-readable class, where it is not the class's own.
    """

    exit_status: int = 70
    kind: str = "internal"

    def __init__(
        self,
        what: str,
        *,
        hint: str = "",
        path: str = "",
        exit_status: int | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.path = path
        if exit_status is not None:
            self.exit_status = exit_status
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        """Return the message in one line: path, what, and the hint in brackets."""
        place = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{hint}"


class OptionError(ChromaError, ValueError):
    """An option has a value, or a name, that is not allowed."""

    exit_status = 2
    kind = "option"


class InputError(ChromaError, ValueError):
    """An array or a folder that the caller gave cannot be worked on."""

    exit_status = 65
    kind = "input"


class PictureError(ChromaError, OSError):
    """A picture file cannot be read or written.

    ``kind`` is one of ``empty``, ``not-a-picture``, ``unsupported``, ``truncated``, ``corrupt``,
    ``too-large``, ``no-input``, ``exists``, ``collision``, ``is-input``, ``io``, ``timeout``,
    ``crash`` and ``memory``; the exit status follows from it.
    """

    exit_status = 65
    kind = "corrupt"

    EXIT_STATUS_OF_KIND: ClassVar[dict[str, int]] = {
        "empty": 65,
        "not-a-picture": 65,
        "unsupported": 65,
        "truncated": 65,
        "corrupt": 65,
        "too-large": 65,
        "no-input": 66,
        "exists": 73,
        "collision": 73,
        "is-input": 73,
        "io": 74,
        "timeout": 75,
        "crash": 75,
        "memory": 75,
    }

    def __init__(
        self,
        what: str,
        *,
        hint: str = "",
        path: str = "",
        exit_status: int | None = None,
        kind: str = "corrupt",
    ) -> None:
        if exit_status is None:
            exit_status = self.EXIT_STATUS_OF_KIND[kind]
        super().__init__(what, hint=hint, path=path, exit_status=exit_status, kind=kind)


class StageNotFound(ChromaError, LookupError):
    """No installed stage of this role has this name."""

    exit_status = 2
    kind = "stage"


class PluginError(ChromaError):
    """A plugin, or what a stage needs to run, is not there or is broken."""

    exit_status = 69
    kind = "plugin"


class StageError(ChromaError):
    """A stage failed with an error that is not chroma's own."""

    exit_status = 69
    kind = "stage"


class ContractError(StageError):
    """A stage gave back something that its contract does not allow."""


class ModelError(ChromaError):
    """A model folder cannot be used."""

    exit_status = 78
    kind = "model"


class ModelFormatError(ModelError):
    """A model folder is damaged, is no model folder, or is newer than this program."""


class ModelMismatch(ModelError):
    """A model does not fit the stages or options that were asked for."""


class TrainingError(ChromaError):
    """Training or extraction cannot go on."""

    exit_status = 65
    kind = "training"
