"""The explorer page as a reader has it: numbers on the wires, steps, keys, the quiz, the address, hostile labels."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, viz
from minigrad.demo.circuits import patterns, sigmoid_neuron, staged, sum_times
from minigrad.viz.explorer.graph import Graph

pytestmark = pytest.mark.browser


def number(text):
    return float(text.replace("−", "-"))


def near(text, value):
    """Whether the text is this number, to the four digits that the page shows."""
    return abs(number(text) - value) <= 6e-4 * abs(value)


def fan_out():
    a = Value(3.0, label="a")
    b = a + a
    f = a * b * a
    f.label = "f"
    return f


CIRCUITS = {
    "x + y, times z": lambda: sum_times()[0],
    "a neuron": lambda: sigmoid_neuron()[0],
    "patterns": lambda: patterns()[0],
    "staged": lambda: staged()[0],
    "a fan-out": fan_out,
}

DRAWN = """app => {
  const frame = (element) => { const r = element.getBBox(); return [r.x, r.y, r.x + r.width, r.y + r.height]; };
  const point = (path, t) => { const p = path.getPointAtLength(t); return [p.x, p.y]; };
  const ends = (path) => [point(path, 0), point(path, path.getTotalLength())];
  return {
    boxes: app.level.boxes.map((box, k) => ({
      members: box.members, frame: frame(app.drawing.boxes[k].group.querySelector("rect")),
      value: app.drawing.boxes[k].value.textContent, grad: app.drawing.boxes[k].grad?.textContent ?? null,
      texts: [...app.drawing.boxes[k].group.querySelectorAll("text")].map(frame),
    })),
    wires: app.level.wires.map((wire, k) => ({
      parts: wire.parts, ends: ends(app.drawing.wires[k].path),
      value: app.drawing.wires[k].value?.textContent ?? null, grad: app.drawing.wires[k].grad?.textContent ?? null,
      texts: [app.drawing.wires[k].value, app.drawing.wires[k].grad].filter(t => t?.textContent).map(frame),
    })),
  };
}"""


@pytest.mark.parametrize("name", CIRCUITS)
def test_each_wire_ends_at_its_boxes_and_shows_its_source_s_value_and_what_it_adds(visit, name):
    root = CIRCUITS[name]()
    drawn = visit(viz.explore(root)).state(DRAWN)
    root.backward()
    graph = Graph.behind(root, None, 10**6)
    home = {at: box for box in drawn["boxes"] for at in box["members"]}
    assert len(drawn["wires"]) == sum(map(len, graph.inputs))
    for wire in drawn["wires"]:
        ((gate, i),) = wire["parts"]
        source = graph.inputs[gate][i]
        for (x, y), at, side in zip(wire["ends"], (source, gate), (2, 0), strict=True):
            left, top, right, bottom = home[at]["frame"]
            assert abs(x - (left, top, right, bottom)[side]) < 3, "it begins on the right and ends on the left"
            assert top - 3 < y < bottom + 3
        value = graph.values[source]
        if isinstance(value, Value):
            assert near(wire["value"], value.item())
            assert near(wire["grad"], graph.values[gate].contributions()[i])
    for at, value in enumerate(graph.values):
        if isinstance(value, Value):
            assert near(home[at]["value"], value.item())
            assert near(home[at]["grad"], value.grad)
            out = [number(w["grad"]) for w in drawn["wires"] for g, i in w["parts"] if graph.inputs[g][i] == at]
            assert not out or abs(sum(out) - number(home[at]["grad"])) <= 2e-3 * sum(map(abs, out))


@pytest.mark.parametrize("name", CIRCUITS)
def test_nothing_overlaps(visit, name):
    drawn = visit(viz.explore(CIRCUITS[name]())).state(DRAWN)
    boxes = [box["frame"] for box in drawn["boxes"]]
    texts = [text for wire in drawn["wires"] for text in wire["texts"]]

    def apart(a, b):
        return a[2] <= b[0] + 0.5 or b[2] <= a[0] + 0.5 or a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5

    for i, a in enumerate(boxes):
        assert all(apart(a, b) for b in boxes[i + 1 :] + texts)
    for box in drawn["boxes"]:
        left, top, right, bottom = box["frame"]
        assert all(t[0] >= left and t[2] <= right and t[1] >= top and t[3] <= bottom for t in box["texts"])


@pytest.mark.parametrize("name", CIRCUITS)
def test_stepping_forward_and_back_shows_what_is_known_by_then(visit, name):
    """Forward: one more value with each step.  Backward: the red on a value's wires always sums to its own red."""
    root = CIRCUITS[name]()
    page = visit(viz.explore(root))
    graph = Graph.behind(root, None, 10**6)
    gates = [at for at, inputs in enumerate(graph.inputs) if inputs]
    page.page.click("#first")
    seen = []
    for step in range(2 * len(gates) + 2):
        drawn = page.state(DRAWN)
        home = {at: box for box in drawn["boxes"] for at in box["members"]}
        known = gates[: min(step, len(gates))]
        assert [at for at in gates if home[at]["value"] != "·"] == known
        for wire in drawn["wires"]:
            source = graph.inputs[wire["parts"][0][0]][wire["parts"][0][1]]
            if isinstance(graph.values[source], Value):
                assert wire["value"] == ("" if home[source]["value"] == "·" else home[source]["value"])
        for at, value in enumerate(graph.values):
            if not isinstance(value, Value):
                continue
            wires = [w for w in drawn["wires"] for g, i in w["parts"] if graph.inputs[g][i] == at]
            red = [number(w["grad"]) for w in wires if w["grad"]]
            if red:
                assert abs(sum(red) - number(home[at]["grad"])) <= 2e-3 * sum(map(abs, red))
            elif wires:
                assert home[at]["grad"] == "·"
        seen.append(drawn)
        assert page.page.inner_text("#count") == f"{step} / {2 * len(gates) + 1}"
        if step <= 2 * len(gates):
            page.page.click("#next")
    for drawn in reversed(seen[:-1]):
        page.page.click("#back")
        assert page.state(DRAWN) == drawn


