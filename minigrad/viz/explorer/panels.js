// What stands beside the circuit: sliders and the check by a nudge, the quiz, the table.
const byId = (id) => document.getElementById(id);
const ROWS = 6; // inputs that have a slider from the start

// Pieces of a sentence: texts, and {value: text} or {grad: text} in their colours.
function sentence(pieces) {
  return el(
    "p",
    {},
    ...pieces.map((p) =>
      typeof p === "string"
        ? p
        : "value" in p
          ? el("b", { class: "value" }, p.value)
          : el("b", { class: "grad" }, p.grad),
    ),
  );
}

class Inputs {
  constructor(app) {
    this.app = app;
    const { replay } = app;
    this.leaves = app.data.leaves; // in the order in which they were made
    this.chosen = { leaf: this.leaves.find((i) => !replay.frozen.has(i)) ?? this.leaves[0], at: 0 };
    this.rows = [];
    const scalars = this.leaves.filter((i) => single(replay.data[i]));
    for (const leaf of scalars.slice(0, ROWS)) this.add(leaf, 0);
    this.own = null; // the row of a chosen input that has none yet
    const select = byId("chosen");
    for (const i of this.leaves) select.append(el("option", { value: i }, this.title(i)));
    select.addEventListener("change", () => this.choose(Number(select.value), 0));
    byId("nudge").addEventListener("change", () => this.check());
    byId("reset").addEventListener("click", () => {
      replay.reset();
      app.changed();
    });
    this.choose(this.chosen.leaf, 0);
  }

  title(i) {
    const x = this.app.replay.data[i];
    return this.app.words.names[i] + (single(x) ? "" : ` ${shapeText(x.shape)}`);
  }

  label(leaf, at) {
    const x = this.app.replay.data[leaf];
    return this.app.words.names[leaf] + (single(x) ? "" : `[${this.index(x.shape, at).join(", ")}]`);
  }

  index(shape, at) {
    return shape.map((n, i) => Math.floor(at / size(shape.slice(i + 1))) % n);
  }

  add(leaf, at) {
    const { replay } = this.app;
    const x = dataOf(replay.original[leaf])[at];
    const reach = Math.max(2, 2 ** Math.ceil(Math.log2(Math.abs(x) * 1.5 || 1)));
    const far = Number.isFinite(reach) ? reach : 10;
    const name = this.label(leaf, at);
    const disabled = replay.frozen.has(leaf) ? "" : null;
    const slider = el("input", {
      type: "range",
      min: -far,
      max: far,
      step: "any",
      "aria-label": `${name}, slider`,
      disabled,
    });
    const number = el("input", { type: "number", step: "any", "aria-label": `${name}, number`, disabled });
    const grad = el("span", { class: "grad" });
    const row = {
      leaf,
      at,
      slider,
      number,
      grad,
      element: el("div", { class: "row" }, el("span", { class: "name" }, name), slider, number, grad),
    };
    slider.addEventListener("input", () => this.move(row, Number(slider.value)));
    number.addEventListener("change", () => number.value !== "" && this.move(row, Number(number.value)));
    byId("rows").append(row.element);
    this.rows.push(row);
    return row;
  }

  move(row, value) {
    if (!Number.isFinite(value)) return;
    this.app.replay.set(row.leaf, row.at, value);
    if (row.leaf !== this.chosen.leaf || row.at !== this.chosen.at) this.choose(row.leaf, row.at);
    this.app.changed();
  }

