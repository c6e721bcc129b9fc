"""jinns on Burgers as in its documentation's notebook 1D_non_stationary_Burgers, with a clock.

Its own settings: network 2-16-16-16-1 of tanh, float64; 900 points inside, 2,000 initial and 2,000 on the
walls; weights 1; natural gradient descent with its default line search, 300 iterations (then on, unchanged,
until the limit: where the notebook ends is noted). The whole training is one compiled loop; jinns calls a
validation module inside it, and ours does nothing but report the parameters to the clock and ask to stop at the
limit.

    /work/venvs/peer_jinns/bin/python burgers_jinns.py --out jinns.json
"""

import common
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

import jinns  # noqa: E402
from jinns.optimizers import vanilla_ngd  # noqa: E402
from jinns.validation._validation import AbstractValidationModule  # noqa: E402

parser = common.arguments("jinns on Burgers")
parser.add_argument("--iterations", type=int, default=30_000, help="at most; the notebook does 300")
args = parser.parse_args()
DOCUMENTED = 300
log = common.Log(
    "jinns",
    "its documentation's notebook: 3 x 16 tanh, 900 + 2000 + 2000 points, natural gradient descent; float64",
    args,
    ("jinns", "jax", "optax", "numpy"),
)

key, subkey = jax.random.split(jax.random.PRNGKey(2))
layers = (
    (eqx.nn.Linear, 2, 16),
    (jax.nn.tanh,),
    (eqx.nn.Linear, 16, 16),
    (jax.nn.tanh,),
    (eqx.nn.Linear, 16, 16),
    (jax.nn.tanh,),
    (eqx.nn.Linear, 16, 1),
)
u, nn_params = jinns.nn.PINN_MLP.create(key=subkey, eqx_list=layers, eq_type="PDENonStatio")
key, subkey = jax.random.split(key)
train_data = jinns.data.CubicMeshPDENonStatio(
    key=subkey, n=900, nb=2000, ni=2000, dim=1, min_pts=(-1,), max_pts=(1,), tmin=0, tmax=1, method="uniform"
)
params = jinns.parameters.Params(nn_params=nn_params, eq_params={"nu": jnp.array(1 / (100 * jnp.pi))})
loss = jinns.loss.LossPDENonStatio(
    u=u,
    loss_weights=jinns.loss.LossWeightsPDENonStatio(dyn_loss=1, initial_condition=1, boundary_loss=1),
    dynamic_loss=jinns.loss.BurgersEquation(Tmax=1),
    boundary_condition=jinns.loss.Dirichlet(),
    initial_condition_fun=lambda x: -jnp.sin(jnp.pi * x),
    params=params,
)
GRID = jnp.stack([jnp.asarray(log.t), jnp.asarray(log.x)], axis=1)


def values(params):
    return jax.vmap(lambda t_x: u(t_x, params))(GRID)[:, 0]


class Clock(AbstractValidationModule):
    """Every `call_every` iterations: the field on the grid goes to the host, which says whether to stop."""

    call_every: int = eqx.field(kw_only=True, default=5)
    count: jax.Array = eqx.field(converter=jnp.asarray, kw_only=True, default_factory=lambda: jnp.array(0))

    def __call__(self, params):
        due = jax.experimental.io_callback(is_due, jax.ShapeDtypeStruct((), jnp.bool_), self.count, ordered=True)
        field = jax.lax.cond(due, values, lambda p: jnp.zeros(len(GRID)), params)
        stop, error = jax.experimental.io_callback(
            report,
            (jax.ShapeDtypeStruct((), jnp.bool_), jax.ShapeDtypeStruct((), jnp.float64)),
            field, self.count, due, ordered=True,
        )  # fmt: skip
        moved = eqx.tree_at(lambda c: c.count, self, self.count + self.call_every)
        return moved, stop, error, stop


noted = []


def is_due(step):
    if int(step) >= DOCUMENTED and not noted:
        noted.append(step)
        log.note(f"{DOCUMENTED} iterations: where the notebook ends")
        return np.True_
    return np.bool_(log.wall() - log.last >= args.every)


def report(field, step, due):
    if due:
        log.measure(lambda x, t: np.asarray(field), int(step), force=True)
    error = log.data["pairs"][-1][1] if log.data["pairs"] else 1.0
    return np.bool_(log.over), np.float64(error)


found = jinns.solve(
    init_params=params, data=train_data, optimizer=vanilla_ngd(), loss=loss, n_iter=args.iterations,
    print_loss_every=100, validation=Clock(),
)  # fmt: skip
log.measure(lambda x, t: np.asarray(values(found[0])), log.data["pairs"][-1][2], force=True)
