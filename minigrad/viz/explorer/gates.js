// The forward rule of each gate: number in, number out, and element by element on arrays.  There are no derivatives
// here: those come from the gates' rows, as calls of these functions.

// -------------------------------------------------------------------------------------------------------- arithmetic
F.add = binary((a, b) => a + b);
F.subtract = binary((a, b) => a - b);
F.multiply = binary((a, b) => a * b);
F.divide = binary((a, b) => a / b);
F.floor_divide = binary(floorDivide);
F.remainder = binary(remainder);
F.power = binary(power);
F.positive = unary((x) => x);
F.negative = unary((x) => -x);
F.reciprocal = unary((x) => 1 / x);
F.square = unary((x) => x * x);
F.absolute = unary(Math.abs);
F.sign = unary(Math.sign);

// -------------------------------------------------------------------------------------------- comparisons and choices
F.equal = test((a, b) => a === b);
F.not_equal = test((a, b) => a !== b);
F.less = test((a, b) => a < b);
F.less_equal = test((a, b) => a <= b);
F.greater = test((a, b) => a > b);
F.greater_equal = test((a, b) => a >= b);
F.isnan = test((x) => x !== x);
F.isinf = test((x) => Math.abs(x) === Infinity);
F.isfinite = test((x) => Number.isFinite(x));
F.bitwise_and = test((a, b) => Boolean(a & b));
F.bitwise_or = test((a, b) => Boolean(a | b));
F.bitwise_xor = test((a, b) => Boolean(a ^ b));
F.invert = test((a) => !a);
F.select = (mask, x) =>
  mask instanceof Arr || x instanceof Arr ? each((m, y) => (m ? y : 0), [mask, x]) : mask ? x : 0;
F.where = (mask, a, b) => {
  if (![mask, a, b].some((x) => x instanceof Arr)) return mask ? a : b;
  return each((m, x, y) => (m ? x : y), [mask, a, b], common([a, b]));
};
F.relu = unary((x) => (x > 0 ? x : x !== x ? x : 0));
F.maximum = binary(Math.max);
F.minimum = binary(Math.min);
F.fmax = binary((a, b) => (a !== a ? b : b !== b ? a : Math.max(a, b)));
F.fmin = binary((a, b) => (a !== a ? b : b !== b ? a : Math.min(a, b)));
F.clip = (x, low, high) => {
  const ends = [low ?? -Infinity, high ?? Infinity];
  if (![x, ...ends].some((y) => y instanceof Arr)) return Math.min(Math.max(x, ends[0]), ends[1]);
  return each((y, a, b) => Math.min(Math.max(y, a), b), [x, ...ends], common([x, ...ends]));
};

// ------------------------------------------------------------------------------- exponentials, logarithms and rounding
F.exp = unary(Math.exp);
F.exp2 = unary((x) => 2 ** x);
F.expm1 = unary(Math.expm1);
F.log = unary(Math.log);
F.log2 = unary(Math.log2);
F.log10 = unary(Math.log10);
F.log1p = unary(Math.log1p);
F.sqrt = unary(Math.sqrt);
F.cbrt = unary(Math.cbrt);
F.sigmoid = unary(sigmoid);
F.logaddexp = binary(logaddexp);
F.logaddexp2 = binary(logaddexp2);
F.floor = unary(Math.floor);
F.ceil = unary(Math.ceil);
F.trunc = unary(Math.trunc);
F.round = unary(round);
F.heaviside = binary((x, atZero) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? atZero : NaN));
F.nan_to_num = unary((x, nan, posinf, neginf) =>
  x !== x ? nan : x === Infinity ? (posinf ?? Number.MAX_VALUE) : x === -Infinity ? (neginf ?? -Number.MAX_VALUE) : x,
);

// ------------------------------------------------------------------------------------------------ angles, hyperbolas
F.sin = unary(Math.sin);
F.cos = unary(Math.cos);
F.tan = unary(Math.tan);
F.arcsin = unary(Math.asin);
F.arccos = unary(Math.acos);
F.arctan = unary(Math.atan);
F.arctan2 = binary(Math.atan2);
F.hypot = binary(Math.hypot);
F.sinc = unary(sinc);
F.deg2rad = unary((x) => x * (Math.PI / 180));
F.rad2deg = unary((x) => x * (180 / Math.PI));
F.sinh = unary(Math.sinh);
F.cosh = unary(Math.cosh);
F.sech = unary((x) => 1 / Math.cosh(x));
F.tanh = unary(Math.tanh);
F.arcsinh = unary(Math.asinh);
F.arccosh = unary(Math.acosh);
F.arctanh = unary(Math.atanh);

