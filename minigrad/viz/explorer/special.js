// Functions that Math doesn't have, to 1e-13 or better.
const LOG_ROOT_2PI = 0.91893853320467274178;
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510];

// erf by its series, whose terms are all positive.  DLMF 7.6.2.
function erfSeries(x) {
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * bell(x) * total;
}

// exp(-x²) to the last digits: x² is split into an exact part and a small one.
function bell(x) {
  const m = Math.trunc(x * 128) / 128;
  return Math.exp(-m * m) * Math.exp(-(x - m) * (x + m));
}

// erfc for x > 2 by its continued fraction, from the end.  DLMF 7.9.1.
function erfcFraction(x) {
  let f = x;
  for (let k = 120; k >= 1; k--) f = x + k / 2 / f;
  return bell(x) / (Math.sqrt(Math.PI) * f);
}

function erf(x) {
  if (x !== x) return NaN;
  if (Math.abs(x) < 2) return erfSeries(x);
  return Math.sign(x) * (1 - (Math.abs(x) > 28 ? 0 : erfcFraction(Math.abs(x))));
}

function erfc(x) {
  if (x !== x) return NaN;
  if (x < 0.5) return 1 - erf(x);
  if (x < 2) return 1 - erfSeries(x);
  return x > 28 ? 0 : erfcFraction(x);
}

// Newton's steps from a first guess (Winitzki 2008).
function erfinv(y) {
  if (!(Math.abs(y) <= 1)) return NaN;
  if (Math.abs(y) === 1) return y * Infinity;
  const l = Math.log1p(-y * y);
  const a = 0.147;
  const b = 2 / (Math.PI * a) + l / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(b * b - l / a) - b);
  for (let k = 0; k < 4; k++) {
    const off = y > 0.5 ? 1 - y - erfc(x) : y < -0.5 ? erfc(-x) - (1 + y) : erf(x) - y;
    x -= off / ((2 / Math.sqrt(Math.PI)) * bell(x));
  }
  return x;
}

// Stirling's series, after steps up to where it is exact.  DLMF 5.11.1.
function lgamma(x) {
  if (!(x > -Infinity)) return x;
  if (x === Infinity) return Infinity;
  if (x <= 0 && x === Math.floor(x)) return Infinity;
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - lgamma(1 - x);
  let product = 1;
  while (x < 12) product *= x++;
  let series = 0;
  for (let k = BERNOULLI.length; k >= 1; k--) series = series / (x * x) + BERNOULLI[k - 1] / (2 * k * (2 * k - 1));
  return (x - 0.5) * Math.log(x) - x + LOG_ROOT_2PI + series / x - Math.log(product);
}

// DLMF 5.11.2, and the reflection for negative x.
function digamma(x) {
  if (x === -Infinity || x !== x) return NaN;
  if (x <= 0) return x === Math.floor(x) ? (x === 0 ? -1 / x : NaN) : digamma(1 - x) - Math.PI / Math.tan(Math.PI * x);
  let total = 0;
  for (; x < 12; x++) total -= 1 / x;
  let series = 0;
  for (let k = BERNOULLI.length; k >= 1; k--) series = series / (x * x) + BERNOULLI[k - 1] / (2 * k);
  return total + Math.log(x) - 0.5 / x - series / (x * x);
}

// Hurwitz's zeta by Euler and Maclaurin.  DLMF 25.11.28.
function zeta(s, x) {
  if (x <= 0 && x === Math.floor(x)) return Infinity;
  if (!(x > -1e6) || (x < 0 && s !== Math.floor(s))) return NaN;
  let total = 0;
  for (; x < 14; x++) total += x ** -s;
  total += x ** (1 - s) / (s - 1) + x ** -s / 2;
  let factor = s * x ** (-s - 1);
  for (let k = 1; k <= BERNOULLI.length; k++) {
    total += (BERNOULLI[k - 1] * factor) / (k === 1 ? 2 : 1) / (k === 1 ? 1 : factorial(2 * k));
    factor *= ((s + 2 * k - 1) * (s + 2 * k)) / (x * x);
  }
  return total;
}

function factorial(n) {
  let out = 1;
  for (let k = 2; k <= n; k++) out *= k;
  return out;
}

const polygamma = (n, x) => (n % 2 ? 1 : -1) * factorial(n) * zeta(n + 1, x);

function sigmoid(x) {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

const softplus = (x, beta) => {
  const u = beta * x;
  return (u > 0 ? x : 0) + Math.log1p(Math.exp(-Math.abs(u))) / beta;
};

// Python's % has the sign of b, and its // is consistent with it.
const zeroLike = (x) => (x < 0 || Object.is(x, -0) ? -0 : 0);

function remainder(a, b) {
  const r = a % b;
  if (r === 0) return zeroLike(b);
  return r < 0 !== b < 0 && b === b ? r + b : r;
}

function floorDivide(a, b) {
  if (b === 0) return a / b;
  const r = a % b;
  const quotient = (a - r) / b - (r !== 0 && r < 0 !== b < 0 ? 1 : 0);
  if (quotient === 0) return zeroLike(a / b);
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

// C's pow, which knows 1 ** nan = 1 and (-1) ** inf = 1.
const power = (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b);

// To the nearest, halves to the even one, as NumPy.
function roundEven(x) {
  const low = Math.floor(x);
  const off = x - low;
  return off < 0.5 || (off === 0.5 && low % 2 === 0) ? low : low + 1;
}

function round(x, decimals) {
  if (!Number.isFinite(x)) return x;
  const scale = 10 ** Math.abs(decimals);
  return decimals >= 0 ? roundEven(x * scale) / scale : roundEven(x / scale) * scale;
}

function logaddexp(a, b) {
  if (a === b) return a + Math.LN2;
  const d = a - b;
  return d > 0 ? a + Math.log1p(Math.exp(-d)) : d <= 0 ? b + Math.log1p(Math.exp(d)) : NaN;
}

function logaddexp2(a, b) {
  if (a === b) return a + 1;
  const d = a - b;
  return d > 0 ? a + Math.log1p(2 ** -d) / Math.LN2 : d <= 0 ? b + Math.log1p(2 ** d) / Math.LN2 : NaN;
}

function sinc(x) {
  if (Math.abs(x) < 1e-9) return 1;
  const whole = roundEven(x);
  return ((1 - 2 * remainder(whole, 2)) * Math.sin(Math.PI * (x - whole))) / Math.PI / x;
}

const FAR = 1000; // as the activations: what passes there is 0 or all
const BEND = 2 * Math.sqrt(2 / Math.PI);
function gelu(x, approximate) {
  const near = Math.min(Math.max(x, -100), 100);
  const part = approximate === "none" ? 0.5 * erfc(-Math.SQRT1_2 * x) : sigmoid(BEND * (near + 0.044715 * near ** 3));
  return Math.max(x, -FAR) * part;
}

const elu = (x, alpha) => (x > 0 ? x : alpha * Math.expm1(Math.min(x, 0)));

function lerp(a, b, t) {
  if (a === b) return a;
  const negative = (x) => x < 0 || Object.is(x, -0);
  return negative(a) === negative(b) ? a + t * (b - a) : (1 - t) * a + t * b;
}
