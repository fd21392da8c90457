"""`Optimizer`: parameters side by side in flat buffers, so that a step is a few NumPy calls whatever their number.

An optimiser is one `update` on flat arrays; read `sgd.py` first.  The buffers hold the numbers: array parameters become
views of them, scalar parameters are read before a step and written after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby, pairwise, repeat
from operator import attrgetter, is_
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number
from ..buffers import buffer
from ..convert import describe, to_constant
from ..errors import DtypeError, GradientError, ShapeError
from ..value import Value, changed_in_place, is_recorder, recording, tick, touched

__all__ = ["Group", "Optimizer", "Slots", "average", "average_of_squares"]

BLOCK = 65536
SAVED, GRAD = attrgetter("_saved"), attrgetter("_grad")
FLAGS = ("maximize", "nesterov", "amsgrad", "centered", "decoupled_weight_decay")  # settings that are True or False
# What PyTorch keeps in a group besides: how a step is executed, names, what its schedules remember.  No number depends
# on it, so `load_state_dict` leaves it out.
PYTORCHS = frozenset(
    ("foreach", "fused", "capturable", "differentiable", "param_names", "max_lr", "min_lr", "max_momentum",
     "base_momentum")
)  # fmt: skip
Group = dict[str, Any]  # a parameter group: its parameters and its hyper-parameters, as in PyTorch


class Slots:
    """The optimiser's memory for a run of neighbouring parameters: named arrays beside them, zeros at first.

    `slots["name"]` is an array as long as the parameters; an update writes into it, and the next step finds it again.
    """

    __slots__ = ("flat", "where")

    def __init__(self, flat: Flat, where: slice) -> None:
        self.flat, self.where = flat, where

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.flat.state:
            self.flat.state[name] = buffer(self.flat.data.size, self.flat.data.dtype)
        return self.flat.state[name][self.where]

    def scratch(self) -> np.ndarray:
        """Room for intermediate results."""
        return self.flat.scratch[self.where]

    def gathered(self) -> np.ndarray:
        """Room for the gradient."""
        return self.flat.grad[self.where]


class Flat:
    """The parameters of one group and dtype in one array, with a slice for each."""

    def __init__(self, params: list[Value], dtype: Any) -> None:
        self.params = params
        ends = np.cumsum([0] + [p.size for p in params]).tolist()
        self.slices = [slice(start, end) for start, end in pairwise(ends)]
        self.data, self.grad, self.scratch = (buffer(ends[-1], dtype) for _ in range(3))
        self.state: dict[str, np.ndarray] = {}
        self.steps = [0] * len(params)
        self.shapes = [p.shape for p in params]
        self.scalars = all([type(p._raw) is float for p in params])
        self.views = self.views_of(self.data)
        self.cut: dict[tuple[int, int], list[tuple[slice, np.ndarray]]] = {}  # the pieces, until the numbers move
        self.clock: list[float] = []  # when the arrays were changed, for all of them;
        self.stamps: list[Any] = []  # what the parameters have of it
        self.known: list[Any] = [None] * len(params)  # what each parameter held when we saw it last,
        self.seen: float = -1  # and what `touched` was
        self.adopt()

    def __reduce__(self) -> Any:
        """Copies and pickles are built anew: a copied parameter is no view of a copied buffer."""
        return Flat, (self.params, self.data.dtype), {"state": self.state, "steps": self.steps}

    def views_of(self, data: np.ndarray) -> list[np.ndarray]:
        return [data[where].reshape(shape) for where, shape in zip(self.slices, self.shapes, strict=True)]

    def adopt(self) -> None:
        """Take in parameters that hold other data than we gave them: at first all, later those assigned by hand."""
        if (seen := touched[0]) == self.seen:  # as nearly always
            return
        if all(map(is_, [p._raw for p in self.params], self.known)):  # it was somebody else's
            self.seen = seen
            return
        assigned = [(i, p) for i, p in enumerate(self.params) if p._raw is not self.known[i]]
        for i, p in assigned:
            if (p.shape, p.dtype) != (self.shapes[i], self.data.dtype):
                raise (ShapeError if p.shape != self.shapes[i] else DtypeError)(
                    f"optimizer: {name_of(p, i)} was {self.data.dtype} {self.shapes[i]} and is {p.dtype} {p.shape}: "
                    "make a new optimizer."
                )
        if any([self.known[i] is self.views[i] for i, _ in assigned]):
            self.move()
        copies = [np.array(p._raw) for _, p in assigned]  # first of all: one may be a view of another's place
        for (i, p), copy in zip(assigned, copies, strict=True):
            self.data[self.slices[i]] = copy.reshape(-1)
            if not isinstance(p._raw, float):  # the array assigned stays as it is: from now on p views our buffer
                p._raw = self.views[i]
            self.known[i] = p._raw
        self.seen = touched[0] = tick()  # other optimisers may hold them, too

    def numbers(self) -> np.ndarray:
        """All parameters in one array, those assigned by hand too."""
        self.adopt()
        return self.data

    def move(self) -> None:
        """To a new buffer: after `p.data = new` somebody may hold the old `p.data`, and that is never written again."""
        self.data, old, held = buffer(self.data.size, self.data.dtype), self.views, self.data
        self.data[...] = held
        self.cut.clear()
        self.views = self.views_of(self.data)
        for i, p in enumerate(self.params):
            if p._raw is old[i]:
                p._raw = self.known[i] = self.views[i]

    def lacks_gradients(self) -> bool:
        """Whether a parameter has none."""
        return any(map(is_, map(GRAD, self.params), repeat(None)))

    def runs(self, whole: bool = False) -> list[tuple[slice, int]]:
        """Neighbouring parameters that have a gradient (all, if `whole`) and the same step count: (slice, step)."""
        t = self.steps[0] + 1
        if (whole or not self.lacks_gradients()) and self.steps.count(t - 1) == len(self.steps):  # as nearly always
            self.steps = [t] * len(self.steps)
            return [(slice(0, len(self.data)), t)]
        steps = [t + 1 if whole or p._grad is not None else 0 for p, t in zip(self.params, self.steps, strict=True)]
        self.steps = [new or old for new, old in zip(steps, self.steps, strict=True)]
        members = [(t, list(run)) for t, run in groupby(range(len(steps)), key=steps.__getitem__)]
        return [(slice(self.slices[run[0]].start, self.slices[run[-1]].stop), t) for t, run in members if t]

    def pieces(self, where: slice) -> list[tuple[slice, np.ndarray]]:
        """The slice in blocks that stay in the processor's cache from one call of an update to the next."""
        key = where.start, where.stop
        if key not in self.cut:
            starts = range(where.start, where.stop, BLOCK)
            blocks = [slice(start, min(start + BLOCK, where.stop)) for start in starts]
            self.cut[key] = [(block, self.data[block]) for block in blocks]
        return self.cut[key]

    def gather(self) -> None:
        """All gradients in one array, copied."""
        pieces = []
        for i, p in enumerate(self.params):
            g = self.views[i] if p._grad is None else p._grad  # a place holder
            if type(g) is not np.ndarray or g.dtype != self.grad.dtype:
                g = np.asarray(to_constant(g, self.grad.dtype))
                g = np.full(self.shapes[i], g) if not g.ndim else g  # p.grad = 0
            if g.shape != self.shapes[i]:
                raise ShapeError(f"optimizer: {name_of(p, i)} has shape {p.shape}, its grad {g.shape}.")
            pieces.append(g.reshape(-1))
        np.concatenate(pieces, out=self.grad, casting="same_kind")

    def release(self, everyone: bool = False, slopes: np.ndarray | None = None) -> None:
        """After a step: scalar parameters get their floats, and graphs recorded before can tell that data changed.

        A compiled step leaves it to us to give scalar parameters their gradients, `slopes`, at the same time.
        """
        whole = everyone or not self.lacks_gradients()
        if whole and self.stamps and all(map(is_, map(SAVED, self.params), self.stamps)):  # as nearly always
            self.clock[0] = tick()
            return
        self.clock = [tick()]
        if whole and self.scalars:
            self.known, now = self.data.tolist(), self.clock[0]
            if slopes is None:
                for p, x in zip(self.params, self.known, strict=True):
                    p._raw, p._number = x, now
            else:
                for p, x, slope in zip(self.params, self.known, slopes.tolist(), strict=True):
                    p._raw, p._number, p._grad = x, now, slope
            self.seen, touched[0] = now if self.seen == touched[0] else 0, now
            return
        for i, p in enumerate(self.params):
            if everyone or p._grad is not None:
                if type(p._raw) is float:
                    p.data = self.known[i] = self.data[self.slices[i]].item()
                else:
                    changed_in_place(p, self.clock)
        self.stamps = [p._saved if whole and p._saved is not None else object() for p in self.params]


