"""How a training shows itself while it runs: a bar with the time left, or a line per epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .history import line
from .loop import Run, Step

__all__ = ["shown"]


@contextmanager
def shown(run: Run) -> Iterator[Callable[[Step], None]]:
    """What shows a step: tqdm's bar, with the time left, or a printed line per epoch."""
    epochs, batches = run.epochs, len(run.data)
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield lambda step: print_line(step, epochs)
        return
    with tqdm(total=epochs * batches, initial=run.number, unit="step") as bar:

        def show(step: Step) -> None:
            seen = step.record or {"loss": step.loss} | ({} if step.accuracy is None else {"accuracy": step.accuracy})
            bar.set_postfix_str(f"epoch {step.epoch}/{epochs}, {line(seen)}", refresh=False)
            bar.update()

        yield show


def print_line(step: Step, epochs: int) -> None:
    if step.record and (step.epoch % max(1, epochs // 100) == 0 or step.epoch == epochs):
        print(f"epoch {step.epoch}/{epochs}: {line(step.record)}", flush=True)
