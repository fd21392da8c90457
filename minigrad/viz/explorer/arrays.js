// Arrays as the engine has them: numbers in one flat row, a shape, and a dtype, d (float64), f (float32), b (bool) or
// i (whole numbers).  A scalar is a number, or true or false.
class Arr {
  constructor(shape, data, dtype) {
    this.shape = shape;
    this.data = data;
    this.dtype = dtype;
  }
}

const size = (shape) => shape.reduce((a, b) => a * b, 1);
const shapeOf = (x) => (x instanceof Arr ? x.shape : []);
const dataOf = (x) => (x instanceof Arr ? x.data : [Number(x)]);
const dtypeOf = (x) => (x instanceof Arr ? x.dtype : typeof x === "boolean" ? "b" : "weak");

// A result in its canonical form: float32 is rounded, and a float64 scalar is a number.
function made(shape, data, dtype) {
  if (dtype === "f") for (let i = 0; i < data.length; i++) data[i] = Math.fround(data[i]);
  if (shape.length === 0 && dtype !== "f") return dtype === "b" ? data[0] !== 0 : data[0];
  return new Arr(shape, data, dtype);
}

// The dtype of a float result: that of the arrays; a number takes the dtype of what it meets.
function common(xs) {
  const dtypes = xs.map(dtypeOf);
  return dtypes.includes("d") || !dtypes.includes("f") ? "d" : "f";
}

const same = (a, b) => a.length === b.length && a.every((n, i) => n === b[i]);

function broadcastShape(shapes) {
  const out = [];
  for (const shape of shapes) {
    for (let i = 1; i <= shape.length; i++) {
      const n = shape[shape.length - i];
      out[i - 1] = out[i - 1] === undefined || out[i - 1] === 1 ? n : out[i - 1];
    }
  }
  return out.reverse();
}

// For each number of the result the place in x that it comes from.
function places(x, shape) {
  const steps = new Array(shape.length).fill(0);
  const lead = shape.length - x.shape.length;
  let step = 1;
  for (let i = x.shape.length - 1; i >= 0; i--) {
    steps[i + lead] = x.shape[i] === 1 ? 0 : step;
    step *= x.shape[i];
  }
  return walk(shape, steps);
}

// The places that are reached by stepping through `shape` in order, so far for each step along an axis.
function walk(shape, steps) {
  const out = new Int32Array(size(shape));
  const index = new Array(shape.length).fill(0);
  let place = 0;
  for (let k = 0; k < out.length; k++) {
    out[k] = place;
    for (let i = shape.length - 1; i >= 0; i--) {
      place += steps[i];
      if (++index[i] < shape[i]) break;
      place -= steps[i] * shape[i];
      index[i] = 0;
    }
  }
  return out;
}

// A function of numbers, element by element on arrays that broadcast.
function each(f, xs, dtype) {
  const shape = broadcastShape(xs.map(shapeOf));
  const out = new Float64Array(size(shape));
  const args = xs.map(dataOf);
  const from = xs.map((x) =>
    x instanceof Arr && !same(x.shape, shape) ? places(x, shape) : x instanceof Arr ? null : 0,
  );
  const given = new Array(xs.length);
  for (let k = 0; k < out.length; k++) {
    for (let j = 0; j < xs.length; j++) given[j] = args[j][from[j] === null ? k : from[j] === 0 ? 0 : from[j][k]];
    out[k] = f(...given);
  }
  return made(shape, out, dtype ?? common(xs));
}

const unary =
  (f) =>
  (x, ...params) =>
    x instanceof Arr ? each((y) => f(y, ...params), [x]) : f(Number(x), ...params);
const binary = (f) => (a, b) => (a instanceof Arr || b instanceof Arr ? each(f, [a, b]) : f(Number(a), Number(b)));
const ternary =
  (f) =>
  (...xs) =>
    xs.some((x) => x instanceof Arr) ? each(f, xs) : f(...xs.map(Number));
const test =
  (f) =>
  (...xs) =>
    xs.some((x) => x instanceof Arr) ? each(f, xs, "b") : f(...xs.map(Number));

// The numbers of x with the given axes last, as rows of `width` numbers.
function rows(x, axes) {
  const shape = shapeOf(x);
  if (!shape.length) return { data: Float64Array.from(dataOf(x)), width: 1 };
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const turned = F.transpose(x, [...kept, ...axes]);
  return { data: turned.data, width: size(axes.map((i) => shape[i])) };
}

// A reduction: a number of each row; `shape` is that of the result.
const reduction =
  (f, dtype) =>
  (x, axes, shape, ...params) => {
    const { data, width } = rows(x, axes);
    const out = new Float64Array(size(shape));
    for (let k = 0; k < out.length; k++) out[k] = f(data.subarray(k * width, (k + 1) * width), ...params);
    return made(shape, out, dtype ?? common([x]));
  };