class Optimizer:
    """Base of the optimisers: parameter groups, flat buffers, and the step.

    `params` is an iterable of `Value` leaves, or of dicts {"params": ..., "lr": ...} with a group's own settings.
    A parameter whose grad is None is skipped entirely.  Raises `ValueError` for no parameters or settings out of range.

    Three settings mean the same in every optimiser that has them, and are done here: `maximize` climbs (g becomes -g),
    `weight_decay` adds weight_decay p to g, and with `decoupled_weight_decay` shrinks p by lr weight_decay p instead.
    """

    at_least_zero: tuple[str, ...] = ("lr",)  # the settings that `check` holds to this range
    below_one: tuple[str, ...] = ()  # and at least zero
    pairs: tuple[str, ...] = ()
    # The slots of the rule, each with the setting that turns it on ("" for always): `load_state_dict` asks for them and
    # refuses others.  None: only that all parameters of a group remember the same.
    remembers: dict[str, str] | None = None
    not_in_pytorch: tuple[str, ...] = ()  # flags that PyTorch's optimiser of this name lacks

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults, self.made = defaults, tick()  # mg.compile asks whether it was there before the call
        if isinstance(params, Value):
            raise DtypeError("optimizer: params is a list of Values, not a Value: use [p].")
        groups = members(params)
        if not groups:
            raise ValueError(
                "optimizer: there are no parameters; was the model built, or the generator used up? A module's "
                "attributes count when they are nn.Parameter."
            )
        self.steps_taken = 0  # in this process: lr_scheduler asks whether there was one
        self.param_groups: list[Group] = []
        self.checked: dict[int, Any] = {}  # the settings of each group when `check` last passed
        self.flats: list[list[Flat]] = []
        self.members: list[list[Value]] = []  # of each group, as the buffers know them
        seen: set[int] = set()
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group, seen)

    def add_param_group(self, group: Group, seen: set[int] | None = None) -> None:
        """Add parameters with settings of their own: {"params": [...], "lr": 0.01}."""
        seen = {id(p) for g in self.param_groups for p in g["params"]} if seen is None else seen
        if not isinstance(group, dict) or "params" not in group:
            raise DtypeError(f'optimizer: a group is a dict {{"params": [...], "lr": ...}}, not {group!r:.60}.')
        given = group["params"]
        group = {**self.defaults, **group, "params": [given] if isinstance(given, Value) else members(given)}
        if not group["params"]:
            raise ValueError("optimizer: a group has no parameters; was a generator used up?")
        for i, p in enumerate(group["params"]):
            if not isinstance(p, Value):
                hint = "; of named_parameters() take the second" if isinstance(p, tuple) else ""
                raise DtypeError(f"optimizer: parameter {i} is {type(p).__name__}, not a Value{hint}.")
            if p.gate is not None:
                raise GradientError(f"optimizer: {name_of(p, i)} is a result of {p.gate.name}, not a leaf.")
            if id(p) in seen:
                raise ValueError(f"optimizer: {name_of(p, i)} is listed twice.")
            seen.add(id(p))
        self.check(group)
        dtypes = sorted({p.dtype for p in group["params"]}, key=str)
        self.param_groups.append(group)
        self.members.append(list(group["params"]))
        self.flats.append([Flat([p for p in group["params"] if p.dtype == dtype], dtype) for dtype in dtypes])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters from their gradients; `closure` recomputes the loss first, and it is returned.

        Raises `ShapeError` or `DtypeError` for a parameter or gradient that has changed its kind, and updates nothing.
        """
        if closure is not None and not callable(closure):
            raise DtypeError(
                f"{type(self).__name__}: step({describe(closure)}): step takes no loss: call loss.backward() first, "
                "then step(); or pass a function that computes the loss."
            )
        loss = closure() if closure is not None else None
        if is_recorder(mode := recording.get()):  # mg.compile: done now, and on every later call
            mode.step(self)
            return loss
        self.check_groups()
        for flats in self.flats:
            for flat in flats:
                flat.adopt()
                flat.gather()
        with np.errstate(all="ignore"):  # infinities are numbers; nothing stops between two parameters
            self.advance()
        return loss

    def replay(self, grads: list[np.ndarray], adopted: bool = False) -> None:
        """A step of a compiled program: the gradients lie in flat arrays already, one for each `Flat`.

        `adopted` if the program has read the parameters from our buffers.
        """
        self.check_groups()
        if not adopted:
            for flats in self.flats:
                for flat in flats:
                    flat.adopt()
        self.advance(grads)

    def advance(self, grads: list[np.ndarray] | None = None) -> None:
        """Update all parameters from the gathered gradients, or from `grads`, where each has one."""
        whole, given = grads is not None, iter(grads or ())
        for group, flats in zip(self.param_groups, self.flats, strict=True):
            for flat in flats:
                gradient = next(given, flat.grad)
                for where, t in flat.runs(whole):
                    for block, p in flat.pieces(where):
                        slots = Slots(flat, block)
                        self.update(p, prepare(p, gradient[block], slots, group), slots, t, group)
                flat.release(whole, gradient if whole else None)
        self.steps_taken += 1

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or set them to zeros)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad = 0.0 if isinstance(p._raw, float) else np.zeros(p.shape, p.dtype)

    def __repr__(self) -> str:
        def describe(group: Group) -> str:
            settings = ", ".join([f"{name}={x}" for name, x in group.items() if name not in ("params", "initial_lr")])
            return f"{len(group['params'])} parameters, {settings}"

        return f"{type(self).__name__}({'; '.join([describe(group) for group in self.param_groups])})"

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        """The optimiser's formula, in place on flat arrays: parameters, gradients, memory; t counts steps from 1.

        `g` is not the update's to write on: after a compiled step it is what `p.grad` shows.
        """
        raise TypeError(f"{type(self).__name__} has no update rule: define update(p, g, slots, t, group).")

    def check_groups(self) -> None:
        """`check` every group; `ValueError` for parameters put there by hand, of which the buffers know nothing."""
        listed = [group["params"] for group in self.param_groups]
        if len(listed) != len(self.members) or not all(map(same_members, listed, self.members)):
            raise ValueError(
                f"{type(self).__name__}: param_groups has other parameters than those given: use add_param_group, or "
                "make a new optimizer."
            )
        for i, group in enumerate(self.param_groups):
            if self.checked.get(i) != group:  # they are checked when they have changed
                self.check(group)
                self.checked[i] = {name: list(x) if type(x) is list else x for name, x in group.items()}

    def check(self, group: Group) -> None:
        """Raise `TypeError` for an unknown setting, `DtypeError` or `ValueError` for one of the wrong kind or range."""
        given, known = group.keys() - {"params", "initial_lr"}, self.defaults.keys()
        if unknown := given - known:
            raise TypeError(
                f"{type(self).__name__}: a group has no setting {sorted(unknown)}; there are {sorted(known)}."
            )
        if missing := known - given:
            raise TypeError(f"{type(self).__name__}: a group lacks {sorted(missing)}.")
        for name in self.at_least_zero:
            if name in group:
                at_least_zero(f"{type(self).__name__}: {name}", group[name])
        for name in FLAGS:
            true_or_false(type(self).__name__, name, group.get(name, False))
        for name in self.pairs:
            if np.shape(group[name]) != (2,):
                raise DtypeError(f"{type(self).__name__}: {name}={group[name]!r:.60}; {name} is a pair of numbers.")
            for x in group[name]:
                number(f"{type(self).__name__}: {name}", x)
        for name in self.below_one:
            for x in group[name] if name in self.pairs else [group[name]]:
                if not 0.0 <= number(f"{type(self).__name__}: {name}", x) < 1.0:
                    raise ValueError(f"{type(self).__name__}: {name}={group[name]}; it is at least 0 and below 1.")

    # ---------------------------------------------------------------------------------------------- stop and continue
    def state_dict(self) -> dict[str, Any]:
        """PyTorch's form: the memory per parameter, by number, and the groups' settings.  All arrays are copies."""
        numbers = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": self.memory(numbers), "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict` of an optimiser with the same parameters; on an error nothing has changed.

        One of PyTorch's fits, too, with its tensors as NumPy arrays.
        """
        if not isinstance(state, dict) or not {"state", "param_groups"} <= set(state):
            found = list(state)[:4] if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"optimizer: a state_dict has 'state' and 'param_groups'; this one has {found}.")
        kept, saved = state["state"], state["param_groups"]
        if not isinstance(kept, dict) or not isinstance(saved, list) or not all(map(is_group, saved)):
            raise ValueError(
                'optimizer: of a state_dict "state" is a dict, "param_groups" a list of dicts with "params".'
            )
        if [len(group["params"]) for group in saved] != [len(members) for members in self.members]:
            raise ValueError("optimizer: the state has other parameter groups than this optimizer.")
        settings = [self.settings_of(loaded) for loaded in saved]
        for loaded in settings:
            if unknown := set(loaded) - set(self.defaults) - {"initial_lr"}:
                raise ValueError(f"{type(self).__name__}: the state of another optimizer, with {sorted(unknown)}.")
            if missing := set(self.defaults) - set(loaded):
                raise ValueError(f"{type(self).__name__}: a group of the state lacks {sorted(missing)}.")
        groups = [{**group, **loaded} for group, loaded in zip(self.param_groups, settings, strict=True)]
        for group in groups:
            self.check(group)
        params = [p for group in groups for p in group["params"]]
        known = range(len(params))
        memory = {
            i: self.from_pytorch(m, params[i]) if i in known and isinstance(m, dict) else m for i, m in kept.items()
        }
        self.set_memory(memory, groups)
        for group, loaded in zip(self.param_groups, settings, strict=True):
            group.update(loaded)

    def settings_of(self, loaded: Group) -> Group:
        """The settings in a group of a state, without what only PyTorch keeps there."""
        settings = {k: v for k, v in loaded.items() if k not in PYTORCHS and k != "params"}
        of_pytorch = bool(PYTORCHS & set(loaded))
        return dict.fromkeys(self.not_in_pytorch, False) | settings if of_pytorch else settings

    def from_pytorch(self, memory: dict[str, Any], p: Value) -> dict[str, Any]:
        """The memory of a parameter as we have it, where PyTorch has it otherwise."""
        return {name: plain(x) if name == "step" else x for name, x in memory.items()}

    def memory(self, numbers: dict[int, int]) -> dict[int, Any]:
        """What `state_dict` saves per parameter that has been updated: its step count, and its part of each slot."""
        state: dict[int, Any] = {}
        for flat in [flat for flats in self.flats for flat in flats]:
            for p, where, shape, t in zip(flat.params, flat.slices, flat.shapes, flat.steps, strict=True):
                if t:
                    slots = {name: a[where].reshape(shape).copy() for name, a in flat.state.items()}
                    state[numbers[id(p)]] = {"step": t, **slots}
        return dict(sorted(state.items()))

    def check_memory(self, state: dict[int, Any], groups: list[Group]) -> None:
        """Raise `ValueError` if a parameter's memory lacks a slot, or has one that the rule doesn't know."""
        of = [group for group in groups for _ in group["params"]]
        first: dict[int, set[str]] = {}  # what the first parameter of a group remembers
        for i, memory in state.items():
            if i not in range(len(of)) or not isinstance(memory, dict) or "step" not in memory:
                raise ValueError(f"optimizer: state {i!r:.20} belongs to no parameter, or has no 'step'.")
            names, group = set(memory) - {"step"}, of[i]
            if self.remembers is None:
                known = needed = first.setdefault(id(group), names)
            else:
                known = set(self.remembers)
                needed = {name for name, setting in self.remembers.items() if not setting or group[setting]}
            if names - known or needed - names:
                raise ValueError(
                    f"{type(self).__name__}: the memory of parameter {i} has {sorted(names)}; it needs "
                    f"{sorted(needed)}, and nothing unknown: the state is incomplete or of another rule."
                )

    def set_memory(self, state: dict[int, Any], groups: list[Group]) -> None:
        """Take over what `memory` gave; all of it is looked at before anything is written."""
        self.check_memory(state, groups)
        params = [p for group in groups for p in group["params"]]
        steps, arrays = [0] * len(params), [dict[str, np.ndarray]() for _ in params]
        for i, memory in state.items():
            steps[i] = int(at_least_zero(f"optimizer: the step of parameter {i}", memory["step"]))
            if steps[i] != memory["step"]:  # PyTorch counts in floats
                raise ValueError(f"optimizer: the step of parameter {i} is {memory['step']}, not a whole number.")
            for name, array in memory.items():
                if name != "step":
                    if np.shape(array) != params[i].shape:
                        raise ShapeError(
                            f"optimizer: state {name} of parameter {i} has shape {np.shape(array)}, not "
                            f"{params[i].shape}."
                        )
                    arrays[i][name] = np.asarray(to_constant(array, params[i].dtype))
        numbers = {id(p): i for i, p in enumerate(params)}
        for flat in [flat for flats in self.flats for flat in flats]:
            flat.state, flat.steps = {}, [steps[numbers[id(p)]] for p in flat.params]
            for p, where in zip(flat.params, flat.slices, strict=True):
                for name, array in arrays[numbers[id(p)]].items():
                    Slots(flat, where)[name][...] = array.reshape(-1)


