"""DeepXDE's published Burgers script (examples/pinn_forward/Burgers.py), on PyTorch, with a clock.

Its own settings: network 2-20-20-20-1 of tanh, Glorot normal; 2,540 points inside, 80 on the walls, 160
initial; 15,000 steps of Adam at 1e-3, then L-BFGS with DeepXDE's defaults; float32 (its default); t up to 0.99.

    /work/venvs/peer_deepxde/bin/python burgers_deepxde.py --out deepxde.json
"""

import os

import common

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np

parser = common.arguments("DeepXDE on Burgers")
parser.add_argument("--adam", type=int, default=15_000, help="steps of Adam before L-BFGS; the script's by default")
args = parser.parse_args()
log = common.Log(
    "DeepXDE",
    "its published script: 3 x 20 tanh, 2540 + 80 + 160 points, 15,000 Adam steps at 1e-3, then L-BFGS; float32",
    args,
    ("deepxde", "torch", "numpy"),
)
dde.config.set_random_seed(0)


def pde(x, y):
    dy_x = dde.grad.jacobian(y, x, i=0, j=0)
    dy_t = dde.grad.jacobian(y, x, i=0, j=1)
    dy_xx = dde.grad.hessian(y, x, i=0, j=0)
    return dy_t + y * dy_x - 0.01 / np.pi * dy_xx


class Clock(dde.callbacks.Callback):
    """Measures after a step when it is time, and ends at the limit."""

    def on_epoch_end(self):
        log.measure(predict, self.model.train_state.step)
        if log.over:
            self.model.stop_training = True


def predict(x, t):
    # The network as it is: `model.predict` does the same, and leaves its mode alone here.
    return model.predict(np.stack([x, t], axis=1))[:, 0]


place = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 0.99))
walls = dde.icbc.DirichletBC(place, lambda x: 0, lambda _, on_boundary: on_boundary)
initial = dde.icbc.IC(place, lambda x: -np.sin(np.pi * x[:, 0:1]), lambda _, on_initial: on_initial)
data = dde.data.TimePDE(place, pde, [walls, initial], num_domain=2540, num_boundary=80, num_initial=160)
net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
model = dde.Model(data, net)

model.compile("adam", lr=1e-3)
model.train(iterations=args.adam, callbacks=[Clock()])
log.measure(predict, model.train_state.step, force=True)
log.note("end of Adam")
if not log.over:
    model.compile("L-BFGS")
    model.train(callbacks=[Clock()])
    log.measure(predict, model.train_state.step, force=True)
    log.note("end of L-BFGS: the end of the published script" if not log.over else "stopped in L-BFGS by the limit")
