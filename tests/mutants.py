"""Change one constant, sign or comparison at a time, and see whether a test notices.

Coverage says that a line was run; this says that its result was looked at. Each mutant is made on
a temporary copy of the project, and the tests named beside it are run there until the first
failure. ``python tests/mutants.py`` runs all; words after it choose those whose place or change
holds one of them. It prints one line a mutant, a table with ``--table``, and ends with 1 if one
was missed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
COLOR, REFINERS = "tests/chroma_core/color", "tests/chroma_core/refiners"
FILTERS, LINE = "tests/chroma_core/filters", "tests/chroma_core/test_pipeline.py"


@dataclass(frozen=True)
class Mutant:
    """One change that makes the program wrong.

    Attributes
    ----------
    file : str
        Below ``chroma_core/``.
    old, new : str
        What is replaced, which must occur exactly once, and by what.
    tests : tuple of str
        What should notice.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def mutants(file: str, tests: str | tuple[str, ...], *changes: tuple[str, str]) -> list[Mutant]:
    """Return the mutants of one file."""
    named = (tests,) if isinstance(tests, str) else tests
    return [Mutant(file, old, new, named) for old, new in changes]


MUTANTS = [
    # Colour: constants of the standards, and signs.
    *mutants(
        "color/white_points.py",
        f"{COLOR}/test_white_points.py",
        ('("D65", 2): (0.31270, 0.32900)', '("D65", 2): (0.31270, 0.32910)'),
        ('("D50", 2): (0.34570, 0.35850)', '("D50", 2): (0.34560, 0.35850)'),
        ('("A", 10): (0.45117, 0.40594)', '("A", 10): (0.45117, 0.40954)'),
        (
            "xyz = np.array([x / y, 1.0, (1 - x - y) / y])",
            "xyz = np.array([x / y, 1.0, (1 - x) / y])",
        ),
    ),
    *mutants(
        "color/srgb.py",
        f"{COLOR}/test_srgb.py",
        ("power((values + 0.055) / 1.055, 2.4)", "power((values + 0.055) / 1.055, 2.2)"),
        ("encoded *= 1.055", "encoded *= 1.054"),
        ("encoded -= 0.055", "encoded -= 0.0551"),
        ("values / 12.92, where=values <= threshold", "values / 12.9, where=values <= threshold"),
        ("ENCODED_THRESHOLD = 0.04045", "ENCODED_THRESHOLD = 0.0405"),
        ("return np.copysign(encode(np.abs(values), threshold), values)", "return -values"),
    ),
    *mutants(
        "color/xyz.py",
        f"{COLOR}/test_xyz.py",
        ("np.stack([x / y, np.ones(3), (1 - x - y) / y])", "np.stack([x / y, x, (1 - x) / y])"),
        ("directions * strengths\n", "directions / strengths\n"),
    ),
    *mutants(
        "color/lab.py",
        f"{COLOR}/test_lab.py",
        ("EPSILON = 216 / 24389", "EPSILON = 0.009"),
        ("KAPPA = 24389 / 27", "KAPPA = 903.2"),
        ("A_SCALE = 500 / 116", "A_SCALE = 500 / 115"),
        ("B_SCALE = 200 / 116", "B_SCALE = 201 / 116"),
        ("KNEE_GRAY = 1.055 * (6 / 29) ** 1.25", "KNEE_GRAY = 1.055 * (6 / 30) ** 1.25"),
    ),
    *mutants(
        "color/adaptation.py",
        (f"{COLOR}/test_adaptation.py",),
        ("(0.8951, 0.2664, -0.1614)", "(0.8951, 0.2664, 0.1614)"),
        (
            "(bradford @ white_point(target)) / (bradford @ white_point(source))",
            "(bradford @ white_point(source)) / (bradford @ white_point(target))",
        ),
    ),
    *mutants(
        "color/difference.py",
        f"{COLOR}/test_difference.py",
        ("1 + (1 - _share_of_25(c_ab_mean)) / 2", "1 + (1 + _share_of_25(c_ab_mean)) / 2"),
        ("0.17 * np.cos(h_mean", "0.16 * np.cos(h_mean"),
        ("np.radians(63)", "np.radians(36)"),
        ("- 275) / 25", "- 257) / 25"),
        ("rotation = -np.sin", "rotation = np.sin"),
        ("0.045 * c_mean", "0.054 * c_mean"),
        ("np.copysign(2 * np.pi, turn)", "np.copysign(np.pi, turn)"),
        ("np.where(short, total, far) / 2", "total / 2"),
    ),
    # The gamut: comparisons.
    *mutants(
        "color/gamut.py",
        (f"{COLOR}/test_gamut.py", LINE),
        ("inside &= channel >= -gap", "inside &= channel >= gap"),
        ("inside &= channel <= 1 + gap", "inside &= channel <= 1.02"),
        ("inside &= channel >= -gap\n        ", ""),
        ("lightness - b / B_SCALE", "lightness + b / B_SCALE"),
        ("np.copyto(high, middle, where=~inside)", "np.copyto(high, middle, where=inside)"),
        ("np.minimum(1, chroma_bound", "np.minimum(0.9, chroma_bound"),
        ("pixels[block, 1], pixels[block, 2] = scale * a, scale * b", "pixels[block, 0] *= scale"),
        ("20 if a.dtype == np.float32 else 24", "4"),
    ),
    # Refiners: a sign or a bound in each.
    *mutants(
        "refiners/seed.py",
        f"{REFINERS}/test_seed.py",
        ("2 * lightness / (1 + y / x)", "2 * lightness / (1 - y / x)"),
        ("2 * lightness / (1 - x / y)", "2 * lightness / (1 + x / y)"),
        ("np.clip(pair, -self.options.cap", "np.clip(pair, 0"),
    ),
    *mutants(
        "refiners/ratio.py",
        f"{REFINERS}/test_ratio.py",
        ("direction[..., 0] + direction[..., 1]", "direction[..., 0] - direction[..., 1]"),
        ("total = np.abs(total)", "total = -np.abs(total)"),
        ("2 * lightness / total", "lightness / total"),
    ),
    *mutants(
        "refiners/intensity.py",
        (f"{REFINERS}/test_intensity.py", f"{REFINERS}/test_chroma_laws.py"),
        ("(0.299, 0.587, 0.114)", "(0.299, 0.578, 0.123)"),
        ("[0, -116 / 200]", "[0, 116 / 200]"),
        ("np.clip((target - self", "np.clip((self.gap - self"),
        ("np.where(good, tried, lightness)", "lightness"),
        ("part=0.5)", "part=50)"),
    ),
    *mutants(
        "refiners/guided.py",
        (f"{REFINERS}/test_edge_aware.py", LINE),
        ("math.ceil(2 * self.options.radius * scale)", "math.ceil(self.options.radius * scale)"),
        ("self.options.radius * scene.scale", "self.options.radius"),
        ("scene.lightness / scene.lightness.dtype.type(100)", "scene.lightness"),
    ),
    *mutants(
        "refiners/joint_bilateral.py",
        (f"{REFINERS}/test_edge_aware.py", LINE),
        ("self.options.sigma_space * scene.scale", "self.options.sigma_space"),
        ("int(sigma / 4)", "int(sigma * 4)"),
    ),
    *mutants(
        "refiners/none.py",
        (f"{REFINERS}/test_chroma_laws.py", LINE),
        ("return lab", "return -lab"),
    ),
    # Filters.
    *mutants(
        "filters/guided.py",
        f"{FILTERS}/test_guided.py",
        ("mean_ip - mean_i * mean_p", "mean_ip + mean_i * mean_p"),
        ("beta[rows] = mean_p - slopes", "beta[rows] = mean_p + slopes"),
        ("2 * size - 1 - place", "2 * size - 2 - place"),
        ("total -= leaves", "pass"),
    ),
    *mutants(
        "filters/bilateral.py",
        f"{FILTERS}/test_bilateral.py",
        ("(2 * sigma_space**2)", "(sigma_space**2)"),
        ("np.negative(difference, out=difference)", "pass"),
        ("weights[here] += weight", "weights[here] += 1"),
    ),
    *mutants(
        "filters/resize.py",
        f"{FILTERS}/test_resize.py",
        ("before + 1, size - 1)", "before, size - 1)"),
        ("(inside - before).astype(dtype)", "(before - inside).astype(dtype)"),
        ("total /= self._covers", "total /= self._covers + 1"),
    ),
    # The line.
    *mutants(
        "pipeline.py",
        LINE,
        ("(np.arange(start, stop) + 0.5) *", "np.arange(start, stop) *"),
        ("if not refiner.moves_lightness:", "if refiner.moves_lightness:"),
        ("np.rint(rgb * np.iinfo(dtype).max)", "np.floor(rgb * np.iinfo(dtype).max)"),
        ("max(0, start - margin)", "start"),
        ("colorspace.into_gamut, read_only(color)", "lambda color: color, read_only(color)"),
        ("if rows * cols > most:", "if rows * cols > 2 * most:"),
        ("shrink = min(1.0, work_size", "shrink = min(2.0, work_size"),
        ("chroma *= guide", "chroma *= 1 - guide"),
        ("(cols - grid.origin[1]) / grid.step[1]", "cols / grid.step[1]"),
        ("if low < 0.0 or high > 1.0:", "if low < 0.0 and high > 1.0:"),
        ("grid.band(start, min(start + rows, grid.rows))", "grid.band(0, grid.rows)"),
    ),
    *mutants(
        "asking.py",
        LINE,
        ("and reach >= 0", "and reach >= -9"),
        ("view.flags.writeable = False", "pass"),
        ("min(grid.step) > 0", "min(grid.step) >= 0"),
    ),
    *mutants(
        "stages.py",
        (LINE, "tests/chroma_core/test_stages.py"),
        ("prediction.chroma * np.float32(vividness)", "prediction.chroma / np.float32(vividness)"),
        ("row = self.origin[0] + self.step[0] * start", "row = self.origin[0]"),
        ("if bad:\n        raise ContractError", "if bad > 10**9:\n        raise ContractError"),
    ),
    # Steps on disk.
    *mutants(
        "predictions.py",
        "tests/chroma_core/test_predictions.py",
        ("chroma[..., 1]), overwrite", "chroma[..., 0]), overwrite"),
        ("allow_pickle=False", "allow_pickle=True"),
        ('_pair(facts["grid"]["step"], above=0.0)', '_pair(facts["grid"]["step"])'),
    ),
    *mutants(
        "steps.py",
        "tests/chroma_core/test_steps.py",
        ("saved.sha256 != _digest(lightness)", "False"),
        ("work_size=saved.work_size", "work_size=0"),
        (
            "    refuse_original(picture, output)\n    source = read_picture(picture)\n    if",
            "    source = read_picture(picture)\n    if",
        ),
    ),
    *mutants(
        "api.py",
        "tests/chroma_core/test_api.py",
        ("if before != after and not described.run:", "if before != after and described.run:"),
        ("if stage not in self.taken:", "if stage in ():"),
        ("pipeline.work_size if work_size is None else work_size", "pipeline.work_size"),
    ),
]


