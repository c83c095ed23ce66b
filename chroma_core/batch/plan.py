"""What will be written, known before anything is: every input with its output.

Two inputs with one output, an output that is an input, and a name that leaves the folder are
refused here, so that a long run cannot end in a loss that was to be seen at its start.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from chroma_core.errors import OptionError, PictureError
from chroma_core.pictures.names import (
    PICTURE_SUFFIXES,
    RESULT_SUFFIX,
    comparable_name,
    format_of_suffix,
    is_earlier_result,
    output_format,
    output_path,
)
from chroma_core.pictures.sidecar import SIDECAR_SUFFIX
from chroma_core.pictures.source import picture_format

__all__ = ["Collisions", "Job", "OverwriteRule", "find_pictures", "no_room_for_pages", "plan"]

OverwriteRule = Literal["never", "older", "always"]
"""Which outputs that exist are made anew: none, those older than their input, all."""

Collisions = Literal["refuse", "keep-extension"]
"""What to do with ``a.jpg`` and ``a.png`` that would both give ``a.png``."""

_NOT_READ = frozenset(
    [
        ".fits",
        ".fit",
        ".eps",
        ".psd",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".raf",
        ".orf",
        ".rw2",
        *(".3fr", ".dcr", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nrw"),
        *(".pef", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
        ".exr",
        ".hdr",
        ".jxl",
        ".svg",
        ".tga",
    ]
)
"""Pictures that are not read: a scan names them, so that nobody thinks they were done."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One picture to make.

    Attributes
    ----------
    input, output : Path
        What to read, and where the result goes.
    exists : bool
        Whether the output is there already and shall stay as it is.
    """

    input: Path
    output: Path
    exists: bool = False


def plan(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    recursive: bool = False,
    format: str | None = None,
    suffix: str = RESULT_SUFFIX,
    overwrite: OverwriteRule = "never",
    collisions: Collisions = "refuse",
    follow_links: bool = False,
    all_pages: bool = False,
    passed_over: Callable[[Path], None] | None = None,
) -> list[Job]:
    """Return what is to be done, in a fixed order, with every output's name.

    Parameters
    ----------
    inputs : sequence of paths
        Pictures, folders, and patterns such as ``scans/*.tif`` that the shell left alone.
    output : path, optional
        A folder, or for one picture a file. Without it, results lie beside their inputs.
    recursive : bool, optional
        Whether to look into the folders of folders; results then lie in folders of the same names.
    format : str, optional
        Format of all results; by default each input's own.
    suffix : str, optional
        What stands before the extension of a result beside its input.
    overwrite : {"never", "older", "always"}, optional
        Which outputs that exist are made anew.
    collisions : {"refuse", "keep-extension"}, optional
        With ``keep-extension`` inputs that differ by extension alone keep it: ``a.jpg.png``.
    follow_links : bool, optional
        Whether a recursive scan enters folders that are symbolic links.
    all_pages : bool, optional
        Whether every page of a TIFF shall be in its result, which is a TIFF then.
    passed_over : callable, optional
        Called with every file of a folder that neither is a picture nor is named like one.

    Raises
    ------
    OptionError
        If all pages are wanted, and a result is of a format that holds one picture.
    PictureError
        ``no-input`` if there is nothing, ``collision`` if two inputs have one output (both are
        named), ``is-input`` if an output is one of the inputs.
    """
    single = len(inputs) == 1 and not _is_folder(inputs[0]) and not _is_pattern(inputs[0])
    if single and output is not None and not _means_folder(output):
        jobs = [Job(input=Path(inputs[0]), output=Path(output))]
    else:
        jobs = []
        for given in inputs:
            for found, below in _expand(
                given, recursive, suffix, follow_links, output, passed_over
            ):
                wanted = format or _format_of_unnamed(found)
                target = output_path(found, output, suffix, wanted, below=below)
                jobs.append(Job(input=found, output=target))
    jobs = _without_repeats(jobs)
    if all_pages:
        _refuse_lost_pages(jobs, format)
    jobs = _apart(jobs, collisions)
    _refuse_inputs_as_outputs(jobs)
    jobs = [replace(job, exists=_stays(job, overwrite)) for job in jobs]
    return jobs


def find_pictures(
    folder: str | os.PathLike[str],
    *,
    recursive: bool = False,
    suffix: str = RESULT_SUFFIX,
    follow_links: bool = False,
    passed_over: Callable[[Path], None] | None = None,
) -> Iterator[Path]:
    """Yield what is a picture or has a picture's name, sorted; earlier results are left out.

    Pipes, broken links and the like are yielded too if they have such a name: reading them says
    what they are, and nothing that looks like a picture is passed over in silence. Of other files
    the first bytes tell; hidden ones, and sidecars of results, are left alone.

    Parameters
    ----------
    folder, recursive, suffix, follow_links, passed_over
        See `plan`.
    """
    seen: set[tuple[int, int]] = set()
    for path, is_picture in _scan(Path(folder), recursive, suffix, follow_links, seen):
        if is_picture:
            yield path
        elif passed_over is not None:
            passed_over(path)


def _scan(
    folder: Path, recursive: bool, suffix: str, follow_links: bool, seen: set[tuple[int, int]]
) -> Iterator[tuple[Path, bool]]:
    """Yield files of one folder, then of those in it, each with whether it is a picture."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise PictureError(
            f"the folder cannot be read: {error.strerror}", kind="no-input", path=str(folder)
        ) from error
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    folders = []
    for entry in listed:
        if _entry_is_folder(entry, follow_links):
            folders.append(folder / entry.name)
            continue
        path = folder / entry.name
        extension = os.path.splitext(entry.name)[1].lower()
        if extension in PICTURE_SUFFIXES or extension in _NOT_READ:
            if not is_earlier_result(entry.name, suffix):
                yield path, True
        elif not entry.name.startswith(".") and not entry.name.endswith(SIDECAR_SUFFIX):
            yield path, picture_format(path) is not None
    if recursive:
        for inner in folders:
            yield from _scan(inner, recursive, suffix, follow_links, seen)


def _entry_is_folder(entry: os.DirEntry[str], follow_links: bool) -> bool:
    """Return whether an entry is a folder that a scan may enter."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return not entry.name.startswith(".")
        return follow_links and entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def _expand(
    given: str | os.PathLike[str],
    recursive: bool,
    suffix: str,
    follow_links: bool,
    output: str | os.PathLike[str] | None,
    passed_over: Callable[[Path], None] | None,
) -> list[tuple[Path, Path]]:
    """Return the pictures that one argument stands for, with the folders between."""
    if _is_folder(given):
        folder = Path(given)
        skipped = Path(os.path.realpath(output)) if output is not None else None
        found = []
        for path, is_picture in _scan(folder, recursive, suffix, follow_links, set()):
            # Results of an earlier run in a folder below the scanned one are no inputs either.
            place = Path(os.path.realpath(path.parent))
            inside = skipped is not None and skipped in (place, *place.parents)
            if inside and skipped != Path(os.path.realpath(folder)):
                continue
            if is_picture:
                found.append((path, path.parent.relative_to(folder)))
            elif passed_over is not None:
                passed_over(path)
        if not found:
            raise PictureError(
                "there are no pictures in this folder",
                kind="no-input",
                path=str(given),
                hint="name another, or --recursive to look into its folders",
            )
        return found
    if _is_pattern(given):
        matches = sorted(glob.glob(str(given), recursive=True), key=os.fsencode)
        files = [Path(m) for m in matches if not _is_folder(m) and not is_earlier_result(m, suffix)]
        if not files:
            raise PictureError("no picture fits this pattern", kind="no-input", path=str(given))
        return [(path, Path()) for path in files]
    return [(Path(given), Path())]


def _format_of_unnamed(path: Path) -> str | None:
    """Return the format of a result whose picture's name tells none."""
    if path.suffix.lower() in PICTURE_SUFFIXES or path.suffix.lower() in _NOT_READ:
        return None
    found = picture_format(path)
    return None if found is None else output_format(found)


def _is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a folder."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _is_pattern(path: str | os.PathLike[str]) -> bool:
    """Return whether an argument is a pattern, not the name of something that is there."""
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _means_folder(output: str | os.PathLike[str]) -> bool:
    """Return whether an output for one picture names a folder."""
    text = os.fspath(output)
    ends = text.endswith(os.sep) or bool(os.altsep and text.endswith(os.altsep))
    return ends or _is_folder(output) or format_of_suffix(output) is None


def _without_repeats(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs without those named twice by the same path."""
    kept: dict[tuple[Path, Path], Job] = {}
    for job in jobs:
        kept.setdefault((Path(os.path.abspath(job.input)), job.output), job)
    return list(kept.values())


def _key(path: Path) -> str:
    """Return what two outputs share that some file system takes for one."""
    parts = Path(os.path.abspath(path)).parts
    return "/".join(comparable_name(part) for part in parts)


def _apart(jobs: list[Job], collisions: Collisions) -> list[Job]:
    """Return the jobs with different outputs, or refuse."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(_key(job.output), []).append(job)
    clashes = [group for group in groups.values() if len(group) > 1]
    if clashes and collisions == "keep-extension":
        crowded = {job.input for group in clashes for job in group}
        renamed = [
            replace(job, output=job.output.with_name(job.input.name + job.output.suffix))
            if job.input in crowded
            else job
            for job in jobs
        ]
        return _apart(renamed, "refuse")
    for group in clashes:
        first, second = group[0].input, group[1].input
        raise PictureError(
            f"two pictures would have one output, {group[0].output.name}: {first} and {second}",
            kind="collision",
            path=str(second),
            hint="--collisions keep-extension, or run them one by one",
        )
    return jobs


def _refuse_lost_pages(jobs: list[Job], format: str | None) -> None:
    """Refuse if pages of a file would not be in its result."""
    for job in jobs:
        target = format or format_of_suffix(job.output)
        if format not in (None, "tiff") or "tiff" == format_of_suffix(job.input) != target:
            error = no_room_for_pages(target)
            error.path = str(job.input)
            raise error


def no_room_for_pages(format: str | None) -> OptionError:
    """Return the error of pages that shall go into a file of a format that holds one picture."""
    return OptionError(
        f"--page all needs a TIFF to write to, {format or 'this'} holds one picture",
        hint="--format tiff, an output named .tif, or --page 1",
    )


def _refuse_inputs_as_outputs(jobs: list[Job]) -> None:
    """Refuse if an output is one of the inputs, by any name."""
    identities = {}
    for job in jobs:
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(job.input)
            identities[status.st_dev, status.st_ino] = job.input
    paths = {_key(job.input): job.input for job in jobs}
    for job in jobs:
        same = paths.get(_key(job.output))
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(job.output)
            same = identities.get((status.st_dev, status.st_ino), same)
        if same is not None:
            raise PictureError(
                f"the output of {job.input} would be the input {same}",
                kind="is-input",
                path=str(job.output),
                hint="originals are never written over: choose another output",
            )


def _stays(job: Job, overwrite: OverwriteRule) -> bool:
    """Return whether an output that exists is left as it is."""
    if overwrite == "always" or not os.path.lexists(job.output):
        return False
    if overwrite == "never":
        return True
    try:
        return os.stat(job.output).st_mtime_ns >= os.stat(job.input).st_mtime_ns
    except OSError:
        return False
