// What is known at a step, and so what boxes and wires show.
class State {
  constructor(app) {
    const { step, gates } = app;
    this.app = app;
    this.step = step;
    const n = gates.length;
    this.phase = step > n + 1 ? "backward" : step === n + 1 ? "seed" : step > 0 ? "forward" : "start";
    this.now =
      step > n + 1
        ? gates[2 * n + 1 - step]
        : step === n + 1
          ? app.boxOf[app.replay.root]
          : step > 0
            ? gates[step - 1]
            : null;
  }

  known(i) {
    return this.step >= this.app.fires[this.app.boxOf[i]];
  }

  // Whether the gate has sent its contributions back.
  arrived(gate) {
    return this.step >= 2 * this.app.gates.length + 2 - this.app.fires[this.app.boxOf[gate]];
  }

  // The sum of what has arrived; how many paths of how many.
  gradient(i) {
    const { replay, gates } = this.app;
    if (i === replay.root) return { sum: this.step > gates.length ? replay.grads[i] : null, have: 1, all: 1 };
    const paths = replay.uses[i].filter(([gate, wire]) => replay.sent[gate][wire] !== null);
    const here = paths.filter(([gate]) => this.arrived(gate));
    if (here.length === paths.length) return { sum: replay.grads[i], have: here.length, all: paths.length };
    let sum = null;
    for (const [gate, wire] of here) sum = replay.together(i, sum, replay.sent[gate][wire]);
    return { sum, have: here.length, all: paths.length };
  }

  box(k) {
    const { replay, nodes, level, hidden } = this.app;
    const { outs, members } = level.boxes[k];
    const inner = members.filter((i) => outs.includes(i));
    if (inner.length > 1) return this.many(inner);
    const i = inner[0];
    const x = this.known(i) ? replay.values[i] : null;
    const g = nodes[i].needs ? this.gradient(i).sum : null;
    const array = (y) => (y instanceof Arr && !single(y) ? y : null);
    const empty = !nodes[i].needs ? "" : replay.grads[i] === null ? "none" : "·";
    return {
      value: { text: x === null ? "·" : valueText(x), array: array(x) },
      grad: { text: i === hidden ? "?" : g === null ? empty : gradText(g), array: i === hidden ? null : array(g) },
    };
  }

  // The outputs of a box as one array.
  many(outs) {
    const { replay, nodes } = this.app;
    const join = (xs) =>
      new Arr(
        [xs.length],
        Float64Array.from(xs.flatMap((x) => (x === null || Array.isArray(x) ? [0] : [dataOf(x)[0]]))),
        "d",
      );
    const known = outs.every((i) => this.known(i));
    const grads = outs.map((i) => (nodes[i].needs && i !== this.app.hidden ? this.gradient(i).sum : null));
    const some = grads.some((g) => g !== null);
    return {
      value: {
        text: known ? `${outs.length} outputs` : "·",
        array: known ? join(outs.map((i) => replay.values[i])) : null,
      },
      grad: { text: some ? `norm ${fmt(norm(join(grads)), 3)}` : "·", array: some ? join(grads) : null },
    };
  }

  // What a wire has added to the gradient of its source by now: the sum over all gates in its box.
  sentBy({ source, parts }) {
    const { replay } = this.app;
    const arrived = parts.filter(([gate, i]) => replay.sent[gate][i] !== null && this.arrived(gate));
    return arrived.reduce((sum, [gate, i]) => replay.together(source, sum, replay.sent[gate][i]), null);
  }

  wire(wire) {
    const { replay, hidden } = this.app;
    const { source, end } = wire;
    const value = this.known(source) ? valueText(replay.values[source]) : "";
    const sum = this.sentBy(wire);
    const flows = wire.parts.some(([gate, i]) => replay.sent[gate][i] !== null);
    const now = end === this.now && (this.phase === "forward" || (this.phase === "backward" && flows));
    return {
      value,
      grad: sum === null ? "" : source === hidden ? "?" : gradText(sum),
      live: now ? this.phase : null,
    };
  }

  describe(k) {
    const { nodes, level, words } = this.app;
    const box = level.boxes[k];
    const i = box.outs[box.outs.length - 1];
    const { value, grad } = this.box(k);
    const what =
      box.members.length > 1
        ? `${box.title}, ${box.lines.join(", ")}`
        : box.gate
          ? `${nodes[i].gate} gate, ${words.names[i]}`
          : nodes[i].name
            ? `input ${words.names[i]}`
            : "constant";
    const number = value.text === "·" ? "not computed yet" : `value ${value.text}`;
    const gradient = !box.needs ? "" : grad.text === "·" ? ", no gradient yet" : `, gradient: ${grad.text}`;
    return `${what}: ${number}${gradient}`;
  }
}
