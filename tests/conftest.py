import os
import shutil
import tempfile
import warnings
from pathlib import Path

# Before JAX is imported, here and in the processes that are started from here: what one test has compiled, the others read.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="sciml_compiled_")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    MADE = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
else:
    MADE = None

# Most of the time goes into compilation. CI's second run, on the newest Python, optimises as users' programs do.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import pytest

from sciml._jax_faults import warn_of_wrong_rows


def pytest_unconfigure():
    if MADE is not None:
        shutil.rmtree(MADE, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _told_of_faults():
    """What is told once of a faulty JAX is told before the tests that turn warnings into errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warn_of_wrong_rows()


@pytest.fixture(scope="module", autouse=True)
def _little_memory():
    """Compiled functions of one module are of no use to the next, and slow the garbage collector."""
    yield
    jax.clear_caches()
