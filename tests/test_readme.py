"""The code of the README and of the documentation works when pasted, in order."""

import re
from functools import partial
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

import sciml

matplotlib.use("Agg")
README = Path(__file__).parent.parent / "README.md"
DOCS = README.parent / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_it_opens_with_ten_lines():
    lines = README.read_text().splitlines()
    assert lines[2] == "```python" and len(BLOCKS[0].splitlines()) <= 11


@pytest.mark.slow
def test_every_block_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sciml.pinn, "solve", partial(sciml.pinn.solve, max_time=2, progress=False))
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block.replace("range(100)", "range(3)").replace("grid=1024", "grid=512"), str(README), "exec"), names)
    assert (tmp_path / "burgers.png").exists() and (tmp_path / "burgers.npz").exists()
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_every_block_of_the_documentation_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(block, str(page), "exec"), names)
    plt.close("all")
