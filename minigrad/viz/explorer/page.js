// The page: its levels and steps, what it says about a step, its events, and its state in the address.
const LINES = 8; // about what goes into a box

class App {
  constructor(data, rules) {
    this.data = data;
    this.nodes = data.nodes;
    this.replay = new Replay(data, rules);
    this.words = new Words(data, this.replay);
    this.hidden = null; // the value whose gradient the quiz asks for
    this.drawing = new Drawing(byId("circuit"), this);
    this.stage = byId("stage");
    this.playing = null;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    data.levels.forEach((level, k) => byId("level").append(el("option", { value: k }, level.name)));
    byId("level").closest("label").hidden = data.levels.length < 2;
    byId("link").closest(".group").hidden = location.protocol === "about:"; // a notebook's frame can't copy or print
    byId("note").textContent = data.note;
    byId("note").hidden = !data.note;
    this.open(0);
    this.step = this.last;
    this.state = new State(this);
    this.inputs = new Inputs(this);
    this.quiz = new Quiz(this);
    this.table = new Table(this);
    this.training = data.training ? new Training(this, data.training, rules) : null;
    this.listen();
    this.restore();
    this.drawing.begin(this.stage);
    this.go(this.step);
    if (!innerWidth || !this.stage.clientWidth) this.wait();
  }

  // A frame that is out of sight, as in a notebook, gets its width later.
  wait() {
    const observer = new ResizeObserver(() => {
      if (!innerWidth || !this.stage.clientWidth) return;
      observer.disconnect();
      this.drawing.begin(this.stage);
      this.go(this.step);
    });
    observer.observe(this.stage);
  }

  // -------------------------------------------------------------------------------------------------- levels, steps
  open(k) {
    this.level = this.data.levels[k];
    this.levelNumber = k;
    this.boxOf = [];
    this.level.boxes.forEach((box, b) => box.members.forEach((i) => (this.boxOf[i] = b)));
    this.gates = this.level.boxes.map((_, b) => b).filter((b) => this.level.boxes[b].gate);
    this.fires = this.level.boxes.map(() => 0);
    this.gates.forEach((b, place) => (this.fires[b] = place + 1));
    this.last = 2 * this.gates.length + 1;
    byId("level").value = k;
    byId("step").max = this.last;
    this.drawing.build(this.level);
  }

  go(step) {
    this.step = Math.min(this.last, Math.max(0, Math.round(step)));
    this.paint();
    const { now } = this.state;
    if (now !== null) this.drawing.show(now, this.stage, !this.still.matches && !this.playing);
    else this.stage.scrollTo({ left: 0 });
    this.say();
    this.remember();
  }

  paint() {
    this.state = new State(this);
    this.drawing.paint(this.state);
    this.inputs.paint();
    this.table.paint();
    this.training?.paint();
    const slider = byId("step");
    slider.value = this.step;
    slider.setAttribute("aria-valuetext", `step ${this.step} of ${this.last}: ${this.heading()}`);
    byId("count").textContent = `${this.step} / ${this.last}`;
    for (const [id, off] of [
      ["first", this.step === 0],
      ["back", this.step === 0],
      ["next", this.step === this.last],
      ["end", this.step === this.last],
    ]) {
      byId(id).setAttribute("aria-disabled", off);
    }
  }

  // The inputs have changed: every number anew.
  changed() {
    this.paint();
    this.say();
    this.remember();
  }

  gradientKnown(i) {
    const { have, all } = this.state.gradient(i);
    return have === all && (i !== this.replay.root || this.state.step > this.gates.length);
  }

  heading() {
    const { phase, now } = this.state;
    if (phase === "start") return "start";
    if (phase === "seed") return "the gradient of the result";
    const box = this.level.boxes[now];
    const name = box.members.length > 1 ? box.title : this.nodes[box.outs[0]].gate;
    return `${phase} through ${name}`;
  }

  say() {
    const { phase, now } = this.state;
    const { words, replay, level } = this;
    const lines = [];
    if (phase === "start") lines.push(["The inputs have their numbers. Next computes the first gate."]);
    else if (phase === "seed") {
      lines.push([`${words.slope(replay.root)} = `, { grad: words.longGrad(replay.seed) }]);
      lines.push(["Backpropagation begins: how much the result changes when the result changes."]);
    } else {
      const box = level.boxes[now];
      if (box.members.length > 1) lines.push(...this.insideOf(box, phase));
      else if (phase === "forward") lines.push(words.forward(box.members[0]));
      else lines.push(...this.backwardOf(box.members[0]));
    }
    byId("heading").textContent = `Step ${this.step} of ${this.last}: ${this.heading()}`;
    byId("said").replaceChildren(...lines.map(sentence));
    byId("spoken").setAttribute("aria-live", this.playing ? "off" : "polite");
  }