def test_the_chain_rule_is_written_with_names_and_numbers(visit):
    page = visit(viz.explore(sum_times()[0]))
    assert page.page.inner_text("#said").splitlines()[0] == "∂f/∂x += ∂f/∂q × ∂q/∂x = (−4) × 1 = −4"
    page.page.click("#back")
    said = page.page.inner_text("#said")
    assert "∂f/∂q += ∂f/∂f × ∂f/∂q = 1 × (−4) = −4; ∂f/∂q = z = −4" in said
    assert "A multiply gate exchanges its inputs" in said
    page.page.click("#back")
    assert page.page.inner_text("#said").startswith("∂f/∂f = 1")
    page.page.click("#back")
    assert page.page.inner_text("#said").strip() == "f = q × z = 3 × (−4) = −12"


def test_a_fan_out_says_how_many_of_its_paths_are_summed(visit):
    page = visit(viz.explore(fan_out()))
    said = page.page.inner_text("#said")  # the last step: through a + a
    assert "3 of 4 paths summed" in said or "4 of 4 paths summed" in said
    assert "4 of 4 paths summed: 54" in said  # f = 2a³, and 6a² = 54 at a = 3


def test_a_slider_changes_all_numbers_at_once_and_the_nudge_agrees(visit):
    page = visit(viz.explore(sum_times()[0]))
    page.page.locator("#rows input[type=range]").nth(2).fill("2.5")  # z
    assert page.state("app => app.replay.grads[0]") == 2.5
    assert page.page.locator("#circuit .gate .value").last.text_content() == "7.5"
    assert "They agree." in page.page.inner_text("#checked")
    for h in ("0.1", "0.001", "0.0000001"):
        page.page.select_option("#nudge", h)
        assert "They agree." in page.page.inner_text("#checked")


def test_a_nudge_across_a_kink_does_not_agree(visit):
    x = Value(0.05, label="x")
    page = visit(viz.explore(mg.relu(x) * 1.0))
    page.page.select_option("#nudge", "0.1")
    assert "They differ" in page.page.inner_text("#checked")
    page.page.select_option("#nudge", "0.001")
    assert "They agree" in page.page.inner_text("#checked")


