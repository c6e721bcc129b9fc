import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def _little_memory():
    """Compiled functions of one module are of no use to the next, and slow the garbage collector."""
    yield
    jax.clear_caches()