  backwardOf(i) {
    const { words, replay, nodes, state } = this;
    const lines = [];
    const { inputs } = nodes[i];
    inputs.forEach((source, j) => {
      if (replay.sent[i][j] === null) return;
      if (source === this.hidden || i === this.hidden) {
        lines.push([`${words.slope(source)} += … (hidden, while the question is open)`]);
        return;
      }
      const line = words.backward(i, j);
      const { sum, have, all } = state.gradient(source);
      if (all > 1 && j === inputs.lastIndexOf(source)) {
        line.push(`. ${have} of ${all} paths summed: `, { grad: gradText(sum) });
      }
      lines.push(line);
    });
    if (!lines.length) lines.push(["No gradient flows through this gate."]);
    else if (words.pattern(i)) lines.push([words.pattern(i)]);
    return lines;
  }

  // What goes through a box that stands for several gates; of many lines the first.
  insideOf(box, phase) {
    const { words, replay, level, nodes } = this;
    const some = (items, line) => {
      const lines = items.slice(0, LINES).map(line);
      return items.length > LINES ? [...lines, [`… and ${items.length - LINES} more.`]] : lines;
    };
    const title = [`${box.title} (${box.lines.join(", ")})`];
    if (phase === "forward") return [title, ...some(box.outs, (i) => words.forward(i))];
    const into = level.wires.filter(
      (wire) => level.boxes[wire.end] === box && nodes[wire.source].needs && wire.source !== this.hidden,
    );
    const own = box.members.filter((i) => nodes[i].rule === undefined && nodes[i].needs && i !== this.hidden);
    const long = (g) => ({ grad: Array.isArray(g) ? gradText(g) : words.longGrad(g) });
    return [
      title,
      ...some(into, (wire) => [`${words.slope(wire.source)} += `, long(this.state.sentBy(wire))]),
      ...some(own, (i) => [`${words.slope(i)} = `, long(replay.grads[i])]),
      ["A level with more detail shows the gates inside, and what each of them multiplies."],
    ];
  }

  choose(k) {
    const box = this.level.boxes[k];
    if (!box.gate) {
      this.inputs.choose(box.members[0], 0);
      return;
    }
    const forward = this.fires[k];
    this.go(
      this.state.phase === "forward" || this.state.phase === "start" ? forward : 2 * this.gates.length + 2 - forward,
    );
  }

