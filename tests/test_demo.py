"""The tour: the numbers of the sources, the same ones twice, and a page that is safe and complete."""

from __future__ import annotations

import html
import math
from html.parser import HTMLParser

import numpy as np
import pytest

from minigrad import data, demo, nn
from minigrad.demo import checking, circuits, digits, moons, page, spiral
from minigrad.train import History


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder") / "demo-out"
    return folder, demo.run(folder, quick=True)


@pytest.fixture(scope="module")
def split():
    return data.load_digits()


# ------------------------------------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize("row", circuits.CIRCUITS, ids=lambda row: row[0])
def test_circuits_have_the_numbers_of_the_notes(row):
    _, circuit, _, notes = row
    f, inputs = circuit()
    f.backward()
    np.testing.assert_allclose([f.data, *[x.grad for x in inputs]], notes, rtol=1e-14)


def test_the_sigmoid_neuron_backwards_gate_by_gate():
    f, _ = circuits.sigmoid_neuron()
    f.backward()
    gradients, v = [], f
    for _ in range(5):  # 1/x, +1, exp, *-1
        gradients.append(v.grad)
        v = next(x for x in v.inputs if hasattr(x, "gate") and x.gate is not None)
    np.testing.assert_allclose(gradients, [1.0, -0.53, -0.53, -0.2, 0.2], atol=0.005)  # as printed in the notes


def test_digits_meet_their_marks(split):
    _, svm_first, svm_history = digits.train_svm(split, epochs=25)
    _, mlp_first, mlp_history = digits.train_mlp(split, epochs=25)
    assert svm_first == pytest.approx(9.0, abs=0.02)
    assert mlp_first == pytest.approx(math.log(10.0), abs=0.002)
    assert svm_history["val_accuracy"][-1] >= 0.95
    assert mlp_history["val_accuracy"][-1] >= 0.96


@pytest.mark.parametrize("train", [digits.train_svm, digits.train_mlp])
def test_digits_twice_are_the_same_bit_for_bit(split, train):
    (first, a, history), (second, b, again) = train(split, epochs=2), train(split, epochs=2)
    assert a == b
    assert history.epochs == again.epochs
    for name, array in first.state_dict().items():
        assert array.tobytes() == second.state_dict()[name].tobytes()


def test_linear_spiral_gets_the_loss_of_the_notes():
    random = np.random.RandomState(0)
    X, y = data.make_spiral(rng=random)
    loss, accuracy = spiral.train_softmax(spiral.small_normal(nn.Linear(2, 3), random), X, y, updates=190)
    assert loss == pytest.approx(0.786302, abs=1e-6)
    assert 0.45 <= accuracy <= 0.58


def test_a_network_untangles_the_spiral():
    random = np.random.RandomState(0)
    X, y = data.make_spiral(rng=random)
    loss, accuracy = spiral.train_softmax(spiral.small_normal(nn.MLP([2, 100, 3]), random), X, y, updates=10_000)
    assert 0.235 <= loss <= 0.26
    assert accuracy >= 0.97


@pytest.mark.parametrize("train", [digits.train_svm, digits.train_mlp])
def test_ctrl_c_ends_the_tour_and_not_only_one_training(monkeypatch, split, train):
    monkeypatch.setattr(digits, "fit", lambda *args, **kwargs: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        train(split, epochs=1)


def test_only_the_network_separates_the_moons():
    X, y = data.make_moons(200, noise=0.1, rng=0)
    line = moons.train_binary(nn.LinearSVM(2, 1, rng=0), X, 2 * y - 1, epochs=300)
    bend = moons.train_binary(nn.MLP([2, 16, 16, 1], rng=0), X, 2 * y - 1, epochs=300)
    assert 0.8 <= line["accuracy"] <= 0.92
    assert bend["accuracy"] == 1.0


def test_the_check_passes_right_gradients_and_fails_a_wrong_one(split):
    X, y = split.X_train[:3], split.y_train[:3]
    model = nn.Linear(64, 10, rng=0)
    before = model.state_dict()
    loss = nn.CrossEntropyLoss()
    assert all(error < 1e-7 for *_, error in checking.compare(model, loss, X, y))
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())

    class Wrong(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 0.01 * self.bias.detach()  # a part of the bias gets no gradient

    rows = checking.compare(Wrong(64, 10, rng=0), loss, X, y)
    assert [name for name, *_, error in rows if error > 1e-3] == ["bias"]


# ---------------------------------------------------------------------------------------------------------------- page
class Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.images, self.links, self.ids, self.open = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            self.images.append((attributes["src"], attributes["alt"]))
        self.links += [attributes["href"]] if "href" in attributes else []
        self.ids += [attributes["id"]] if "id" in attributes else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_every_picture_and_nothing_from_elsewhere(tour):
    folder, _ = tour
    text = (folder / "index.html").read_text()
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    pictures = {file.name for file in folder.iterdir()} - {"index.html"}
    assert {src for src, _ in outline.images} == pictures
    assert {f"circuit-{i}.svg" for i in range(1, 6)} < pictures
    assert all(alt for _, alt in outline.images)
    assert {link[1:] for link in outline.links if link.startswith("#")} == set(outline.ids)
    assert "script" not in outline.tags
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
    assert "unsafe" not in text


def test_pictures_are_pictures(tour):
    folder, _ = tour
    for file in folder.glob("*.png"):
        assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert file.stat().st_size > 5000, file.name
    neuron = html.unescape((folder / "circuit-4.svg").read_text())
    assert ">0.7311<" in neuron
    assert ">-0.5344<" in neuron


def test_the_page_and_the_terminal_give_the_same_numbers(tour):
    folder, sections = tour
    text = (folder / "index.html").read_text()
    assert [section.title for section in sections] == [
        "Five circuits", "Are the gradients right?", "Reading digits", "Two moons", "The spiral",
    ]  # fmt: skip
    for section in sections:
        for table in [part for part in section.parts if isinstance(part, page.Table)]:
            for row in table.rows:
                assert all(cell in section.as_text() for cell in row)
                assert all(f">{cell}<" in text for cell in row)
                assert "NO" not in row
                assert "WRONG" not in row


def test_text_is_escaped(tmp_path):
    hostile = "<script>alert('1')</script> & \"quotes\""
    table = page.Table([hostile, hostile], [[hostile, hostile]])
    section = page.Section(hostile, hostile, [hostile, table, ('a"b.png', hostile)])
    text = page.write_page(tmp_path, [section], quick=False).read_text()
    assert "<script" not in text
    assert 'a"b' not in text
    outline = Outline()
    outline.feed(text)
    assert outline.images == [('a"b.png', hostile)]


def test_tables_line_up_in_a_terminal():
    table = page.Table(["name", "n"], [["a", "1.5"], ["longer", "10"]])
    assert table.as_text() == "name      n\na       1.5\nlonger   10"