def test_the_quiz_hides_one_gradient_everywhere_and_then_says_why(visit):
    page = visit(viz.explore(sum_times()[0]))
    page.page.click("#ask")
    hidden = page.state("app => app.hidden")
    names, grads = page.state("app => app.words.names"), page.state("app => app.replay.grads")
    page.page.click("#table summary")
    row = page.page.locator("#rows-of-table tr", has=page.page.get_by_role("rowheader", name=names[hidden], exact=True))
    assert row.locator("td").nth(2).inner_text() == "?"
    assert page.page.locator("#circuit text.grad", has_text="?").count() >= 2  # its box and its wires
    page.page.fill("#answer", "12345")
    page.page.keyboard.press("Enter")
    assert "Not yet" in page.page.inner_text("#result")
    page.page.fill("#answer", str(grads[hidden]).replace("-", "−"))
    page.page.keyboard.press("Enter")
    assert page.page.inner_text("#result").startswith("Right")
    assert f"∂f/∂{names[hidden]} += " in page.page.inner_text("#result")
    assert page.page.locator("#circuit text.grad", has_text="?").count() == 0
    page.page.click("#ask")
    page.page.click("#why")
    assert page.page.inner_text("#result").startswith("It is")


def test_the_address_holds_the_state(visit):
    circuit = viz.explore(sum_times()[0])
    page = visit(circuit)
    page.page.locator("#rows input[type=number]").nth(1).fill("0.125")
    page.page.keyboard.press("Tab")
    page.page.locator("#step").fill("4")
    page.page.wait_for_url("**s=4**")
    address = page.page.evaluate("location.hash")
    again = visit(circuit, address)
    assert again.state("app => [app.step, app.replay.values]") == page.state("app => [app.step, app.replay.values]")
    for nonsense in ("#s=nan&v0=1e999&v99=3&v0.7=2", "#%00", "#l=77&s=-4", "#v0=<script>"):
        other = visit(circuit, nonsense)
        assert other.state("app => app.replay.values.every(Number.isFinite)")


FOCUSED = "(({id, className, tagName}) => id || className.baseVal || tagName)(document.activeElement)"


def test_from_start_to_end_with_the_keyboard_alone(visit):
    page = visit(viz.explore(sigmoid_neuron()[0]))
    keys = page.page.keyboard
    keys.press("Home")
    assert page.page.inner_text("#heading") == "Step 0 of 17: start"
    for step in range(1, 18):
        keys.press("ArrowRight")
        assert page.page.inner_text("#heading").startswith(f"Step {step} of 17")
    keys.press("ArrowLeft")
    assert page.page.inner_text("#heading").startswith("Step 16 of 17")
    keys.press("End")
    reached = set()
    for _ in range(60):  # every control can be reached
        keys.press("Tab")
        reached.add(page.page.evaluate(FOCUSED))
    wanted = {"level", "smaller", "larger", "fit", "theme", "link", "print", "stage", "first", "back", "next", "end",
              "play", "step", "chosen", "reset", "nudge", "ask"}  # fmt: skip
    assert wanted - {"level"} <= reached
    assert any(str(name).startswith("box gate") for name in reached)
    page.page.locator("#circuit .gate[tabindex='0']").focus()
    keys.press("ArrowLeft")  # the focus goes with the steps
    assert page.page.evaluate("document.activeElement.dataset.now") == "backward"
    page.page.locator("#circuit .gate").nth(2).focus()
    keys.press("Enter")
    assert "backward" in page.page.inner_text("#heading")


def test_arrow_keys_in_a_field_belong_to_the_field(visit):
    page = visit(viz.explore(sum_times()[0]))
    page.page.locator("#rows input[type=range]").first.focus()
    page.page.keyboard.press("ArrowRight")
    assert page.page.inner_text("#count") == "5 / 5"


def test_playing_is_silent_for_screen_readers(visit):
    page = visit(viz.explore(sum_times()[0]))
    page.page.click("#play")
    assert page.page.get_attribute("#spoken", "aria-live") == "off"
    page.page.click("#play")
    assert page.page.get_attribute("#spoken", "aria-live") == "polite"


def model_page(rng):
    model = mg.nn.MLP([2, 16, 16, 1], activation=mg.nn.Tanh, rng=rng)
    loss = ((model(Value(np.array([[0.5, -1.0]]), label="x")) - 1.0) ** 2).sum()
    loss.label = "loss"
    return viz.explore(loss, model=model)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["circuit", "model", "hostile"])
def test_accessibility_by_axe(visit, rng, scheme, which, violations):
    pages = {"circuit": lambda: viz.explore(staged()[0]), "model": lambda: model_page(rng), "hostile": hostile}
    page = visit(pages[which](), color_scheme=scheme, bypass_csp=True)
    page.page.click("#table summary")
    page.page.click("#ask")
    for step in ("#first", "#end") if which == "circuit" else ("#back",):
        page.page.click(step)
        assert violations(page.page) == ""


