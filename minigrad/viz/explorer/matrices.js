// Matrix functions, on one matrix or on each of a stack.

// Matrix by matrix: f is given rows of numbers and the sizes, and returns the numbers of its result.
function stacked(f, x, shape) {
  const [m, n] = x.shape.slice(-2);
  const out = [];
  for (let k = 0; k < x.data.length; k += m * n) out.push(...f(x.data.subarray(k, k + m * n), m, n));
  return made(shape ?? x.shape, Float64Array.from(out), common([x]));
}

// Gauss with row exchanges: the factors in one matrix, the order of the rows, and the sign of the exchanges.
function factor(a, n) {
  const lu = Float64Array.from(a);
  const order = Array.from({ length: n }, (_, i) => i);
  let sign = 1;
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(lu[i * n + k]) > Math.abs(lu[best * n + k])) best = i;
    if (best !== k) {
      sign = -sign;
      [order[k], order[best]] = [order[best], order[k]];
      for (let j = 0; j < n; j++) [lu[k * n + j], lu[best * n + j]] = [lu[best * n + j], lu[k * n + j]];
    }
    if (lu[k * n + k] === 0) continue;
    for (let i = k + 1; i < n; i++) {
      const share = (lu[i * n + k] /= lu[k * n + k]);
      for (let j = k + 1; j < n; j++) lu[i * n + j] -= share * lu[k * n + j];
    }
  }
  return { lu, order, sign };
}

// x with a x = b for each column of b.
function solved(a, n, b, columns) {
  const { lu, order } = factor(a, n);
  const x = new Float64Array(n * columns);
  for (let c = 0; c < columns; c++) {
    for (let i = 0; i < n; i++) {
      let total = b[order[i] * columns + c];
      for (let j = 0; j < i; j++) total -= lu[i * n + j] * x[j * columns + c];
      x[i * columns + c] = total;
    }
    for (let i = n - 1; i >= 0; i--) {
      let total = x[i * columns + c];
      for (let j = i + 1; j < n; j++) total -= lu[i * n + j] * x[j * columns + c];
      x[i * columns + c] = total / lu[i * n + i];
    }
  }
  return x;
}

function determinant(a, n) {
  const { lu, sign } = factor(a, n);
  let out = sign;
  for (let k = 0; k < n; k++) out *= lu[k * n + k];
  return out;
}

function cholesky(a, n) {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let total = 0.5 * (a[i * n + j] + a[j * n + i]);
      for (let k = 0; k < j; k++) total -= out[i * n + k] * out[j * n + k];
      out[i * n + j] = i === j ? Math.sqrt(total) : total / out[j * n + j];
    }
  }
  return out;
}

// Each number's cofactor: (-1)^(i+j) times the determinant without its row and column.
function cofactors(a, n) {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const minor = a.filter((_, k) => Math.floor(k / n) !== i && k % n !== j);
      out[i * n + j] = ((i + j) % 2 ? -1 : 1) * determinant(minor, n - 1);
    }
  }
  return out;
}

// The pseudo-inverse from the eigenvectors of aᵀa, turned pair by pair on a itself (one-sided Jacobi).
function pseudoInverse(a, m, n, cut) {
  const u = Float64Array.from(a);
  const v = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) ? 0 : 1));
  const turn = (x, count, p, q, c, s) => {
    for (let i = 0; i < count; i++) {
      const [y, z] = [x[i * n + p], x[i * n + q]];
      x[i * n + p] = c * y - s * z;
      x[i * n + q] = s * y + c * z;
    }
  };
  for (let sweep = 0; sweep < 60; sweep++) {
    let most = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        let [pp, qq, pq] = [0, 0, 0];
        for (let i = 0; i < m; i++) {
          pp += u[i * n + p] ** 2;
          qq += u[i * n + q] ** 2;
          pq += u[i * n + p] * u[i * n + q];
        }
        if (pq === 0 || Math.abs(pq) <= 1e-17 * Math.sqrt(pp * qq)) continue;
        most = Math.max(most, Math.abs(pq) / Math.sqrt(pp * qq));
        const z = (qq - pp) / (2 * pq);
        const t = (z >= 0 ? 1 : -1) / (Math.abs(z) + Math.hypot(1, z));
        const c = 1 / Math.hypot(1, t);
        turn(u, m, p, q, c, c * t);
        turn(v, n, p, q, c, c * t);
      }
    }
    if (most < 1e-16) break;
  }
  const squares = Array.from({ length: n }, (_, j) => {
    let total = 0;
    for (let i = 0; i < m; i++) total += u[i * n + j] ** 2;
    return total;
  });
  const limit = (cut * Math.sqrt(Math.max(...squares))) ** 2;
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) {
      for (let j = 0; j < n; j++) if (squares[j] > limit) out[i * m + k] += (v[i * n + j] * u[k * n + j]) / squares[j];
    }
  }
  return out;
}

// Vectors count as a row on the left and a column on the right; further axes broadcast.
function matmul(a, b) {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [m, n] = left.slice(-2);
  const p = right[right.length - 1];
  const lead = broadcastShape([left.slice(0, -2), right.slice(0, -2)]);
  const starts = (shape) => places(new Arr(shape.slice(0, -2), null, "i"), lead);
  const [fromA, fromB] = [starts(left), starts(right)];
  const out = new Float64Array(size(lead) * m * p);
  for (let k = 0; k < fromA.length; k++) {
    const [x, y, z] = [fromA[k] * m * n, fromB[k] * n * p, k * m * p];
    for (let i = 0; i < m; i++) {
      for (let l = 0; l < n; l++) {
        const factor_ = a.data[x + i * n + l];
        for (let j = 0; j < p; j++) out[z + i * p + j] += factor_ * b.data[y + l * p + j];
      }
    }
  }
  const shape = [...lead, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [p])];
  return made(shape, out, common([a, b]));
}

// Products summed over the letters that the output doesn't have.
function einsum(terms, output, xs) {
  const sizes = {};
  terms.forEach((term, k) => [...term].forEach((c, i) => (sizes[c] = Math.max(sizes[c] ?? 1, shapeOf(xs[k])[i]))));
  terms.forEach((term, k) => [...term].forEach((c, i) => shapeOf(xs[k])[i] === 0 && (sizes[c] = 0)));
  const all = [...new Set([...output, ...terms.join("")])];
  const shape = all.map((c) => sizes[c]);
  const walks = [...terms, output].map((term, k) => {
    const own = k < xs.length ? shapeOf(xs[k]) : [...output].map((c) => sizes[c]);
    const steps = all.map(() => 0);
    let step = 1;
    for (let i = term.length - 1; i >= 0; i--) {
      if (own[i] !== 1) steps[all.indexOf(term[i])] += step;
      step *= own[i];
    }
    return walk(shape, steps);
  });
  const data = xs.map(dataOf);
  const out = new Float64Array(size([...output].map((c) => sizes[c])));
  const to = walks[xs.length];
  for (let k = 0; k < to.length; k++) {
    let product = 1;
    for (let j = 0; j < xs.length; j++) product *= data[j][walks[j][k]];
    out[to[k]] += product;
  }
  return made(
    [...output].map((c) => sizes[c]),
    out,
    common(xs),
  );
}
