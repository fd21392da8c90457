"""Training runs: what `minigrad train` leaves in a folder, and the model in it."""

from .architecture import ACTIVATIONS, Standardized, build, input_shape, rebuild

__all__ = ["ACTIVATIONS", "Standardized", "build", "input_shape", "rebuild"]
