"""Training of Deep Potentials."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from ...._precision import check_precision, float64
from ...dynamics._bar import bar_of, moved
from ...dynamics._checks import whole_number
from ...dynamics._interrupt import patient
from ...potentials._trainable import AbstractTrainable, cast
from ._arguments import check_choices, check_data, check_models
from ._checkpoint import Checkpoint, digest
from ._history import History
from ._looks import Looks, errors_in_words
from ._loss import AbstractLoss, SquaredError
from ._pace import Pace
from ._prepare import Prepared, check_alike, check_places, least_squares_bias, prepared, without_bias
from ._run import MANY, Run
from ._schedule import AbstractSchedule, Cosine

# Adam with decoupled decay of weights (Loshchilov & Hutter 2019, arXiv 1711.05101). Without it weights grow for as long as the
# rate is high: after 82,000 steps of water, energies fell by 4 eV where two hydrogens came below one angstrom, and runs ended.
ADAMW = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.01))


SOME = 8  # frames that biases are fitted to at the start


@dataclass(frozen=True)
class Training:
    """What came of `md.train`.

    **Attributes:** `potential`, the trained model, its energy bias refitted; `history`, a table of errors; `result`, a
    sentence; `success`, whether it went to its end; `stats`: steps, seconds, precision, terms of series, ...
    """

    potential: AbstractTrainable
    history: History
    result: str
    success: bool
    stats: dict[str, Any]

    def __repr__(self) -> str:
        return f"Training({self.result}\n{self.history!r}\n{self.potential!r})"


def train(
    model: Any,
    dataset: Any,
    *,
    validation: Any = None,
    steps: int | None = None,
    max_time: float | None = None,
    batch: int | None = None,
    schedule: AbstractSchedule = Cosine(),
    loss: AbstractLoss = SquaredError(),
    optimizer: optax.GradientTransformation = ADAMW,
    ema: float | None = None,
    patience: int | None = None,
    every: int | None = None,
    series: bool = True,
    precision: Any = np.float32,
    checkpoint: Any = None,
    key: int = 0,
    progress: bool = True,
    throw: bool = True,
) -> Any:
    """Trains a Deep Potential, or a network of your own, on energies, forces and virials.

    The loss is p_e <dE^2> / N + p_f <dF^2> + p_v <dW^2> / N with weights that change with the learning rate (`schedule`);
    labels that a frame lacks do not count. A new model gets its normalisation, its energy biases and, where `sel` is None, its
    places for neighbours from the data; one that was trained before keeps them but for the biases. At the end the biases are
    fitted to the energies once more. Frames of different sizes are padded to a few shapes.

    **Arguments:**

    - `model`: `md.deep_potential(names)`, `md.LocalPotential(network, cutoff, names=names)` for another architecture, a model
        to go on with, or a list of models of the same shape, trained at once.
    - `dataset`, `validation`: `md.Dataset`s.
    - `steps`: of one batch each, by default 20,000; or `max_time` [s]: as many as there is time for, the schedule included.
    - `batch`: frames in a step, by default as many as make 32 atoms.
    - `schedule`: of rate and weights, `md.Cosine()`, `md.Exponential()` or `md.deepmd_schedule()`; `loss`:
        `md.SquaredError()`, `md.Huber(delta)` or `md.AbsoluteError()`; `optimizer`: an optax transformation
        without a rate, by default Adam with a decay of weights of 0.01.
    - `ema`: the decay of a running average of the parameters, such as 0.999, which is then what is measured and returned.
    - `patience`: stops when the validation error has not fallen for so many looks, and returns the best model.
    - `every`: steps between looks at the errors, by default a twenty-fifth of all.
    - `series`: embedding nets run as Chebyshev series, with as many terms as the nets need at every look.
    - `precision`: of the nets, `numpy.float32` or `numpy.float64`.
    - `checkpoint`: a `.npz` file, written every 30 seconds and at the end; the same call goes on from it, bit for bit.
    - `key`: of the order of frames. `progress`: a progress bar. Ctrl-C returns what is done. `throw`: whether numbers that are
        not finite raise; otherwise the last good model is returned, and `result` says it.

    **Returns** a `Training`, or a list of them. **Raises** `ValueError` where the data do not fit the model (`sel` too small,
    species unknown, no labels) or a checkpoint is another training's; `FloatingPointError` where training broke down, with the
    `training` until then.
    """
    began = time.monotonic()
    models = check_models(model)
    check_data(dataset, "training")
    if validation is not None:
        check_data(validation, "validation")
    check_choices(loss, schedule, optimizer, ema, patience, validation)
    dtype = check_precision(precision)
    batch = None if batch is None else whole_number("batch", batch, 1)
    pace = Pace.of(steps, max_time, every, began)
    with float64():
        sets = {"training": dataset} | ({} if validation is None else {"validation": validation})
        data, *rest = prepared(models[0], **sets)
        held = rest[0] if rest else None
        models = [_made_ready(m, data, held, dataset) for m in models]
        check_alike(models)
        nearest = min(s.survey.nearest for s in (data, held) if s is not None)
        make: dict[str, Any] = dict(batch=batch, loss=loss, optimizer=optimizer, average=ema or 0.0)
        make |= dict(series=series, nearest=nearest, key=key)
        bias = np.asarray(models[0].bias, float)
        data = dataclasses.replace(data, buckets=[without_bias(b, dataset, bias) for b in data.buckets])
        if held is not None:
            held = dataclasses.replace(held, buckets=[without_bias(b, validation, bias) for b in held.buckets])
        run = Run(models, data, dtype=dtype, **make)
        saved = None
        if checkpoint is not None:
            choices = repr((schedule, loss, batch, ema, series, key, steps, max_time, every, str(dtype)))
            frames = [[getattr(d, f.name) for f in dataclasses.fields(d)] for d in (dataset, validation) if d is not None]
            digests = {"model": digest(models), "data": digest(frames), "settings": digest((), choices)}
            saved = Checkpoint(Path(checkpoint), digests)
        looks = Looks(run, held, patience)
        result, failed = _loop(run, looks, pace, schedule, saved, progress)
        found = _finished(run, looks, held, models)
    words = result or f"{run.step} steps in {time.monotonic() - began:.0f} s."
    stats = {
        "steps": run.step, "seconds": time.monotonic() - began, "precision": str(dtype), "terms": run.terms,
        "batch": run.batch, "frames": len(dataset), "compiled": run.compiled, "seconds_per_step": run.seconds_per_step,
    }  # fmt: skip
    made = [Training(p, History(looks.table(k)), words, not result, stats) for k, p in enumerate(found)]
    outcome = made if isinstance(model, (list, tuple)) else made[0]
    if failed and throw:
        error = FloatingPointError(f"{words} (throw=False returns the last good model.)")
        error.training = outcome  # type: ignore[attr-defined]
        raise error
    return outcome


def _made_ready(model: AbstractTrainable, data: Prepared, held: Prepared | None, dataset: Any) -> AbstractTrainable:
    """With places, normalisation and biases from the data where it has none."""
    model = model.surveyed(data.survey, least_squares_bias(data.counts, np.asarray(dataset.energies)))
    check_places(model, data.survey, "training")
    if held is not None:
        check_places(model, held.survey, "validation")
    return model if model.bias is not None else dataclasses.replace(model, bias=np.zeros(len(model.names)))


def _loop(
    run: Run, looks: Looks, pace: Pace, schedule: AbstractSchedule, saved: Checkpoint | None, progress: bool
) -> tuple[str, bool]:
    """Trains; (what went otherwise than asked, whether it broke down)."""
    found = saved.load({"state": run.state, "best": run.parameters}) if saved else None
    bar = bar_of("training", pace.steps, progress)
    if found:
        progress_of, trees = found
        run.resume(trees["state"], progress_of)
        looks.resume(progress_of, trees.get("best"))
        pace.resume(progress_of)
        bar.n = bar.initial = run.step

    def save() -> None:
        if saved:
            saved.save(
                {"step": run.step, "panels": [e.tolist() for e in run.panels], **looks.progress(), **pace.progress()},
                {"state": run.state} | ({} if looks.best is None else {"best": looks.best}),
            )

    result, failed = "", False
    try:
        with patient() as interrupted:
            if not found:
                run.refine()
                # Nets with random weights are off by a constant, which would take thousands of steps to learn.
                run.refit(run.parameters, SOME)
            while not pace.over(run.step):
                good, at = jax.tree.map(np.asarray, run.state), run.step
                # Looks are at the same steps whatever happens, or a training that goes on would not repeat the bits.
                until = pace.next_look(run.step)
                while run.step < until and not interrupted():
                    before = run.step
                    looks.add(run.advance(min(until, before + pace.stride(before)), pace.steps, schedule))
                    moved(bar, run.step - before)
                    pace.moved(run.step)
                    if saved and saved.due() and run.step < until:
                        save()
                if not looks.is_sound():
                    run.state = jax.tree.map(jax.numpy.asarray, good)
                    run.step = at
                    result = (
                        f"Parameters or errors became NaN or infinite between steps {at} and {until}: the model of step {at} "
                        "is kept. Take a lower rate, md.Cosine(rate=(1e-3, 1e-5)), or look for wrong labels in the data."
                    )
                    failed = True
                    break
                if run.step == until:
                    looks.look(schedule.at(run.step, pace.steps)[0], pace.elapsed, run.step - at)
                    bar.total = pace.steps
                    bar.set_postfix_str(looks.words())
                    run.refine()
                if interrupted():
                    raise KeyboardInterrupt
                if looks.is_over():
                    result = f"Stopped at step {run.step}: the validation error has not fallen for {looks.patience} looks."
                    break
            save()
    except KeyboardInterrupt:
        result = f"Interrupted by the user after {run.step} steps; the model as it is then is returned."
        save()
    finally:
        bar.close()
    return result, failed


def _finished(run: Run, looks: Looks, held: Any, models: Any) -> list[AbstractTrainable]:
    """The models, biases refitted, with their errors."""
    parameters = run.parameters if looks.best is None else looks.best
    nets = [jax.tree.map(np.asarray, cast(m, float)) for m in run.models(parameters)]
    run.refit(parameters, MANY)
    measured = (run.data, "training") if held is None else (held, "validation")
    words = errors_in_words(run, parameters, *measured)
    bias = np.asarray(models[0].bias)
    return [dataclasses.replace(n, bias=bias + s, remark=w) for n, s, w in zip(nets, run.shifts, words, strict=True)]