  choose(leaf, at) {
    if (!this.leaves.includes(leaf)) return;
    this.chosen = { leaf, at };
    byId("chosen").value = leaf;
    const x = this.app.replay.data[leaf];
    byId("index").replaceChildren(
      ...(single(x)
        ? []
        : this.index(x.shape, at).map((k, axis) => {
            const field = el("input", {
              type: "number",
              min: 0,
              max: x.shape[axis] - 1,
              value: k,
              "aria-label": `index on axis ${axis}`,
            });
            field.addEventListener("change", () => {
              const index = this.index(x.shape, at);
              index[axis] = Math.min(Math.max(0, Math.trunc(Number(field.value))), x.shape[axis] - 1);
              this.choose(
                leaf,
                index.reduce((place, i, a) => place * x.shape[a] + i, 0),
              );
              byId("index").children[axis].focus();
            });
            return field;
          })),
    );
    if (!this.rows.some((row) => row.leaf === leaf && row.at === at)) {
      if (this.own) {
        this.rows.splice(this.rows.indexOf(this.own), 1);
        this.own.element.remove();
      }
      this.own = this.add(leaf, at);
    }
    this.paint();
  }

  paint() {
    const { replay, hidden } = this.app;
    for (const { leaf, at, slider, number, grad, element } of this.rows) {
      const x = dataOf(replay.data[leaf])[at];
      if (Number(slider.value) !== x) slider.value = x;
      const text = String(Number(x.toPrecision(6)));
      if (number !== document.activeElement && number.value !== text) number.value = text;
      const g = replay.grads[leaf];
      const shown =
        hidden === leaf
          ? "?"
          : g === null
            ? "no gradient"
            : this.app.gradientKnown(leaf)
              ? `∇ ${fmt(dataOf(g)[at])}`
              : "∇ not yet";
      if (grad.textContent !== shown) grad.textContent = shown;
      element.classList.toggle("chosen", leaf === this.chosen.leaf && at === this.chosen.at);
    }
    this.check();
  }

  // The gradient beside the slope between two points at a distance of 2h.
  check() {
    const { replay, words, hidden } = this.app;
    const { leaf, at } = this.chosen;
    const out = byId("checked");
    const g = replay.grads[leaf];
    const name = this.label(leaf, at);
    if (replay.frozen.has(leaf) || g === null || hidden !== null) {
      const why =
        hidden !== null
          ? "Answer the question first."
          : replay.frozen.has(leaf)
            ? `${name} is fixed in this page.`
            : `No gradient flows to ${name}.`;
      out.replaceChildren(el("p", {}, why));
      this.nudged = null;
      return;
    }
    const h = Number(byId("nudge").value);
    const key = [leaf, at, h, replay.values];
    if (this.nudged?.every((part, k) => part === key[k])) return; // only the step has changed
    this.nudged = key;
    const { up, down, slope } = replay.nudge(leaf, at, h);
    const gradient = dataOf(g)[at];
    const off = Math.abs(slope - gradient) / Math.max(1, Math.abs(gradient));
    const verdict = !(off < 1e-3)
      ? "They differ: a kink between the two points, or h too large or too small."
      : "They agree.";
    out.replaceChildren(
      sentence([
        `${words.rootName} at ${name} + h: `,
        { value: fmt(up, 8) },
        `, at ${name} − h: `,
        { value: fmt(down, 8) },
        ".",
      ]),
      sentence([`Difference / 2h = ${fmt(slope, 8)}; gradient `, { grad: fmt(gradient, 8) }, `. ${verdict}`]),
    );
  }
}

class Quiz {
  constructor(app) {
    this.app = app;
    byId("ask").addEventListener("click", () => this.ask());
    byId("check").addEventListener("click", () => this.answer()); // no form: a notebook's frame forbids to submit one
    byId("answer").addEventListener("keydown", (event) => event.key === "Enter" && this.answer());
    byId("why").addEventListener("click", () => this.why());
    this.order = 0;
  }

  candidates() {
    const { replay, nodes, level } = this.app;
    const shown = level.boxes.flatMap((box) => (box.outs.length === 1 ? box.outs : []));
    return shown.filter(
      (i) =>
        nodes[i].needs &&
        i !== replay.root &&
        replay.grads[i] !== null &&
        single(replay.grads[i]) &&
        Number.isFinite(dataOf(replay.grads[i])[0]),
    );
  }

