"""Pictures of a solution: curves, heat maps, time slices, animations, and how the training went.

Matplotlib is imported when something is drawn. The figures belong to pyplot, so `plt.show()` and notebooks show them.
"""

from ._animation import animate as animate
from ._plot import plot as plot
from ._plot import plot_history as plot_history
