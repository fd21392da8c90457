// The graph, computed: forward through the gates, and back by the chain rule.  Each gate's rule is its row in Python.
function computed(nodes, rules, data) {
  const values = [...data];
  nodes.forEach((node, i) => {
    if (values[i] === undefined) values[i] = rules[node.rule].forward(node.inputs.map((k) => values[k]));
  });
  return values;
}

class Replay {
  constructor(data, rules) {
    this.nodes = data.nodes;
    this.rules = rules;
    this.root = data.nodes.length - 1;
    this.seed = read(data.seed);
    this.original = data.nodes.map((node) => (node.data === undefined ? undefined : read(node.data)));
    this.stuck = data.nodes.map((node) => (node.sent ? read(node.sent) : null)); // what the engine sent
    this.frozen = new Set(data.frozen);
    this.uses = data.nodes.map(() => []); // the (gate, wire) places that a value feeds
    data.nodes.forEach((node, gate) => node.inputs.forEach((source, wire) => this.uses[source].push([gate, wire])));
    this.reset();
  }

  reset() {
    this.data = [...this.original];
    this.compute();
  }

  compute() {
    this.values = this.forward(this.data);
    this.backward();
  }

  forward(data) {
    return computed(this.nodes, this.rules, data);
  }

  // grads[i]: of the root by value i; sent[i][j]: what gate i adds to it for its input j; null where none flows.
  backward() {
    const { nodes, values } = this;
    this.grads = nodes.map(() => null);
    this.sent = nodes.map((node) => node.inputs.map(() => null));
    this.grads[this.root] = this.seed;
    for (let i = this.root; i >= 0; i--) {
      if (nodes[i].rule === undefined || !nodes[i].needs || this.grads[i] === null) continue;
      const g = Array.isArray(values[i]) ? values[i].map((out, k) => this.grads[i][k] ?? zeros(out)) : this.grads[i];
      this.sent[i] = this.sends(i, g);
      nodes[i].inputs.forEach((source, j) => {
        const d = this.sent[i][j];
        if (d !== null) this.grads[source] = this.together(source, this.grads[source], d);
      });
    }
  }

  // The sum of contributions; to a gate with several outputs they come as [which, gradient].
  together(source, have, d) {
    if (!Array.isArray(this.values[source])) return have === null ? d : plus(have, d);
    const parts = have === null ? this.values[source].map(() => null) : [...have];
    for (const [k, g] of d) parts[k] = parts[k] === null ? g : plus(parts[k], g);
    return parts;
  }

  sends(i, g) {
    const node = this.nodes[i];
    const rule = this.rules[node.rule];
    const x = node.inputs.map((k) => this.values[k]);
    const o = this.values[i];
    if (this.stuck[i]) return this.stuck[i];
    const joint = typeof (rule.local ?? rule.send) === "function";
    const all = joint ? (rule.local ? rule.local(o, x) : rule.send(g, o, x)) : null;
    return node.inputs.map((source, j) => {
      if (!this.nodes[source].needs) return null;
      const rules = rule.local ?? rule.send;
      if (!joint && rules[j] === null) return zeros(x[j]);
      const part = joint ? all[j] : rule.local ? rules[j](o, x) : rules[j](g, o, x);
      if (Array.isArray(x[j])) return part;
      return fit(rule.local ? times(g, part) : part, x[j]);
    });
  }

  // d gate / d input on a wire of an elementwise gate; null for gates that mix elements.
  local(i, j) {
    const node = this.nodes[i];
    const rule = this.rules[node.rule];
    const rules = rule.local ?? (rule.elementwise ? rule.send : null);
    if (!rules || !this.nodes[node.inputs[j]].needs || this.stuck[i]) return null;
    const x = node.inputs.map((k) => this.values[k]);
    const o = this.values[i];
    const args = rule.local ? [o, x] : [ones(o), o, x];
    const d = typeof rules === "function" ? rules(...args)[j] : rules[j] === null ? 0 : rules[j](...args);
    return typeof d === "boolean" ? Number(d) : d;
  }

  // What the root and its upstream gradient make of these data: one number.
  result(data) {
    const out = this.forward(data)[this.root];
    return dataOf(F.multiply(out, this.seed)).reduce((a, b) => a + b, 0);
  }

  changed(i, at, number) {
    const old = this.data[i];
    if (!(old instanceof Arr)) return number;
    const data = Float64Array.from(old.data);
    data[at] = old.dtype === "f" ? Math.fround(number) : number;
    return new Arr(old.shape, data, old.dtype);
  }

  set(i, at, number) {
    this.data[i] = this.changed(i, at, number);
    this.compute();
  }

  // The central difference (f(x + h) - f(x - h)) / 2h.
  nudge(i, at, h) {
    const x = dataOf(this.data[i])[at];
    const [up, down] = [x + h, x - h].map((y) => {
      const data = [...this.data];
      data[i] = this.changed(i, at, y);
      return this.result(data);
    });
    return { up, down, slope: (up - down) / (2 * h) };
  }
}