  ask() {
    const all = this.candidates();
    if (!all.length) {
      byId("question").textContent = "On this level no value is a single number: choose another level.";
      return;
    }
    this.order = (this.order * 7 + 3 + Math.floor(Math.random() * all.length)) % all.length;
    const { app } = this;
    app.hidden = all[this.order] === this.last && all.length > 1 ? all[(this.order + 1) % all.length] : all[this.order];
    this.last = app.hidden;
    byId("question").textContent = `What is ${app.words.slope(app.hidden)}? Its place shows a question mark.`;
    byId("result").replaceChildren();
    byId("answer").value = "";
    byId("answer-form").hidden = false;
    app.go(app.last);
    byId("answer").focus();
  }

  answer() {
    const { app } = this;
    if (app.hidden === null || byId("answer").value.trim() === "") return;
    const given = Number(byId("answer").value.replace("−", "-").replace(",", "."));
    const right = dataOf(app.replay.grads[app.hidden])[0];
    const near = Math.abs(given - right) <= Math.max(0.02 * Math.abs(right), 1e-9) || fmt(given, 2) === fmt(right, 2);
    if (near) this.reveal(["Right: ", { grad: fmt(right) }, "."]);
    else {
      const hint = Math.sign(given) !== Math.sign(right) ? "Look at the sign." : "The sign is right, the size is not.";
      byId("result").replaceChildren(sentence([`Not yet. ${hint} Try again, or see why.`]));
    }
  }

  why() {
    if (this.app.hidden !== null)
      this.reveal(["It is ", { grad: fmt(dataOf(this.app.replay.grads[this.app.hidden])[0]) }, "."]);
  }

  reveal(said) {
    const { app } = this;
    const { replay, words } = app;
    const i = app.hidden;
    app.hidden = null;
    byId("answer-form").hidden = true;
    byId("question").textContent = `${words.slope(i)}:`;
    const parts = replay.uses[i].filter(([gate, wire]) => replay.sent[gate][wire] !== null);
    const lines = parts.map(([gate, wire]) => sentence(words.backward(gate, wire)));
    if (parts.length > 1)
      lines.push(sentence([`${parts.length} paths, summed: `, { grad: gradText(replay.grads[i]) }, "."]));
    byId("result").replaceChildren(sentence(said), ...lines);
    app.paint();
  }
}

// The same numbers as a table, for those who read rather than look.
class Table {
  constructor(app) {
    this.app = app;
    byId("table").addEventListener("toggle", () => this.paint());
  }

  paint() {
    if (!byId("table").open) return;
    const { level, nodes, replay, words } = this.app;
    const state = this.app.state;
    const rows = level.boxes.map((box, k) => {
      if (!box.gate && !box.needs) return null;
      const i = box.outs[box.outs.length - 1];
      const { value, grad } = state.box(k);
      const name = box.members.length > 1 ? box.title : words.names[i];
      const made =
        box.members.length > 1
          ? `${box.outs.length} of ${box.members.length} values`
          : nodes[i].rule === undefined
            ? "input"
            : words.formula(i);
      const single_ = box.members.length === 1 && nodes[i].rule !== undefined;
      const parts = !single_
        ? []
        : nodes[i].inputs.map((source, j) => {
            if (!nodes[source].needs || !state.arrived(i) || source === this.app.hidden) return "";
            const local = replay.local(i, j);
            const slope = local === null ? "" : `local ${gradText(local)} → `;
            return `${words.name(source)}: ${slope}${gradText(replay.sent[i][j])}`;
          });
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        el("td", {}, made),
        el("td", { class: "value" }, value.text),
        el("td", { class: "grad" }, grad.text),
        el("td", {}, parts.filter(Boolean).join("; ")),
      );
    });
    byId("rows-of-table").replaceChildren(...rows.filter(Boolean));
  }
}