def test_levels_show_modules_as_boxes_and_arrays_as_pictures(visit, rng):
    page = visit(model_page(rng))
    assert page.page.locator("#circuit image[href^='data:image/png']").count() >= 16
    options = page.page.locator("#level option").all_inner_texts()
    assert options[-1] == "the model as one box"
    page.page.select_option("#level", label="the model as one box")
    assert page.page.locator("#circuit .many").count() == 1
    text = page.page.locator("#circuit .many").inner_html()
    assert "337 parameters" in text
    assert "5 gates" in text
    page.page.select_option("#level", "0")
    page.page.locator("#circuit image").nth(2).hover()
    assert re.match(r"layers\.0\.weight\[\d+, \d+\] = ", page.page.inner_text("#tip"))
    page.page.locator("#circuit image").nth(2).click()
    assert page.page.locator("#rows .chosen").inner_text().startswith("layers.0.weight[")


@pytest.mark.parametrize("level", range(1, 4))
def test_on_every_level_the_wires_of_a_value_add_up_to_its_gradient(visit, rng, level):
    model = mg.nn.Sequential(
        mg.nn.Sequential(mg.nn.Linear(3, 4, rng=rng), mg.nn.Tanh()), mg.nn.Sequential(mg.nn.Linear(4, 1, rng=rng))
    )
    x = Value(rng.uniform(-1, 1, (1, 3)), label="x")
    out = model(x)
    root = (out * out + out).sum()
    page = visit(viz.explore(root, model=model))
    page.page.select_option("#level", str(level))
    drawn = page.state(DRAWN)
    root.backward()
    graph = Graph.behind(root, None, 10**6)
    home = {at: box for box in drawn["boxes"] for at in box["members"]}
    sums = {}
    for wire in drawn["wires"]:
        (source,) = {graph.inputs[gate][i] for gate, i in wire["parts"]}
        (end,) = {id(home[gate]) for gate, _ in wire["parts"]}
        assert abs(wire["ends"][0][0] - home[source]["frame"][2]) < 3
        box = next(box for box in drawn["boxes"] if id(box) == end)
        assert abs(wire["ends"][1][0] - box["frame"][0]) < 3
        value = graph.values[source]
        if isinstance(value, Value) and value.size == 1:
            assert near(wire["value"], value.item())
            sums[source] = sums.get(source, 0.0) + number(wire["grad"])
    for source, total in sums.items():
        assert total == pytest.approx(np.asarray(graph.values[source].grad).item(), rel=2e-3)


def scalar_network(rng, sizes=(2, 16, 16, 1)):
    values = [Value(x, label=f"x{i}") for i, x in enumerate((0.5, -1.0))]
    for n in sizes[1:]:
        values = [mg.tanh(sum(x * Value(w) for x, w in zip(values, rng.uniform(-1, 1, len(values)), strict=True)))
                  for _ in range(n)]  # fmt: skip
    (out,) = values
    return (out - 1.0) ** 2


def test_a_large_graph_collapses_by_itself_and_says_so(visit, rng):
    root = scalar_network(rng)
    circuit = viz.explore(root)
    assert re.match(r"[\d,]+ values: each box stands for several\. max_nodes=\d+ opens them\.", circuit.note)
    page = visit(circuit)
    assert page.page.inner_text("#note") == circuit.note
    assert page.page.locator("#circuit .many").count() == 34  # the neurons, and the loss
    root.backward()
    assert page.state("app => app.replay.grads[0]") == pytest.approx(
        Graph.behind(root, None, 10**6).values[0].grad, rel=1e-12
    )


def test_of_a_chain_that_is_too_long_the_part_next_to_the_result_is_shown(visit):
    x = Value(0.5, label="x")
    for _ in range(400):
        x = mg.sin(x * 1.01)
    circuit = viz.explore(x, max_nodes=20)
    assert "nearest to the result" in circuit.note
    assert visit(circuit).page.locator("#circuit .box").count() <= 20


@pytest.mark.parametrize("width", [320, 390, 640, 768, 1280])  # 640: 1280 at 200 % zoom
def test_nothing_sticks_out_at_any_width_and_targets_are_large_enough(visit, rng, width):
    page = visit(model_page(rng), viewport={"width": width, "height": 844})
    page.page.click("#ask")
    assert page.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    small = page.page.evaluate("""() => [...document.querySelectorAll("button, select, input, summary")]
        .filter(e => e.offsetParent && (e.getBoundingClientRect().height < 24 || e.getBoundingClientRect().width < 24))
        .map(e => e.id || e.outerHTML)""")
    assert small == []
    if width < 900:  # the steps stay at the thumb
        bar = page.page.locator(".steps").bounding_box()
        assert bar["y"] + bar["height"] <= 844 + 1


