// A training: the parameters after each update, what the network makes of the plane with them, and the loss.
class Training {
  constructor(app, data, rules) {
    this.app = app;
    this.data = data;
    this.rules = rules;
    this.now = 0;
    this.kept = data.snapshots.map((one) => one.map(read));
    this.plane = data.surface.nodes.map((node) => (node.data === undefined ? undefined : read(node.data)));
    this.ends = read(data.surface.places).data; // left, bottom, right, top
    this.points = read(data.points);
    this.painted = [];
    byId("training").hidden = false;
    document.querySelector("main").classList.add("trained");
    byId("update").max = this.kept.length - 1;
    byId("update").addEventListener("input", () => this.go(Number(byId("update").value)));
    byId("before").addEventListener("click", () => this.go(this.now - 1));
    byId("after").addEventListener("click", () => this.go(this.now + 1));
    byId("run").addEventListener("click", () => this.run());
    const marks = ["circles", "squares", "triangles", "diamonds", "crosses", "bars"];
    byId("classes").textContent =
      data.classes.map((name, k) => `${marks[k]}: ${name}`).join("; ") + ". The ring is the example in the circuit.";
    this.load(this.kept.length - 1);
  }

  // The parameters of a snapshot as the ones to start from.
  load(k) {
    if (!(k >= 0)) return;
    this.now = Math.min(Math.round(k), this.kept.length - 1);
    const { replay } = this.app;
    this.data.parameters.forEach(([place], p) => {
      if (place === undefined || place === null) return;
      const x = this.kept[this.now][p];
      const as = replay.original[place] instanceof Arr ? x : dataOf(x)[0];
      replay.original[place] = replay.data[place] = as;
    });
    replay.compute();
  }

  go(k) {
    this.load(Math.max(0, k));
    this.app.changed();
  }

  run() {
    if (this.timer) {
      clearInterval(this.timer);
      this.timer = null;
    } else {
      if (this.now === this.kept.length - 1) this.go(0);
      this.timer = setInterval(() => {
        this.go(this.now + 1);
        if (this.now === this.kept.length - 1) this.run();
      }, 120);
    }
    byId("run").textContent = this.timer ? "Pause" : "Run";
  }

  paint(again = false) {
    const { replay } = this.app;
    const parameters = this.data.parameters.map(([place, below], p) => [
      below,
      place === null ? this.kept[this.now][p] : replay.data[place],
    ]);
    const x = this.data.x === null ? null : replay.data[this.data.x];
    const key = [...parameters.map(([, data]) => data), x];
    if (!again && key.every((part, k) => part === this.painted[k])) return;
    this.painted = key;
    const data = [...this.plane];
    for (const [below, array] of parameters) if (below !== null && below !== undefined) data[below] = array;
    const out = computed(this.data.surface.nodes, this.rules, data).pop();
    this.surface(out, x);
    this.losses();
    const { updates, losses } = this.data;
    byId("update").value = this.now;
    byId("update").setAttribute("aria-valuetext", `after update ${updates[this.now]}`);
    const loss = fmt(read(losses[this.now]));
    const last = updates[updates.length - 1];
    byId("progress").textContent = `After update ${updates[this.now]} of ${last}: loss of all data ${loss}.`;
  }

  // The place of a point of the plane on the canvas.
  at(x, y, side) {
    const [left, bottom, right, top] = this.ends;
    return [((x - left) / (right - left)) * side, ((top - y) / (top - bottom)) * side];
  }

  surface(out, example) {
    const canvas = byId("surface");
    const pen = canvas.getContext("2d");
    const n = this.data.surface.side;
    const k = out.data.length / (n * n);
    const each = Array.from({ length: n * n }, (_, i) => this.decide(out.data.subarray(i * k, (i + 1) * k)));
    const score = each.map(([, lead]) => lead);
    const colours = this.app.colours("grad");
    const rgb = colours.classes.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
    const small = document.createElement("canvas");
    small.width = small.height = n;
    const picture = small.getContext("2d").createImageData(n, n);
    let most = 1e-9;
    for (const s of score) if (Number.isFinite(s)) most = Math.max(most, Math.abs(s));
    each.forEach(([kind, s], i) =>
      picture.data.set([...rgb[kind % rgb.length], 60 + 120 * Math.min(1, Math.abs(s) / Math.min(most, 2))], 4 * i),
    );
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (k < 3) this.border(pen, score, n, canvas.width, colours.ink);
    const { kinds } = this.data;
    for (let i = 0; i < kinds.length; i++) {
      this.mark(pen, ...this.at(this.points.data[2 * i], this.points.data[2 * i + 1], canvas.width), kinds[i], colours);
    }
    if (example) {
      pen.beginPath();
      pen.arc(...this.at(example.data[0], example.data[1], canvas.width), 12, 0, 2 * Math.PI);
      pen.lineWidth = 4;
      pen.strokeStyle = colours.ink;
      pen.stroke();
    }
    const parts = [...new Set(each.map(([kind]) => kind))].sort().map((kind) => {
      const share = each.filter(([other]) => other === kind).length / each.length;
      return `${this.data.classes[kind] ?? `class ${kind}`}: ${Math.round(100 * share)} %`;
    });
    canvas.setAttribute(
      "aria-label",
      `The plane of the inputs, and which class the network gives to how much of it: ${parts.join(", ")}.`,
    );
  }

