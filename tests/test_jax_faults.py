"""A fault of JAX that gives wrong numbers is looked for where it may be, and told once with what mends it."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jaxlib
import pytest

import sciml
from sciml import _jax_faults
from sciml._jax_faults import FLAG, SUSPECT

CODE = f"import runpy; print(runpy.run_path({str(Path(_jax_faults.__file__))!r})['has_wrong_rows']())"


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the fault is one of CPUs")
@pytest.mark.parametrize("flags", ["", FLAG])
def test_the_versions_that_have_it_are_known_and_the_flag_mends_it(flags):
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | {"XLA_FLAGS": flags}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(jaxlib.__version__ in SUSPECT and not flags)


def test_it_is_told_once_with_the_flag_that_mends_it(monkeypatch):
    monkeypatch.setattr(jaxlib, "__version__", SUSPECT[0])
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(_jax_faults, "has_wrong_rows", lambda: True)
    _jax_faults.warn_of_wrong_rows.cache_clear()
    with pytest.warns(UserWarning, match=FLAG), sciml.float64():
        pass
    with warnings.catch_warnings(), sciml.float64():
        warnings.simplefilter("error")


@pytest.mark.parametrize("version, backend", [("0.12.0", "cpu"), (SUSPECT[0], "gpu")])
def test_nothing_is_tried_where_it_cannot_be(monkeypatch, version, backend):
    def tried():
        raise AssertionError("tried")

    monkeypatch.setattr(jaxlib, "__version__", version)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(_jax_faults, "has_wrong_rows", tried)
    _jax_faults.warn_of_wrong_rows.cache_clear()
    with sciml.float64():
        pass


def test_it_can_be_tried_inside_a_transformation():
    outside = _jax_faults.has_wrong_rows()
    inside = []
    jax.jit(lambda x: inside.append(_jax_faults.has_wrong_rows()) or x)(1.0)
    assert inside == [outside]