def test_reduced_motion_is_honoured(visit):
    page = visit(viz.explore(staged()[0]), reduced_motion="reduce")
    assert page.state("app => app.still.matches")
    assert page.page.evaluate("getComputedStyle(document.querySelector('.wire')).transitionDuration") == "0s"


PAPER = "getComputedStyle(document.documentElement).getPropertyValue('--paper')"


def test_printing_leaves_the_controls_out(visit):
    page = visit(viz.explore(staged()[0]), viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.page.emulate_media(media="print")
    assert not page.page.is_visible(".steps")
    assert page.page.is_visible("#circuit")
    assert page.page.evaluate(PAPER).strip() == "#ffffff"


def test_the_colours_can_be_chosen(visit):
    page = visit(viz.explore(staged()[0]))
    for theme, paper in (("dark", "#15181c"), ("light", "#ffffff")):
        page.page.select_option("#theme", theme)
        assert page.page.evaluate(PAPER).strip() == paper


# ------------------------------------------------------------------------------------------------------------- security
HOSTILE = [
    "<script>window.__pwn=1</script>",
    "</script><script>window.__pwn=1</script>",
    "<img src=x onerror=window.__pwn=1>",
    '"><svg onload=window.__pwn=1>',
    '<<TABLE><TR><TD HREF="javascript:window.__pwn=1">x</TD></TR></TABLE>>',
    "javascript:window.__pwn=1",
    "${window.__pwn=1}",
    "`+(window.__pwn=1)+`",
    "*/window.__pwn=1/*",
    "'];window.__pwn=1;['",
    "\\u003cscript>window.__pwn=1\\u003c/script>",
    "<!--<script>",
    "]]><script>window.__pwn=1</script>",
    "a\u2028b\u2029c",
    "x\x00\x1b[31m\u202e",
    "\u200b\u200b",
    "__proto__",
    "constructor",
    '" URL="javascript:window.__pwn=1',
    "\\N\\G{|}",
]


def hostile():
    values = [Value(float(i), label=label) for i, label in enumerate(HOSTILE)]
    root = sum([v * v for v in values[1:]], values[0] * 1.0)
    root.label = HOSTILE[1]
    return viz.explore(root, title=HOSTILE[1])


def test_hostile_labels_run_nothing(visit):
    page = visit(hostile())
    page.page.click("#table summary")
    for _ in range(3):
        page.page.click("#back")
    page.page.click("#ask")
    for gate in page.page.locator("#circuit .gate").all()[:4]:
        gate.click()
    assert page.page.evaluate("window.__pwn") is None
    text = page.page.inner_text("body")
    assert HOSTILE[0] in text  # shown as what they are
    assert HOSTILE[2][:30] in text
    options = page.page.locator("#chosen option").all_inner_texts()
    assert all(text.strip() for text in options)  # also for a label that can't be seen


def test_a_hostile_symbol_and_gate_name_run_nothing(visit):
    gate = mg.Gate("</script><script>window.__pwn=1</script>", lambda x: np.sin(x), local=[lambda out, x: mg.cos(x)],
                   symbol="<img onerror=window.__pwn=1 src=x>")  # fmt: skip
    page = visit(viz.explore(gate(Value(1.0, label="x")) * 2.0))
    assert page.page.evaluate("window.__pwn") is None


def test_it_works_in_a_sandboxed_frame(visit, browser, tmp_path):
    """As notebooks show it: in an iframe of its own origin, which may run scripts and nothing else."""
    circuit = viz.explore(sum_times()[0])
    frame = f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(circuit.html)}" width="900" height="700"></iframe>'
    (tmp_path / "frame.html").write_text(f"<!doctype html><title>t</title>{frame}", encoding="utf-8")
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "frame.html").as_uri())
    inside = page.frames[1]
    inside.click("#first")
    for _ in range(5):
        inside.click("#next")
    inside.locator("#rows input[type=range]").first.fill("1")
    assert inside.inner_text("#count") == "5 / 5"
    page.wait_for_timeout(300)  # the address can't be written there, which is no error
    assert said == []
    page.close()
