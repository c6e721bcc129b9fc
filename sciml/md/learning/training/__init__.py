"""Training of Deep Potentials."""

from ._change_bias import change_bias as change_bias
from ._history import History as History
from ._loss import AbsoluteError as AbsoluteError
from ._loss import AbstractLoss as AbstractLoss
from ._loss import Huber as Huber
from ._loss import SquaredError as SquaredError
from ._schedule import AbstractSchedule as AbstractSchedule
from ._schedule import Cosine as Cosine
from ._schedule import Exponential as Exponential
from ._schedule import deepmd_schedule as deepmd_schedule
from ._train import Training as Training
from ._train import train as train