def make_copy(folder: Path) -> Path:
    """Return a copy of what the tests need."""
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in ("chroma_core", "plugins", "tests"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    return folder


def fails(copy: Path, tests: tuple[str, ...]) -> bool:
    """Return whether one of the tests fails in the copy."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(copy), str(copy / "plugins")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    where = "import chroma_core; print(chroma_core.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=copy, env=environment, capture_output=True, text=True
    )
    if not found.stdout.startswith(str(copy)):
        raise SystemExit(f"the copy is not what is imported: {found.stdout or found.stderr}")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-m", "not slow", *tests], cwd=copy, env=environment, capture_output=True
    )
    # Only a test that fails counts, not a program that cannot be read or collected any more.
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout.decode()[-2000:])
    return done.returncode == 1


def changed(copy: Path, mutant: Mutant) -> bool:
    """Make a mutant, look whether a test fails, and take the change back."""
    path = copy / "chroma_core" / mutant.file
    whole = path.read_text("utf-8")
    if whole.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file} holds {mutant.old!r} {whole.count(mutant.old)} times")
    path.write_text(whole.replace(mutant.old, mutant.new), "utf-8")
    try:
        return fails(copy, mutant.tests)
    finally:
        path.write_text(whole, "utf-8")


def main(arguments: list[str]) -> int:
    """Run the mutants that were chosen; return the exit status."""
    table = "--table" in arguments
    words = [word for word in arguments if word != "--table"]
    chosen = [
        mutant
        for mutant in MUTANTS
        if not words or any(word in f"{mutant.file} {mutant.old} {mutant.new}" for word in words)
    ]
    start = time.monotonic()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="chroma-mutants-") as folder:
        copy = make_copy(Path(folder) / "copy")
        for tests in sorted({mutant.tests for mutant in chosen}):
            if fails(copy, tests):
                raise SystemExit(f"these tests fail without any change: {' '.join(tests)}")
        for mutant in chosen:
            caught = changed(copy, mutant)
            missed += not caught
            word = "caught" if caught else "MISSED"
            old, new = (" ".join(text.split()) for text in (mutant.old, mutant.new))
            if table:
                print(f"| `{mutant.file}` | `{old}` | `{new or '(left out)'}` | {word} |")
            else:
                print(f"{word}  {mutant.file}: {old}  ->  {new or '(left out)'}")
            sys.stdout.flush()
    seconds = time.monotonic() - start
    print(f"\n{len(chosen) - missed} of {len(chosen)} caught, {seconds:.0f} s", file=sys.stderr)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