// A function of each line along the axes, with as many results.
const lines = (f) => (x, axes) => {
  const shape = shapeOf(x);
  const order = shape
    .map((_, i) => i)
    .filter((i) => !axes.includes(i))
    .concat(axes);
  const turned = F.transpose(x, order);
  const n = size(axes.map((axis) => shape[axis]));
  const out = new Float64Array(turned.data.length);
  for (let k = 0; k < out.length; k += n) out.set(f(turned.data.subarray(k, k + n)), k);
  const back = order.map((_, i) => order.indexOf(i));
  return F.transpose(made(turned.shape, out, common([x])), back);
};

// From the page's data: a number, one of the texts that JSON has no number for, or an array as {shape, dtype, data}.
function read(x) {
  if (x === null || typeof x === "number" || typeof x === "boolean") return x;
  if (typeof x === "string") return { nan: NaN, inf: Infinity, "-inf": -Infinity }[x];
  if (Array.isArray(x)) return x.map(read);
  const bytes = Uint8Array.from(atob(x.data), (c) => c.charCodeAt(0)).buffer;
  const data = x.dtype === "i" ? new Int32Array(bytes) : Float64Array.from(new Float64Array(bytes));
  return new Arr(x.shape, data, x.dtype);
}

const F = {}; // the forward rule of each gate: see gates.js

// ---------------------------------------------------------------------------------------------------- moving numbers
F.reshape = (x, shape) => made(shape, Float64Array.from(dataOf(x)), dtypeOf(x) === "weak" ? "d" : dtypeOf(x));
F.take = (x, from, shape) => {
  const data = dataOf(x);
  return made(
    shape,
    Float64Array.from(dataOf(from), (i) => data[i]),
    dtypeOf(x) === "weak" ? "d" : dtypeOf(x),
  );
};
F.put = (x, to, shape) => {
  const out = new Float64Array(size(shape));
  const at = dataOf(to);
  const g = x instanceof Arr && same(x.shape, shapeOf(to)) ? x.data : dataOf(F.broadcast_to(x, shapeOf(to)));
  for (let k = 0; k < at.length; k++) out[at[k]] += g[k];
  return made(shape, out, common([x]));
};
F.broadcast_to = (x, shape) => {
  const data = dataOf(x);
  if (!(x instanceof Arr)) return made(shape, new Float64Array(size(shape)).fill(x), dtypeOf(x) === "b" ? "b" : "d");
  return made(
    shape,
    Float64Array.from(places(x, shape), (i) => data[i]),
    x.dtype,
  );
};
F.transpose = (x, axes) => {
  if (!(x instanceof Arr) || axes.every((a, i) => a === i)) return x;
  const steps = new Array(axes.length);
  let step = 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    steps[i] = step;
    step *= x.shape[i];
  }
  const shape = axes.map((a) => x.shape[a]);
  const from = walk(
    shape,
    axes.map((a) => steps[a]),
  );
  return new Arr(
    shape,
    Float64Array.from(from, (i) => x.data[i]),
    x.dtype,
  );
};
F.concatenate = (xs, axis) => {
  const shape = [...xs[0].shape];
  shape[axis] = xs.reduce((n, x) => n + x.shape[axis], 0);
  const inner = xs.map((x) => size(x.shape.slice(axis)));
  const outer = size(shape.slice(0, axis));
  const out = new Float64Array(size(shape));
  let place = 0;
  for (let k = 0; k < outer; k++) {
    xs.forEach((x, j) => {
      out.set(x.data.subarray(k * inner[j], (k + 1) * inner[j]), place);
      place += inner[j];
    });
  }
  return made(shape, out, common(xs));
};
F.cast = (x, dtype) => {
  if (!(x instanceof Arr) && dtype === "d") return Number(x);
  return made(shapeOf(x), Float64Array.from(dataOf(x)), dtype === "?" ? "b" : dtype);
};

// ---------------------------------------------------------------------------------------- the chain rule, in one place
// Upstream times local; a local of true and false selects.
function times(g, local) {
  return dtypeOf(local) === "b" ? F.select(local, g) : F.multiply(g, local);
}

// A contribution in the shape and dtype of the value that it goes to: summed over the axes that were broadcast.
function fit(d, x) {
  const have = shapeOf(d);
  const want = shapeOf(x);
  if (!same(have, want)) {
    const lead = have.length - want.length;
    if (lead < 0 || want.some((n, i) => n !== have[i + lead] && n !== 1))
      throw new Error("a gradient of another shape");
    const axes = have.map((_, i) => i).filter((i) => i < lead || (want[i - lead] === 1 && have[i] !== 1));
    d = F.sum(d, axes, want);
  }
  if (!(x instanceof Arr)) return d instanceof Arr ? d.data[0] : Number(d);
  return d instanceof Arr && d.dtype === x.dtype ? d : made(x.shape, Float64Array.from(dataOf(d)), x.dtype);
}

const plus = (a, b) => (Array.isArray(a) ? a.map((part, i) => F.add(part, b[i])) : F.add(a, b));
const zeros = (x) => (x instanceof Arr ? made(x.shape, new Float64Array(x.data.length), x.dtype) : 0);
const ones = (x) => (x instanceof Arr ? made(x.shape, new Float64Array(x.data.length).fill(1), x.dtype) : 1);
