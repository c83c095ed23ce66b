"""Decoding in another process, which may crash, hang or eat memory without harm to this one.

The process is started once and serves picture after picture through its standard input and output;
`python -m chroma_core.pictures.worker` runs no script of the caller's. It is ended, not asked, when
a picture takes too long or too much memory, and when this process ends.

A message is one line of JSON, and behind it as many bytes as the line says.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from chroma_core.arrays import PixelArray
from chroma_core.errors import PictureError
from chroma_core.pictures.limits import Limits
from chroma_core.pictures.picture import Picture
from chroma_core.pictures.reading import PLAIN, Reading

__all__ = ["DecodingWorker", "decode_guarded", "resident_bytes"]

_LOG = logging.getLogger(__name__)
_LOCK = threading.Lock()
_WAIT = 0.05
_CHUNK = 1 << 20
_START_TIMEOUT = 60.0
_BLOCKS = ("exif", "xmp", "iptc")


def decode_guarded(
    data: bytes,
    limits: Limits,
    *,
    keep_floats: bool = False,
    source: str = "",
    reading: Reading = PLAIN,
) -> Picture:
    """Decode a picture in the worker of this process; threads take turns.

    Parameters
    ----------
    data : bytes
        The file.
    limits : Limits
        What may not be passed, time and memory of the worker among them.
    keep_floats : bool, optional
        See `chroma_core.pictures.read.read_picture`.
    source : str, optional
        Name of the file.
    reading : Reading, optional
        Page, scale of floats, strictness.

    Raises
    ------
    PictureError
        Whatever decoding raises; ``timeout``, ``memory``, or ``crash`` if the worker died twice.
    """
    with _LOCK:
        try:
            return _current_worker().decode(
                data, limits, keep_floats=keep_floats, source=source, reading=reading
            )
        except PictureError as error:
            if error.kind != "crash":
                raise
            _LOG.debug("%s: %s; tried again", source, error)
        return _current_worker().decode(
            data, limits, keep_floats=keep_floats, source=source, reading=reading
        )


class DecodingWorker:
    """One process that decodes."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        # Not the current folder: a numpy.py there would be imported.
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chroma_core.pictures.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.owner = os.getpid()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.into: IO[bytes] = self.process.stdin
        self.out: IO[bytes] = self.process.stdout
        self._limits = Limits()
        self._deadline = 0.0
        self._began = 0.0
        self._kept: bytes | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs, and was started by this very process."""
        return self.owner == os.getpid() and self.process.poll() is None

    def close(self) -> None:
        """End the process and wait for it."""
        if self.owner != os.getpid():
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.into, self.out):
            with contextlib.suppress(OSError):
                pipe.close()

    def decode(
        self,
        data: bytes,
        limits: Limits,
        *,
        keep_floats: bool = False,
        source: str = "",
        reading: Reading = PLAIN,
    ) -> Picture:
        """Decode one picture; ends the process if it does not answer as it should.

        The bytes of a file whose pages are asked for one by one are sent once.
        """
        self._limits, self._began = limits, time.monotonic()
        self._deadline = self._began + _START_TIMEOUT + limits.decode_timeout
        again = self._kept is data
        request = {
            "limits": asdict(limits),
            "reading": asdict(reading),
            "keep_floats": keep_floats,
            "bytes": None if again else len(data),
            "keep": reading.page is not None,
        }
        self._kept = data if reading.page is not None else None
        try:
            self._send(json.dumps(request).encode() + b"\n", b"" if again else data)
            answer = self._read_line()
            while "pixels" in answer:
                # The header is read, the size is known: from here on its own time counts.
                self._deadline = time.monotonic() + limits.seconds(answer["pixels"])
                answer = self._read_line()
            if "error" in answer:
                raise PictureError(**answer["error"])
            return self._receive(answer, source)
        except PictureError as error:
            if error.kind in ("crash", "timeout", "memory"):
                self.close()
            raise
        except BaseException:
            # Also when interrupted: a half-read answer must not be taken for the next one's.
            self.close()
            raise

    def _send(self, line: bytes, data: bytes) -> None:
        """Write a request."""
        try:
            self.into.write(line)
            self.into.write(data)
            self.into.flush()
        except OSError:
            raise self._death() from None

    def _read_line(self) -> dict[str, Any]:
        """Read one line of JSON."""
        line = bytearray()
        while not line.endswith(b"\n"):
            self._wait()
            piece = os.read(self.out.fileno(), 1)
            if not piece:
                raise self._death()
            line += piece
        answer: dict[str, Any] = json.loads(line)
        noise = answer.pop("noise", "")
        if noise:
            _LOG.debug("libraries wrote: %s", noise)
        return answer

    def _receive(self, answer: dict[str, Any], source: str) -> Picture:
        """Read the bytes behind an answer."""
        planes: dict[str, Any] = {"alpha": None}
        for name, shape, dtype in answer["planes"]:
            plane: PixelArray = np.empty(shape, np.dtype(dtype))
            self._fill(plane.reshape(-1).view(np.uint8).data)
            planes[name] = plane
        blocks: dict[str, Any] = {}
        texts = []
        for name, length in answer["blocks"]:
            block = bytearray(length)
            self._fill(memoryview(block))
            if name in _BLOCKS:
                blocks[name] = bytes(block)
            else:
                texts.append((name, bytes(block)))
        said = answer["said"]
        tables = said.pop("jpeg_tables")
        dpi = said.pop("dpi")
        return Picture(
            **planes,
            **blocks,
            texts=tuple(texts),
            **{**said, "warnings": tuple(said["warnings"])},
            jpeg_tables=None if tables is None else tuple(map(tuple, tables)),
            dpi=None if dpi is None else (dpi[0], dpi[1]),
            source=source,
        )

    def _fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as a view holds."""
        done = 0
        while done < len(view):
            self._wait()
            got = os.readv(self.out.fileno(), [view[done : done + _CHUNK]])
            if not got:
                raise self._death()
            done += got

    def _wait(self) -> None:
        """Wait for output, and watch time and memory meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.out, selectors.EVENT_READ)
            while not selector.select(_WAIT):
                if time.monotonic() > self._deadline:
                    seconds = time.monotonic() - self._began
                    raise PictureError(
                        f"decoding was stopped after {seconds:.0f} s",
                        kind="timeout",
                        hint="--decode-timeout, or CHROMA_DECODE_TIMEOUT",
                    )
                if resident_bytes(self.process.pid) > self._limits.worker_memory:
                    raise PictureError(
                        f"decoding takes more than {self._limits.worker_memory:,} bytes of memory",
                        kind="memory",
                        hint="CHROMA_WORKER_MEMORY",
                    )

    def _death(self) -> PictureError:
        """Return the error of a worker that is no more."""
        code = self.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return PictureError(
            f"the decoder died of it ({how})",
            kind="crash",
            hint="convert the picture with another program",
        )


_workers: list[DecodingWorker] = []


def _current_worker() -> DecodingWorker:
    """Return the worker of this process, a new one if there is none or it died."""
    while _workers:
        if _workers[-1].alive:
            return _workers[-1]
        _workers.pop().close()
    _workers.append(DecodingWorker())
    return _workers[-1]


@atexit.register
def _close_workers() -> None:
    """End the worker with the process."""
    while _workers:
        _workers.pop().close()


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process in bytes; 0 where the system does not tell."""
    try:
        with open(f"/proc/{process}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def main() -> None:
    """Serve pictures until standard input ends."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints goes to a file without a name; only answers go to the caller.
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    with tempfile.TemporaryFile() as noise:
        for descriptor in (1, 2):
            os.dup2(noise.fileno(), descriptor)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
        held: list[bytes] = []
        while line := requests.readline():
            request = json.loads(line)
            if request["bytes"] is not None:
                held[:] = [requests.read(request["bytes"])]
            _serve(request, held, answers, noise)


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, also in the middle of a decoding."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _serve(request: dict[str, Any], held: list[bytes], answers: IO[bytes], noise: Any) -> None:
    """Answer one request for the file that is held; let go of it unless pages are asked for."""
    from chroma_core.pictures.decode import decode_picture
    from chroma_core.pictures.stored import announcing_size

    limits = Limits(**request["limits"])
    _bound_address_space(limits)
    span = request["reading"].pop("value_range")
    reading = Reading(value_range=None if span is None else tuple(span), **request["reading"])

    def announce(pixels: int) -> None:
        answers.write(json.dumps({"pixels": pixels}).encode() + b"\n")
        answers.flush()

    def answer(message: dict[str, Any]) -> None:
        noise.flush()
        noise.seek(0)
        message["noise"] = noise.read(4096).decode("ascii", "backslashreplace")
        noise.seek(0)
        noise.truncate()
        answers.write(json.dumps(message).encode() + b"\n")

    try:
        with announcing_size(announce):
            keep_floats = request["keep_floats"]
            picture = decode_picture(held[0], limits, keep_floats=keep_floats, reading=reading)
    except PictureError as error:
        told: dict[str, Any] = {"what": error.what, "hint": error.hint, "kind": error.kind}
        if error.exit_status != PictureError.EXIT_STATUS_OF_KIND[error.kind]:
            told["exit_status"] = error.exit_status
        answer({"error": told})
    except MemoryError:
        what = "there is not enough memory for it"
        answer({"error": {"what": what, "hint": "CHROMA_WORKER_MEMORY", "kind": "memory"}})
    else:
        if not request["keep"]:
            held.clear()
        planes = {"pixels": picture.pixels, "alpha": picture.alpha}
        blocks = [*((name, getattr(picture, name)) for name in _BLOCKS), *picture.texts]
        kept = [(name, plane) for name, plane in planes.items() if plane is not None]
        names = ("depth", "format", "icc_note", "dpi", "warnings", "jpeg_tables", "salvaged")
        answer(
            {
                "planes": [(name, plane.shape, plane.dtype.str) for name, plane in kept],
                "blocks": [(name, len(block)) for name, block in blocks],
                "said": {name: getattr(picture, name) for name in names},
            }
        )
        for _, plane in kept:
            answers.write(plane.reshape(-1).view(np.uint8).data)
        for _, block in blocks:
            answers.write(block)
    answers.flush()


def _bound_address_space(limits: Limits) -> None:
    """Bound address space at four times the memory: the last resort where nobody watches."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        most = 4 * limits.worker_memory
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    main()
