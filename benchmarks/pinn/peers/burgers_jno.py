"""jNO (jax-numerical-operators) on Burgers by the settings of its documentation, with a clock.

jNO's documentation has a Burgers tutorial (docs/tutorials/04-hyperbolic/burgers-viscous-1d), for a manufactured
solution at nu = 0.05; for nu = 0.01/pi it refers to the page on adaptive resampling, which gives a usage of the
sampler but no script. So this follows the tutorial's method (space-time rectangle, walls exact by a factor,
initial value penalised, residual-adaptive points) with the numbers of the pages "Getting started" and "Adaptive
resampling": network 2-64-64-64-64-1 of tanh, Adam at 1e-3 for 10,000 epochs (then on, unchanged, until the
limit: where it ends is noted), mesh size 0.04, RAD every 100 epochs from epoch 1000 on with a tenth of the
points; float32 (its default).

    /work/venvs/peer_jno/bin/python burgers_jno.py --out jno.json
"""

import common
import foundax
import jax
import jno
import numpy as np
import optax
from jno import sampler
from jno.utils.adaptive.callbacks import Callback

parser = common.arguments("jNO on Burgers")
parser.add_argument("--epochs", type=int, default=1_000_000, help="at most; the documentation does 10,000")
parser.add_argument("--mesh-size", type=float, default=0.04)
args = parser.parse_args()
DOCUMENTED = 10_000
log = common.Log(
    "jNO",
    "its documentation's settings: 4 x 64 tanh, mesh 0.04, RAD resampling, Adam at 1e-3; float32",
    args,
    ("jax-numerical-operators", "foundax", "jax", "optax", "numpy"),
)

domain = jno.shape.rect(-1, 0, 1, 1, size=args.mesh_size).domain()
strategy = sampler.rad(resample_every=100, resample_fraction=0.1, start_epoch=1000)
x, t, *_ = domain.variable("interior", sample=(None, None), resampling_strategy=strategy, split=True)
x0, t0, *_ = domain.variable("initial_line", where=lambda x, t: t < 1e-6, split=True)

net = jno.nn(foundax.mlp(2, hidden_dims=64, num_layers=4, key=jax.random.PRNGKey(3)))
net.optimizer(optax.adam(1e-3))


def field(x, t):
    return net(jno.np.concat([x, t], axis=-1)) * (1 - x) * (1 + x)


u = field(x, t)
pde = u.d(t) + u * u.d(x) - 0.01 / np.pi * u.dd(x)
initial = field(x0, t0) + jno.np.sin(jno.np.pi * x0)
# jNO's `core` finds the domain in the constraints.
crux = jno.core([pde.mse, initial.mse])


@jax.jit
def values(module):
    walls = (1 - log.x) * (1 + log.x)
    return module(np.stack([log.x, log.t], axis=1).astype(np.float32))[:, 0] * walls


class Clock(Callback):
    """After an epoch: measures when it is time, and ends at the limit."""

    def on_epoch_end(self, *, epoch, trainable, **_):
        if epoch + 1 == DOCUMENTED:
            log.note(f"{DOCUMENTED} epochs: where the documentation's run ends")
        (module,) = trainable.values()
        last = epoch + 1 >= args.epochs or log.over
        log.measure(lambda x, t: values(module), epoch + 1, force=last or epoch + 1 == DOCUMENTED)
        return log.over


crux.solve(args.epochs, callbacks=[Clock()])
