"""What all tests share: hypothesis profiles, and where the development data lie."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One machine may be ten times slower than another: no deadline. Derandomized, so that a failure
# in CI can be repeated; `--hypothesis-profile=explore` looks further.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("default")

# A shell that starts the suite in the background has it ignore Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the root of the project."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of development data, or skip where it is absent."""
    folder = Path(os.environ.get("CHROMA_SHARED", CHECKOUT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("needs the development data, which are not part of the project")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites golden pictures; look at them before you commit them."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden pictures; look at them",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Return whether golden pictures are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))
