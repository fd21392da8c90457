"""Scalars that do the same, together: from a graph of single numbers to one of arrays.

A network written number by number repeats itself: a neuron for each example, a product for each weight.  Here sums and
products that are used once are taken together as sums of products; results that are made in the same way, at the same
distance from the inputs, become one array; and where every row of factors on the left meets every row on the right,
the array is a matrix product.  The arrays are `Value`s made by gates, so their derivatives are the gates' own.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from ..gates import REGISTRY
from ..value import Value

__all__ = ["vectorise"]

WORTH_IT = 60  # how many numbers an array must stand for, on average
Ref = tuple[int, int]  # a number's place: which array, and where in it (as if flat)
SUMS = ("add", "subtract", "negative")
PARTS = (*SUMS, "multiply")

getitem, reshape, transpose = REGISTRY["getitem"], REGISTRY["reshape"], REGISTRY["transpose"]
concatenate, broadcast_to, matmul, multiply = (
    REGISTRY[n] for n in ("concatenate", "broadcast_to", "matmul", "multiply")
)
add, total = REGISTRY["add"], REGISTRY["sum"]


class Sum:
    """A sum of products: `terms` are (sign, factors), with one or two factors each."""

    def __init__(self, terms: list[tuple[float, tuple[Any, ...]]]) -> None:
        self.terms = sorted(terms, key=lambda term: (-len(term[1]), -term[0]))

    @property
    def kind(self) -> Any:
        return tuple([(n, sign, len(list(run))) for (n, sign), run in groupby(self.terms, lambda t: (len(t[1]), t[0]))])


def vectorise(root: Value, recorder: Any) -> dict[Value, tuple[Value, int]] | None:
    """For `root` and every other scalar that got a place of its own: its array and the index there (as if flat).

    None where too little repeats itself.
    """
    fed = scalars_behind(root)
    nodes = sorted(fed, key=attrgetter("_number"))
    uses: dict[Value, int] = {root: 1}
    owner: dict[Value, Value] = {}  # the last that uses it
    for node in nodes:
        for x in fed[node]:
            if isinstance(x, Value):
                uses[x] = uses.get(x, 0) + 1
                owner[x] = node
    # an absorbed node is part of the one sum that uses it: a product only inside a sum
    absorbed = {
        n for n in nodes
        if uses[n] == 1 and n is not root and n.gate.name in PARTS and owner[n].gate.name in SUMS  # type: ignore[union-attr]
    }  # fmt: skip
    rules: dict[Value, Any] = {}
    level: dict[Any, int] = {}
    groups: dict[Any, list[Value]] = {}
    for node in nodes:
        if node in absorbed:
            continue
        rule = rules[node] = flattened(node, absorbed, fed) if node.gate.name in PARTS else None  # type: ignore[union-attr]
        operands = [x for _, factors in rule.terms for x in factors] if rule else fed[node]
        level[node] = 1 + max([level.get(x, 0) for x in operands if isinstance(x, Value)], default=0)
        groups.setdefault((level[node], rule.kind if rule else node.gate), []).append(node)
        if len(nodes) < WORTH_IT * len(groups):
            return None
    places = Places(recorder, [x for n in nodes for x in fed[n] if isinstance(x, Value) and x not in fed])
    for (_, kind), members in sorted(groups.items(), key=lambda item: item[0][0]):
        if isinstance(kind, tuple) and len(members) == 1:
            places.put(members, lone_sum(places, rules[members[0]]))
        elif isinstance(kind, tuple):
            sums_of_products(places, members, [rules[m] for m in members])
        else:
            elementwise(places, members, kind)
    return {node: places.of(node) for node in rules}


def scalars_behind(root: Value) -> dict[Value, tuple[Any, ...]]:
    """The scalar gates behind `root`, each with its inputs."""
    stack, fed = [root], {}
    while stack:
        node = stack.pop()
        if node not in fed and node.gate is not None and node._saved is None:  # no leaf, and not made from arrays
            fed[node] = inputs = node.inputs
            stack += [x for x in inputs if isinstance(x, Value)]
    return fed


def flattened(node: Value, absorbed: set[Value], fed: dict[Value, tuple[Any, ...]]) -> Sum:
    terms = []
    stack = [(1.0, node)]
    while stack:
        sign, x = stack.pop()
        if x is not node and x not in absorbed:
            terms.append((sign, (x,)))
        elif x.gate.name == "multiply":  # type: ignore[union-attr]
            terms.append((sign, fed[x]))
        elif x.gate.name == "negative":  # type: ignore[union-attr]
            stack.append((-sign, fed[x][0]))
        else:
            a, b = fed[x]
            stack.append((-sign if x.gate.name == "subtract" else sign, b))  # type: ignore[union-attr]
            stack.append((sign, a))
    return Sum(terms)


class Places:
    """The arrays so far, and where each scalar lies in them."""

    def __init__(self, recorder: Any, atoms: list[Value]) -> None:
        self.arrays: list[Any] = []
        self.refs: dict[Value, Ref] = {}
        self.numbers: dict[float, int] = {}  # constants, and where each stands
        self.joined: dict[tuple[int, ...], tuple[Any, dict[int, int]]] = {}
        self.constants = self.new(None)
        leaves: dict[bool, list[Value]] = {True: [], False: []}  # those that learn, and frozen ones
        sources: dict[Value, int] = {}
        for x in dict.fromkeys(atoms):
            if x.gate is None and not recorder.captured(x):
                self.refs[x] = self.ref(x._raw)
            elif x.gate is None:
                leaves[x._requires_grad].append(x)
            elif (element := element_of(x)) is not None:
                source, i = element
                if source not in sources:
                    sources[source] = self.new(reshape(source, shape=-1))
                self.refs[x] = sources[source], i
            else:
                self.refs[x] = self.new(reshape(x, shape=(1,))), 0
        for some in leaves.values():
            if some:
                some.sort(key=lambda x: recorder.age.setdefault(x, x._number))
                place = self.new(recorder.vector(some))
                self.refs |= {x: (place, i) for i, x in enumerate(some)}

    def new(self, array: Any) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def ref(self, x: Any) -> Ref:
        if isinstance(x, Value):
            return self.refs[x]
        return self.constants, self.numbers.setdefault(float(x), len(self.numbers))

    def of(self, x: Value) -> tuple[Value, int]:
        place, i = self.refs[x]
        return self.arrays[place], i

    def scalar(self, x: Any) -> Any:
        """One number by itself."""
        if not isinstance(x, Value):
            return float(x)
        place, i = self.refs[x]
        if place == self.constants:
            return list(self.numbers)[i]
        array = self.arrays[place]
        return getitem(array, i) if array.shape else array

    def put(self, members: list[Value], array: Any) -> None:
        """The members lie in the array in this order."""
        place = self.new(reshape(array, shape=-1) if len(array.shape) > 1 else array)
        self.refs |= {node: (place, i) for i, node in enumerate(members)}

    # -------------------------------------------------------------------------------------------------- gathering
    def gather(self, refs: Any) -> Any:
        """The numbers at an array of places, refs (..., 2), in its shape."""
        which = np.unique(refs[..., 0])
        if len(which) == 1 and which[0] == self.constants:
            table = np.array(list(self.numbers))
            return table[refs[..., 1]]
        if len(which) == 1:
            return view(flat(self.arrays[which[0]]), refs[..., 1])
        whole, starts = self.together(tuple(which.tolist()))
        return view(whole, refs[..., 1] + np.vectorize(starts.get)(refs[..., 0]))

    def together(self, which: tuple[int, ...]) -> tuple[Any, dict[int, int]]:
        """Several arrays one behind the other, and where each begins."""
        parts = [np.array(list(self.numbers)) if i == self.constants else flat(self.arrays[i]) for i in which]
        starts = np.cumsum([0] + [p.shape[0] for p in parts]).tolist()
        if which not in self.joined or self.constants in which:
            self.joined[which] = concatenate(parts), dict(zip(which, starts, strict=False))
        return self.joined[which]


def flat(array: Any) -> Any:
    return array if array.shape else reshape(array, shape=(1,))


def element_of(x: Value) -> tuple[Value, int] | None:
    """The array that a number was picked from, and its index there."""
    index: tuple[int, ...] = ()
    while x.gate is getitem:
        (source,), (_, _, i), _ = x._saved
        i = i if isinstance(i, tuple) else (i,)
        if not isinstance(source, Value) or not all([isinstance(k, (int, np.integer)) for k in i]):
            return None
        index = (*i, *index)
        x = source
    if not index or len(index) != len(x.shape):
        return None
    return x, int(np.ravel_multi_index([k % n for k, n in zip(index, x.shape, strict=True)], x.shape))


def view(source: Any, index: Any) -> Any:
    """source[index] for a flat source: without copies, where the index is regular."""
    if index.ndim > 1:
        for axis in range(index.ndim):
            if index.shape[axis] > 1 and (index == index.take([0], axis)).all():  # the same along this axis
                return broadcast_to(view(source, index.take([0], axis)), index.shape)
    flat = index.reshape(-1)
    n, first = len(flat), int(flat[0])
    if (flat == np.arange(first, first + n)).all():
        part = source if n == source.shape[0] else getitem(source, slice(first, first + n))
        return reshape(part, shape=index.shape) if index.ndim != 1 else part
    if index.ndim == 2:
        for rows, turned in ((index, False), (index.T, True)):
            if (block := block_of(source, rows)) is not None:
                return transpose(block) if turned else block
    return getitem(source, index)


def block_of(source: Any, index: Any) -> Any:
    """index[i, j] = first + step i + j: a block of columns of the source as a table with `step` columns."""
    rows, columns = index.shape
    step = int(index[1, 0] - index[0, 0]) if rows > 1 else 0
    first, n = int(index[0, 0]), source.shape[0]
    if step < columns or (index != first + step * np.arange(rows)[:, None] + np.arange(columns)).any():
        return None
    start = min(first, n - step * rows)
    if start < 0 or first - start + columns > step:
        return None
    part = source if step * rows == n else getitem(source, slice(start, start + step * rows))
    table = reshape(part, shape=(rows, step))
    return table if columns == step else getitem(table, (slice(None), slice(first - start, first - start + columns)))


# ------------------------------------------------------------------------------------------------------ groups
def elementwise(places: Places, members: list[Value], gate: Any) -> None:
    members.sort(key=lambda m: [places.ref(x) for x in m.inputs])
    columns = [np.array([places.ref(m.inputs[i]) for m in members]) for i in range(len(members[0].inputs))]
    places.put(members, gate(*[places.gather(refs) for refs in columns]))


def sums_of_products(places: Places, members: list[Value], sums: list[Sum]) -> None:
    signs = np.array([sign for sign, _ in sums[0].terms])
    pairs = [[f for _, f in s.terms if len(f) == 2] for s in sums]
    alone = [[f for _, f in s.terms if len(f) == 1] for s in sums]
    n, p = len(members), len(pairs[0])
    left, right = (np.array([[places.ref(f[side]) for f in row] for row in pairs]).reshape(n, p, 2) for side in (0, 1))
    singles = np.array([[places.ref(f) for (f,) in row] for row in alone]).reshape(n, len(alone[0]), 2)
    grid = (n, 1)
    order = np.arange(n)
    if p:
        (rows, of_row), (columns, of_column) = numbered(left), numbered(right)
        place = of_row * len(columns) + of_column
        if len(rows) * len(columns) == n == len(set(place.tolist())):  # every row meets every column, once
            order, grid = np.argsort(place), (len(rows), len(columns))
            a, b = signed(places.gather(left[rows]), signs[:p]), places.gather(right[columns])
            out = matmul(a, transpose(b))
        else:
            out = signed(places.gather(left), signs[:p]) * places.gather(right)
            out = total(out, axis=1, keepdims=True) if p > 1 else out
    refs = singles[order].reshape(*grid, -1, 2)
    if refs.shape[2] > 1:
        rest = total(signed(places.gather(refs), signs[p:]), axis=-1)
        out = add(out, rest) if p else rest
    elif refs.shape[2]:
        rest = signed(places.gather(refs[:, :, 0]), signs[p:])
        out = add(out, rest) if p else rest
    places.put([members[i] for i in order], out)


def lone_sum(places: Places, rule: Sum) -> Any:
    """A sum that stands alone: what comes from the same arrays is summed together."""
    parts: dict[Any, list[tuple[Any, ...]]] = {}
    for sign, factors in rule.terms:
        factors = tuple(sorted(factors, key=lambda x: isinstance(x, Value), reverse=True))
        parts.setdefault((sign, tuple([places.ref(x)[0] for x in factors])), []).append(factors)
    result: Any = None
    for (sign, _), terms in parts.items():
        if len(terms) == 1:
            part = places.scalar(terms[0][0])
            for x in terms[0][1:]:
                part = part * places.scalar(x)
        else:
            columns = [places.gather(np.array([places.ref(x) for x in column])) for column in zip(*terms, strict=True)]
            part = (
                matmul(*columns)
                if len(columns) == 2
                else total(columns[0])
                if isinstance(columns[0], Value)
                else columns[0].sum().item()
            )
        result = (part if sign > 0 else -part) if result is None else result + part if sign > 0 else result - part
    return result if isinstance(result, Value) else Value(result, requires_grad=False)


def numbered(tuples: Any) -> tuple[Any, Any]:
    """The rows that differ, by their first occurrence, and for each row the number of its like."""
    known: dict[bytes, int] = {}
    number = np.array([known.setdefault(row.tobytes(), len(known)) for row in tuples])
    return np.unique(number, return_index=True)[1], number


def signed(x: Any, signs: Any) -> Any:
    return x if (signs > 0).all() else multiply(x, signs)
