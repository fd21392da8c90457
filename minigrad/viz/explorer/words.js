// Numbers and steps as text.
function fmt(x, digits = 4) {
  if (x === null || x === undefined) return "";
  if (typeof x === "boolean") return String(x);
  if (x !== x) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "−inf";
  if (Object.is(x, -0)) return "−0";
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return String(x).replace("-", "−");
  const [part, exponent] = x.toExponential(digits - 1).split("e");
  const e = Number(exponent);
  const text =
    e < -4 || e >= 6 ? `${Number(part)}e${e}` : e >= digits ? x.toFixed(0) : String(Number(x.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

const shapeText = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const norm = (x) => Math.hypot(...(x.data.length < 1e4 ? x.data : [Math.sqrt(x.data.reduce((a, b) => a + b * b, 0))]));
const single = (x) => !Array.isArray(x) && (!(x instanceof Arr) || x.data.length === 1);

// A value: the number, or an array's shape.
function valueText(x) {
  if (Array.isArray(x)) return `${x.length} outputs`;
  return single(x) ? fmt(x instanceof Arr ? x.data[0] : x) : shapeText(x.shape);
}

// A gradient: the number, or an array's Euclidean norm.
function gradText(g) {
  if (g === null) return "";
  if (Array.isArray(g)) return `${g.length} parts`;
  return single(g) ? fmt(g instanceof Arr ? g.data[0] : g) : `norm ${fmt(norm(g), 3)}`;
}

class Words {
  constructor(data, replay) {
    this.said = data.words;
    this.replay = replay;
    this.nodes = data.nodes;
    this.names = this.nodes.map((node) => node.name);
    this.rootName = this.names[replay.root];
  }

  // A value in a formula: constants by their number.
  name(i) {
    const node = this.nodes[i];
    if (node.name) return node.name;
    return valueText(this.replay.values[i]);
  }

  // x + y, or tanh(x); given a function, with what it says in the place of names.
  formula(i, put = (k) => this.name(k)) {
    const { gate, symbol, inputs } = this.nodes[i];
    const args = inputs.map(put);
    if (["+", "-", "*", "/", "//", "%", "**", "@"].includes(symbol)) {
      const sign = { "-": "−", "*": "×" }[symbol] ?? symbol;
      return args.length === 1 ? `${sign}${args[0]}` : args.join(` ${sign} `);
    }
    return `${gate}(${args.length > 6 ? [...args.slice(0, 5), "…"].join(", ") : args.join(", ")})`;
  }

  number(i) {
    const text = valueText(this.replay.values[i]);
    return text.startsWith("−") ? `(${text})` : text;
  }

  slope(i) {
    return `∂${this.rootName}/∂${this.name(i)}`;
  }

  // The derivative of a wire as its row states it: in names, and with numbers where all are single.
  statement(i, j) {
    const node = this.nodes[i];
    const pieces = this.said[node.rule]?.statements[j];
    if (!pieces?.length) return [];
    const places = pieces.map((p) => (p === "o" ? i : typeof p === "number" ? node.inputs[p] : null));
    if (places.every((k) => k === null) && pieces.join("") !== "g") return [pieces.join("")];
    const put = (text) =>
      pieces.map((p, k) => (p === "g" ? this.slope(i) : places[k] === null ? p : text(places[k]))).join("");
    const numbers = pieces.includes("g") || places.some((k) => k !== null && !single(this.replay.values[k]));
    return [...new Set(numbers ? [put((k) => this.name(k))] : [put((k) => this.name(k)), put((k) => this.number(k))])];
  }

  forward(i) {
    const { values } = this.replay;
    const parts = [`${this.names[i]} = ${this.formula(i)}`];
    if (this.nodes[i].inputs.every((k) => single(values[k]))) parts.push(this.formula(i, (k) => this.number(k)));
    else parts.push(this.formula(i, (k) => valueText(values[k])));
    return [[...new Set(parts)].join(" = "), ` = `, { value: this.long(values[i]) }];
  }

  long(x) {
    return single(x) ? valueText(x) : Array.isArray(x) ? valueText(x) : `array ${shapeText(x.shape)}`;
  }

  // What gate i adds to the gradient of its input j: upstream times local.
  backward(i, j) {
    const { replay } = this;
    const node = this.nodes[i];
    const source = node.inputs[j];
    const d = replay.sent[i][j];
    const local = replay.local(i, j);
    const g = replay.grads[i];
    const stated = this.statement(i, j);
    const out = [`${this.slope(source)} += `];
    if (local === null) {
      out.push(`what ${node.gate} sends back for ${this.slope(i)}`);
      if (stated.length) out.push(`: ${stated[0]}`);
      out.push(" = ", { grad: Array.isArray(d) ? gradText(d) : this.longGrad(d) });
      return out;
    }
    const by = `∂${this.names[i]}/∂${this.name(source)}`;
    const inner = stated.filter((text) => text !== gradText(local) && text !== wrap(gradText(local)));
    if (single(g) && single(local) && single(d)) {
      out.push(`${this.slope(i)} × ${by} = `, { grad: wrap(gradText(g)) }, " × ", wrap(gradText(local)), " = ", {
        grad: gradText(d),
      });
    } else out.push(`${this.slope(i)} × ${by}, element by element = `, { grad: this.longGrad(d) });
    if (inner.length) out.push(`; ${by} = ${inner.join(" = ")}${single(local) ? ` = ${gradText(local)}` : ""}`);
    return out;
  }

  longGrad(d) {
    return single(d) ? gradText(d) : `${shapeText(d.shape)}, ${gradText(d)}`;
  }

  pattern(i) {
    return this.said[this.nodes[i].rule]?.pattern ?? "";
  }
}

const wrap = (text) => (text.startsWith("−") ? `(${text})` : text);