  play() {
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
    } else {
      if (this.step === this.last) this.go(0);
      this.playing = setInterval(() => {
        this.go(this.step + 1);
        if (this.step === this.last) this.play();
      }, 1200);
    }
    byId("play").textContent = this.playing ? "Pause" : "Play";
    byId("play").setAttribute("aria-pressed", Boolean(this.playing));
    this.say();
  }

  // ---------------------------------------------------------------------------------------------------------- events
  listen() {
    const click = (id, action) => byId(id).addEventListener("click", action);
    click("first", () => this.go(0));
    click("back", () => this.go(this.step - 1));
    click("next", () => this.go(this.step + 1));
    click("end", () => this.go(this.last));
    click("play", () => this.play());
    click("smaller", () => this.drawing.scale(this.drawing.zoom / 1.25));
    click("larger", () => this.drawing.scale(this.drawing.zoom * 1.25));
    click("fit", () => this.drawing.fit(this.stage));
    click("print", () => window.print());
    click("link", () => this.copy());
    byId("step").addEventListener("input", () => this.go(Number(byId("step").value)));
    byId("level").addEventListener("change", () => {
      const phase = this.step / this.last;
      this.open(Number(byId("level").value));
      this.drawing.begin(this.stage);
      this.go(phase === 1 ? this.last : Math.round(phase * this.last));
    });
    byId("theme").addEventListener("change", () => {
      document.documentElement.dataset.theme = byId("theme").value;
      this.recolour();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    window.addEventListener("hashchange", () => {
      if (location.hash === this.written) return;
      this.restore();
      this.go(this.step);
    });
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.last };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const inside = document.activeElement?.closest?.(".gate");
      this.go(steps[event.key]);
      if (inside)
        this.drawing.boxes[this.state.now ?? this.boxOf[this.replay.root]].group.focus({ preventScroll: true });
    });
  }

  recolour() {
    this.drawing.repaint = true;
    this.drawing.paint(this.state);
    this.drawing.repaint = false;
    this.training?.paint(true);
  }

  colours(kind) {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    const [positive, negative] = kind === "value" ? ["positive", "negative"] : ["up", "down"];
    const classes = ["down", "up", "positive", "negative", "accent", "wire"].map(get);
    return { paper: get("paper"), ink: get("ink"), positive: get(positive), negative: get(negative), classes };
  }

  // The number under the pointer, in a heatmap.
  hover(image, k, kind) {
    const tip = byId("tip");
    image.addEventListener("pointerleave", () => (tip.hidden = true));
    image.addEventListener("pointermove", (event) => this.point(image, k, kind, event));
    image.addEventListener("pointerdown", (event) => this.point(image, k, kind, event));
  }

  point(image, k, kind, event) {
    const tip = byId("tip");
    const array = this.state.box(k)[kind].array;
    if (!array) return;
    const { m, n, count, columns, pooled, cells } = matrix(array);
    const frame = image.getBoundingClientRect();
    const column = Math.floor(((event.clientX - frame.left) / frame.width) * n);
    const row = Math.floor(((event.clientY - frame.top) / frame.height) * m);
    if (column < 0 || row < 0 || column >= n || row >= m) {
      tip.hidden = true;
      return;
    }
    const at = Math.floor((row * count) / m) * columns + Math.floor((column * columns) / n);
    const { outs, members } = this.level.boxes[k];
    const inner = members.filter((i) => outs.includes(i));
    const name =
      inner.length > 1
        ? this.words.names[inner[column]]
        : `${this.words.names[inner[0]]}[${this.inputs.index(array.shape, at).join(", ")}${pooled ? ", …" : ""}]`;
    const number = pooled ? cells[row * n + column] : array.data[at];
    const remark = pooled ? " (the furthest from 0 of several)" : "";
    tip.textContent = `${name} ${kind === "value" ? "=" : "gradient"} ${fmt(number, 5)}${remark}`;
    tip.hidden = false;
    const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 4);
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${event.clientY + 14}px`;
    if (event.type === "pointerdown" && inner.length === 1) {
      event.stopPropagation();
      this.inputs.choose(inner[0], at);
    }
  }

  // -------------------------------------------------------------------------------- the state, in the page's address
  remember() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const parts = [`s=${this.step}`];
      if (this.levelNumber) parts.push(`l=${this.levelNumber}`);
      if (this.training) parts.push(`u=${this.training.now}`);
      this.replay.data.forEach((x, i) => {
        if (x === this.replay.original[i]) return;
        const before = dataOf(this.replay.original[i]);
        dataOf(x).forEach(
          (y, at) =>
            y !== before[at] && parts.push(x instanceof Arr && x.shape.length ? `v${i}.${at}=${y}` : `v${i}=${y}`),
        );
      });
      this.written = `#${parts.join("&")}`;
      try {
        history.replaceState(null, "", this.written);
      } catch {
        // in a sandboxed frame there is no address to write to
      }
    }, 150);
  }

  restore() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const level = Number(parts.get("l") ?? 0);
    if (this.data.levels[level] && level !== this.levelNumber) this.open(level);
    const { replay } = this;
    this.training?.load(Number(parts.get("u") ?? this.training.now));
    replay.data = [...replay.original];
    for (const [key, text] of parts) {
      const [, leaf, at] = key.match(/^v(\d+)(?:\.(\d+))?$/) ?? [];
      const number = Number(text);
      if (
        leaf === undefined ||
        replay.original[leaf] === undefined ||
        replay.frozen.has(Number(leaf)) ||
        text === "" ||
        !Number.isFinite(number)
      )
        continue;
      if (Array.isArray(replay.original[leaf]) || Number(at ?? 0) >= dataOf(replay.original[leaf]).length) continue;
      replay.data[leaf] = replay.changed(Number(leaf), Number(at ?? 0), number);
    }
    replay.compute();
    const step = Number(parts.get("s") ?? this.last);
    this.step = Number.isFinite(step) ? Math.min(this.last, Math.max(0, Math.round(step))) : this.last;
  }

  async copy() {
    let text = "The address of this page holds this state.";
    try {
      await navigator.clipboard.writeText(location.href);
      text = "Copied: the address holds this state.";
    } catch {
      // not allowed here: the address bar has it
    }
    byId("copied").textContent = text;
  }
}

function start(rules) {
  const data = JSON.parse(byId("data").textContent);
  const app = new App(data, rules(data.constants.map(read)));
  window.explorer = app; // for the browser's console
}
