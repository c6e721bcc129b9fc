"""DeePMD-kit's water example: where the data are, its settings, its own programs.

Peers run in an environment of their own, DEEPMD_ENV, the folder of a virtual environment with deepmd-kit[cpu] and mpich.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("SCIML_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
ENV = Path(os.environ.get("DEEPMD_ENV", "/work/venvs/peer_deepmd"))


def settings(
    steps: int, precision: str = "float64", *, rate: tuple[float, float] = (1e-3, 3.51e-8), force: float = 1.0, every: int = 100
) -> dict[str, Any]:
    """An input of `dp train`: the water example, batch 1; `force` is the last weight of forces."""
    loss = {
        "type": "ener", "start_pref_e": 0.02, "limit_pref_e": 1, "start_pref_f": 1000, "limit_pref_f": force,
        "start_pref_v": 0, "limit_pref_v": 0,
    }  # fmt: skip
    systems = [str(DATA / "water" / f"data_{k}") for k in range(4)]
    return {
        "model": {
            "type_map": ["O", "H"],
            "descriptor": {
                "type": "se_e2_a", "sel": [46, 92], "rcut_smth": 0.5, "rcut": 6.0, "neuron": [25, 50, 100], "resnet_dt": False,
                "axis_neuron": 16, "seed": 1, "type_one_side": True, "precision": precision,
            },
            "fitting_net": {"neuron": [240, 240, 240], "resnet_dt": True, "seed": 1, "precision": precision},
        },
        "learning_rate": {
            "type": "exp", "start_lr": rate[0], "stop_lr": rate[1], "decay_steps": max(1, min(5000, steps // 100)),
        },
        "loss": loss,
        "training": {
            "training_data": {"systems": systems[:3], "batch_size": 1},
            "validation_data": {"systems": systems[3:], "batch_size": 1, "numb_btch": 3},
            "numb_steps": steps, "seed": 10, "disp_file": "lcurve.out", "disp_freq": every, "save_freq": 10**9,
        },
    }  # fmt: skip


def _around() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XLA_FLAGS", "JAX_PLATFORMS")}
    return kept | {"LD_LIBRARY_PATH": str(ENV / "lib"), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def dp(folder: Path, *arguments: Any, timeout: float | None = None) -> str:
    """DeePMD-kit's program in `folder`; what it printed."""
    done = subprocess.run(
        [str(ENV / "bin/dp"), *map(str, arguments)], cwd=folder, env=_around(), capture_output=True, text=True, timeout=timeout
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout + done.stderr


def python(folder: Path, code: str, *arguments: Any) -> str:
    """A script in DeePMD-kit's environment."""
    command = [str(ENV / "bin/python"), "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=_around(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def write_settings(folder: Path, found: dict[str, Any]) -> Path:
    path = folder / "input.json"
    path.write_text(json.dumps(found, indent=1))
    return path