// ---------------------------------------------------------------------------------------------------------- special
F.erf = unary(erf);
F.erfc = unary(erfc);
F.erfinv = unary(erfinv);
F.lgamma = unary(lgamma);
F.digamma = unary(digamma);
F.polygamma = (n, x) => unary((y) => polygamma(n, y))(x);
F.xlogy = binary((x, y) => (x === 0 && y === y ? 0 : x * Math.log(y)));
F.logit = unary((x) => Math.log(x / (1 - x)));

// ------------------------------------------------------------------------------------------------------- activations
F.relu6 = unary((x) => Math.min(Math.max(x, 0), 6));
F.hardtanh = unary((x, low, high) => Math.min(Math.max(x, low), high));
F.hardsigmoid = unary((x) => Math.min(Math.max(x + 3, 0), 6) / 6);
F.leaky_relu = unary((x, slope) => (x > 0 ? x : slope * x));
F.elu = unary(elu);
F.selu = unary((x) => 1.0507009873554805 * elu(x, 1.6732632423543772));
F.celu = unary((x, alpha) => (x > 0 ? x : alpha * Math.expm1(Math.min(x, 0) / alpha)));
F.logsigmoid = unary((x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))));
F.softplus = unary(softplus);
F.gelu = unary(gelu);
F.silu = unary((x) => Math.max(x, -FAR) * sigmoid(x));
F.mish = unary((x) => Math.max(x, -FAR) * Math.tanh(softplus(x, 1)));
F.softsign = unary((x) => Math.min(Math.max(x, -1e30), 1e30) / (1 + Math.abs(Math.min(Math.max(x, -1e30), 1e30))));
F.hinge = binary((score, label) => Math.max(1 - label * score, 0));
F.lerp = ternary(lerp);

// ------------------------------------------------------------------------------------ one number of many, along axes
const total = (row) => row.reduce((a, b) => a + b, 0);
const largest = (row) => row.reduce((a, b) => Math.max(a, b), -Infinity);
const shift = (row) => (Number.isFinite(largest(row)) ? largest(row) : 0);
const deviations = (row) => {
  const mean = total(row) / row.length;
  const off = row.map((x) => x - mean);
  const rest = total(off) / row.length;
  return off.map((x) => x - rest);
};
const variance = (row, ddof) => total(deviations(row).map((d) => d * d)) / Math.max(row.length - ddof, 0);
const length = (row, order) => {
  const sizes = row.map(Math.abs);
  if (order === 0) return sizes.filter((x) => x !== 0).length;
  if (Math.abs(order) === Infinity) return order > 0 ? Math.max(...sizes) : Math.min(...sizes);
  const most = largest(sizes) || 1;
  const scaled = sizes.map((x) => (x / most) ** order);
  return most * total(scaled) ** (1 / order);
};
const best = (better) => (row) => {
  let at = 0;
  for (let i = 1; i < row.length; i++)
    if (better(row[i], row[at]) || (row[i] !== row[i] && row[at] === row[at])) at = i;
  return at;
};
F.sum = reduction(total);
F.mean = reduction((row) => total(row) / row.length);
F.max = reduction(largest);
F.min = reduction((row) => row.reduce((a, b) => Math.min(a, b), Infinity));
F.prod = reduction((row) => row.reduce((a, b) => a * b, 1));
F.logsumexp = reduction((row) => {
  const most = shift(row);
  return Math.log(total(row.map((x) => Math.exp(x - most)))) + most;
});
F.var = reduction(variance);
F.std = reduction((row, ddof) => Math.sqrt(variance(row, ddof)));
F.vector_norm = reduction(length);
F.all = reduction((row) => row.every((x) => x !== 0), "b");
F.any = reduction((row) => row.some((x) => x !== 0), "b");
F.argmax = reduction(
  best((a, b) => a > b),
  "i",
);
F.argmin = reduction(
  best((a, b) => a < b),
  "i",
);
F.count_nonzero = reduction((row) => row.filter((x) => x !== 0).length, "i");
F.softmax = lines((row) => {
  const most = shift(row);
  const e = row.map((x) => Math.exp(x - most));
  const all = total(e);
  return e.map((x) => x / all);
});
F.log_softmax = lines((row) => {
  const most = shift(row);
  const log = Math.log(total(row.map((x) => Math.exp(x - most))));
  return row.map((x) => x - most - log);
});
F.cumsum = lines((row) =>
  row.map(
    (
      (sum) => (x) =>
        (sum += x)
    )(0),
  ),
);
F.cumprod = lines((row) =>
  row.map(
    (
      (product) => (x) =>
        (product *= x)
    )(1),
  ),
);
F.sum_of_squares = (xs) =>
  xs.reduce(
    (all, x) =>
      F.add(
        all,
        F.sum(
          F.square(x),
          shapeOf(x).map((_, i) => i),
          [],
        ),
      ),
    0,
  );
