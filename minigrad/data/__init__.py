"""Data to learn from: sets that come along, files of your own, generated points; splits, scaling, batches."""

from .datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_mnist_5k, load_wine
from .files import read_cifar10, read_idx
from .images import random_flip, random_shift
from .loader import DataLoader
from .points import make_blobs, make_circles, make_moons, make_spiral, make_xor
from .preparation import Standardize, Whiten, one_hot
from .split import Split, random_split
from .tables import Table, read_csv

__all__ = [
    "DataLoader", "Split", "Standardize", "Table", "Whiten", "load_breast_cancer", "load_diabetes", "load_digits",
    "load_iris", "load_mnist_5k", "load_wine", "make_blobs", "make_circles", "make_moons", "make_spiral", "make_xor",
    "one_hot", "random_flip", "random_shift", "random_split", "read_cifar10", "read_csv", "read_idx",
]  # fmt: skip
