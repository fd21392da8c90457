"""A training with everything that has a state in it, to be killed by test_train_resume.py.

    python interrupted_training.py FOLDER [checkpoint_every]

starts it, or continues it if there is a checkpoint, and prints the number of each step done.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim, train


class Steps(train.Callback):
    """Prints each step's number at once."""

    def step(self, step):
        print(step.number, flush=True)


def jitter(X, rng):
    return X + 0.1 * rng.standard_normal(X.shape)


def parts(folder, say=False):
    """The arguments of `train.fit`, all made anew."""
    mg.seed(7)
    rng = np.random.default_rng(0)
    y = np.arange(46) % 2
    X = rng.standard_normal((46, 3)) + y[:, None]
    model = nn.Sequential(
        nn.Linear(3, 8, rng=0), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3, rng=1),  # a generator of its own
        nn.Linear(8, 8, rng=2), nn.Tanh(), nn.Dropout(0.2),  # the default generator
        nn.Linear(8, 2, rng=3),
    )  # fmt: skip
    adam = optim.Adam(model.parameters(), lr=0.01, amsgrad=True)
    callbacks = [train.EarlyStopping(patience=4), train.JsonLog(Path(folder, "log.jsonl")), train.Diagnostics(every=3)]
    return dict(
        model=model,
        data=data.DataLoader(X, y, batch_size=8, shuffle=True, rng=4, transform=jitter),
        validation=(X[:20] + 0.5, y[:20]),
        loss=nn.CrossEntropyLoss(),
        optimizer=adam,
        epochs=10,
        scheduler=optim.lr_scheduler.OneCycleLR(adam, max_lr=0.3, epochs=10, steps_per_epoch=6),
        clip=optim.AutoClip(percentile=60),
        callbacks=[*callbacks, Steps()] if say else callbacks,
    )


def fit(folder, arguments, every=None):
    """Start or continue; returns (history, all numbers that the training has made)."""
    path = Path(folder, "run.npz")
    resume = path if path.exists() else None
    history = train.fit(**arguments, checkpoint=path, checkpoint_every=every, resume=resume)
    return history, outcome(arguments)


def outcome(arguments):
    """All numbers in the parts of a training: what must be equal to the bit."""
    stop, _, watch = arguments["callbacks"]
    return {
        "model": arguments["model"].state_dict(),
        "optimizer": arguments["optimizer"].state_dict(),
        "clip": arguments["clip"].state_dict(),
        "schedule": arguments["scheduler"].state_dict(),
        "stop": stop.state_dict(),
        "watch": watch.state_dict(),
        "draws": [arguments["data"].rng.random(), arguments["model"][3].rng.random(), mg.random.generator().random()],
    }


if __name__ == "__main__":
    fit(sys.argv[1], parts(sys.argv[1], say=True), int(sys.argv[2]) if len(sys.argv) > 2 else None)