def prepare(p: np.ndarray, g: np.ndarray, slots: Slots, group: Group) -> np.ndarray:
    """The gradient after the settings that all optimisers share; a decoupled decay is done to p."""
    if group.get("maximize"):
        g = np.negative(g, out=slots.gathered())
    if decay := group.get("weight_decay"):
        if group.get("decoupled_weight_decay"):
            p *= 1.0 - group["lr"] * decay
        else:
            g = np.add(g, np.multiply(p, decay, out=slots.scratch()), out=slots.gathered())
    return g


def average(m: np.ndarray, beta: float, x: np.ndarray, slots: Slots) -> None:
    """m <- beta m + (1 - beta) x, in place: a running average of the x that forgets at the rate beta."""
    m *= beta
    m += np.multiply(x, 1.0 - beta, out=slots.scratch())


def average_of_squares(v: np.ndarray, beta: float, x: np.ndarray, slots: Slots) -> None:
    """v <- beta v + (1 - beta) x², in place."""
    v *= beta
    weighted = np.multiply(x, 1.0 - beta, out=slots.scratch())
    v += np.multiply(weighted, x, out=weighted)


def same_members(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(is_, a, b))


def members(params: Any) -> list[Any]:
    """The parameters or groups in a list."""
    if hasattr(params, "parameters"):
        raise DtypeError(f"optimizer: params is a list, not a {type(params).__name__}: use model.parameters().")
    if callable(params):
        raise DtypeError("optimizer: params is a function: call it: model.parameters().")
    if not isinstance(params, Iterable):
        raise DtypeError(f"optimizer: params={params!r:.60} is no list of Values: use model.parameters().")
    return list(params)


def is_group(x: Any) -> bool:
    return isinstance(x, dict) and isinstance(x.get("params"), (list, tuple))


def true_or_false(owner: str, name: str, x: Any) -> None:
    if not isinstance(x, (bool, np.bool_)):
        raise DtypeError(f"{owner}: {name}={x!r:.60}; {name} is True or False.")


def plain(x: Any) -> Any:
    """A number that stood in an array without axes, as PyTorch's numbers do."""
    return x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x


def name_of(p: Value, i: int) -> str:
    return p.label or f"parameter {i}"
