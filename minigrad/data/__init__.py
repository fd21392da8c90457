"""Data to learn from: real digits, generated point clouds, and a loader that cuts arrays into batches."""

from .datasets import Split, load_digits, make_moons, make_spiral
from .loader import DataLoader

__all__ = ["DataLoader", "Split", "load_digits", "make_moons", "make_spiral"]
