"""Draw the pictures of the README again: python docs/pictures.py"""

from pathlib import Path

import minigrad as mg

HERE = Path(__file__).parent / "pictures"


def circuit() -> mg.Value:
    """CS231n's first circuit, f = (x + y) z, after its backward pass."""
    x, y, z = mg.Value(-2.0, label="x"), mg.Value(5.0, label="y"), mg.Value(-4.0, label="z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    f.backward()
    return f


if __name__ == "__main__":
    drawing = mg.viz.draw(circuit())
    HERE.mkdir(exist_ok=True)
    (HERE / "circuit.dot").write_text(drawing.source)
    (HERE / "circuit.svg").write_bytes(drawing.pipe(format="svg"))