  // The class that leads, and by how much; of two, the second is positive.
  decide(scores) {
    if (scores.length < 3) {
      const lead = scores.length === 1 ? scores[0] : scores[1] - scores[0];
      return [lead < 0 ? 0 : 1, lead];
    }
    const [best, next] = [...scores].sort((a, b) => b - a);
    return [scores.indexOf(best), best - next];
  }

  // Where the score is 0: through each square of the grid, between the places where its sign changes.
  border(pen, score, n, side, ink) {
    pen.strokeStyle = ink;
    pen.lineWidth = 2.5;
    pen.beginPath();
    const step = side / n;
    for (let r = 0; r + 1 < n; r++) {
      for (let c = 0; c + 1 < n; c++) {
        const corners = [
          [r, c],
          [r, c + 1],
          [r + 1, c + 1],
          [r + 1, c],
        ];
        const found = [];
        corners.forEach(([y, x], e) => {
          const [v, u] = corners[(e + 1) % 4];
          const [a, b] = [score[y * n + x], score[v * n + u]];
          if (a < 0 === b < 0) return;
          const t = a / (a - b);
          found.push([(x + t * (u - x) + 0.5) * step, (y + t * (v - y) + 0.5) * step]);
        });
        for (let e = 0; e + 1 < found.length; e += 2) {
          pen.moveTo(...found[e]);
          pen.lineTo(...found[e + 1]);
        }
      }
    }
    pen.stroke();
  }

  // A point: its class by its shape, too.
  mark(pen, x, y, kind, colours) {
    const r = 5;
    const corners = {
      1: [
        [-1, -1],
        [1, -1],
        [1, 1],
        [-1, 1],
      ],
      2: [
        [0, -1.2],
        [1.1, 0.9],
        [-1.1, 0.9],
      ],
      3: [
        [0, -1.4],
        [1.4, 0],
        [0, 1.4],
        [-1.4, 0],
      ],
      4: [
        [-1, -1],
        [1, 1],
        [0, 0],
        [1, -1],
        [-1, 1],
      ],
      5: [
        [-0.4, -1.4],
        [0.4, -1.4],
        [0.4, 1.4],
        [-0.4, 1.4],
      ],
    }[kind];
    pen.beginPath();
    if (corners)
      corners.forEach(([a, b], i) => (i ? pen.lineTo(x + a * r, y + b * r) : pen.moveTo(x + a * r, y + b * r)));
    else pen.arc(x, y, r, 0, 2 * Math.PI);
    pen.closePath();
    pen.fillStyle = colours.classes[kind];
    pen.fill();
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  losses() {
    const canvas = byId("losses");
    const pen = canvas.getContext("2d");
    const colours = this.app.colours("grad");
    const numbers = this.data.losses.map(read);
    const finite = numbers.filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const spot = (k) => [
      8 + (k / Math.max(1, numbers.length - 1)) * (canvas.width - 16),
      canvas.height - 8 - ((numbers[k] - low) / (high - low || 1)) * (canvas.height - 16),
    ];
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.beginPath();
    numbers.forEach((y, k) => Number.isFinite(y) && pen.lineTo(...spot(k)));
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.stroke();
    pen.beginPath();
    pen.arc(...spot(this.now), 6, 0, 2 * Math.PI);
    pen.fillStyle = colours.positive;
    pen.fill();
    canvas.setAttribute(
      "aria-label",
      `The loss of all data, from ${fmt(numbers[0])} to ${fmt(numbers[numbers.length - 1])}.`,
    );
  }
}