F.negative_log_softmax = (scores, labels) => {
  const [rows_, n] = scores.shape;
  const out = Float64Array.from({ length: rows_ }, (_, i) => {
    const row = scores.data.subarray(i * n, (i + 1) * n);
    const most = shift(row);
    const own = scores.data[i * n + dataOf(labels)[i]] - most;
    const others = total(row.map((x, j) => (j === dataOf(labels)[i] ? 0 : Math.exp(x - most))));
    return Math.log1p(others + Math.expm1(own)) - own;
  });
  return made([rows_], out, common([scores]));
};

// ------------------------------------------------------------------------------------------------------------ products
F.matmul = matmul;
F.einsum = einsum;
// An array (channels, places and batch) as an image (batch, channels, ...places).
const asImage = (x, places) => {
  const image = F.reshape(x, [x.shape[0], ...places, x.data.length / x.shape[0] / size(places)]);
  return F.transpose(image, [places.length + 1, ...image.shape.slice(1).map((_, i) => i)]);
};
F.filtered = (columns, weight, bias, places, groups) => {
  const [filters, n] = [weight.shape[0], columns.shape[1]];
  const taps = weight.data.length / filters;
  const out = matmul(F.reshape(weight, [groups, filters / groups, taps]), F.reshape(columns, [groups, taps, n]));
  return asImage(F.add(F.reshape(out, [filters, n]), F.reshape(bias, [filters, 1])), places);
};
F.largest = (columns, count, places) => {
  const parts = F.reshape(columns, [columns.shape[0] / count, count, columns.shape[1]]);
  return asImage(F.max(parts, [1], [parts.shape[0], parts.shape[2]]), places);
};
F.first_of_largest = (parts, top) => {
  const [channels, count, n] = parts.shape;
  const out = new Float64Array(parts.data.length);
  for (let c = 0; c < channels; c++) {
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < count; i++) {
        const x = parts.data[(c * count + i) * n + j];
        if (x !== top.data[c * n + j] && x === x) continue;
        out[(c * count + i) * n + j] = 1;
        break;
      }
    }
  }
  return made(parts.shape, out, "b");
};
F.linear = (x, weight, bias) => F.add(matmul(x, F.transpose(weight, [1, 0])), bias);
F.neuron = (wires) => {
  const n = (wires.length - 1) / 2;
  let out = wires[2 * n];
  for (let i = 0; i < n; i++) out = F.add(out, F.multiply(wires[i], wires[n + i]));
  return out;
};

// ------------------------------------------------------------------------------------------------------------ matrices
F.inv = (a) =>
  stacked(
    (x, n) =>
      solved(
        x,
        n,
        Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) ? 0 : 1)),
        n,
      ),
    a,
  );
F.solve = (a, b) => {
  const n = a.shape[a.shape.length - 1];
  const vector = b.shape.length === 1;
  const columns = vector ? 1 : b.shape[b.shape.length - 1];
  const lead = broadcastShape([a.shape.slice(0, -2), vector ? [] : b.shape.slice(0, -2)]);
  const left = F.broadcast_to(a, [...lead, n, n]);
  const right = F.broadcast_to(vector ? F.reshape(b, [n, 1]) : b, [...lead, n, columns]);
  const out = [];
  for (let k = 0; k < size(lead); k++) {
    const [x, y] = [
      left.data.subarray(k * n * n, (k + 1) * n * n),
      right.data.subarray(k * n * columns, (k + 1) * n * columns),
    ];
    out.push(...solved(x, n, y, columns));
  }
  return made(vector ? [...lead, n] : [...lead, n, columns], Float64Array.from(out), common([a, b]));
};
F.cholesky = (a) => stacked(cholesky, a);
F.det = (a) => stacked((x, n) => [determinant(x, n)], a, a.shape.slice(0, -2));
F.slogdet = (a) => {
  const d = F.det(a);
  return [F.sign(d), F.log(F.absolute(d))];
};
F.cofactor = (a) => stacked(cofactors, a);
F.pinv = (a, cut) => {
  const shape = [...a.shape.slice(0, -2), ...a.shape.slice(-2).reverse()];
  return stacked((x, m, n) => pseudoInverse(x, m, n, cut ?? Math.max(m, n) * 2 ** -52), a, shape);
};
