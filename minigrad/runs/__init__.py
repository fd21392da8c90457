"""Training runs: what `minigrad train` leaves in a folder, and the model in it.

`settings` are the options, `examples` the data, `training` does the work in a `folder`, `report` makes the page, of
`results` and `pictures`, `predictor` loads the model, `architecture` is how a checkpoint describes it, and `command`
the command line.
"""

from .architecture import ACTIVATIONS, Standardized, build, input_shape, rebuild
from .predictor import Predictor, load

__all__ = ["ACTIVATIONS", "Predictor", "Standardized", "build", "input_shape", "load", "rebuild"]
