// Signatures in plain arithmetic, where the browser has no WebCrypto (plain HTTP, old in-app
// browsers) or one that knows no Ed25519; and the points of P-256, which any check of a key on that
// curve needs. The core fetches this file only then, and runs it only if it has the hash that the core
// holds.

const { hex, join, sha256, bigEndian, littleEndian, bytesOfHex, L } = Tracebond.tools;
const P = 2n ** 255n - 19n;
const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const N256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B256 = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

function power(base, exponent, modulus) {
  let result = 1n;
  for (let square = base, left = exponent; left; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** (x, y) of a compressed point of P-256, or null. */
function pointOf256(key) {
  if (key.length !== 33) return null;
  const x = bigEndian(key.subarray(1));
  const square = (x * x * x + (P256 - 3n) * x + B256) % P256;
  const y = power(square, (P256 + 1n) / 4n, P256);
  const isPoint = key[0] >> 1 === 1 && x < P256 && (y * y) % P256 === square;
  return isPoint ? [x, y % 2n === BigInt(key[0] & 1) ? y : P256 - y] : null;
}


/** The base point of P-256. */
const G256 = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
];

const positive = (value, modulus) => ((value % modulus) + modulus) % modulus;
const inverse = (value, modulus) => power(positive(value, modulus), modulus - 2n, modulus);

// --- SHA-512 (FIPS 180-4) -----------------------------------------------------------------------

// Its constants are the fractions of roots of the first primes (section 4.2.3).
const PRIMES = [];
for (let n = 2; PRIMES.length < 80; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);

/** The first 64 bits of the fraction of the `degree`-th root of `n`. */
function fraction(n, degree) {
  const wanted = BigInt(n) << BigInt(64 * degree);
  let root = 0n;
  for (let bit = 1n << 69n; bit; bit >>= 1n) {
    const tried = root | bit;
    if (tried ** BigInt(degree) <= wanted) root = tried;
  }
  return BigInt.asUintN(64, root);
}

const ROUNDS = PRIMES.map((prime) => fraction(prime, 3));
const START = PRIMES.slice(0, 8).map((prime) => fraction(prime, 2));

const u64 = (value) => BigInt.asUintN(64, value);
const turn = (value, by) => u64((value >> by) | (value << (64n - by)));

function sha512(message) {
  const blocks = (message.length + 17 + 127) >> 7;
  const padded = new Uint8Array(blocks * 128);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n);
  const sum = [...START];
  const w = new Array(80);
  for (let block = 0; block < padded.length; block += 128) {
    for (let i = 0; i < 16; i++) w[i] = view.getBigUint64(block + 8 * i);
    for (let i = 16; i < 80; i++) {
      const [x, y] = [w[i - 15], w[i - 2]];
      const s0 = turn(x, 1n) ^ turn(x, 8n) ^ (x >> 7n);
      const s1 = turn(y, 19n) ^ turn(y, 61n) ^ (y >> 6n);
      w[i] = u64(w[i - 16] + s0 + w[i - 7] + s1);
    }
    let [a, b, c, d, e, f, g, h] = sum;
    for (let i = 0; i < 80; i++) {
      const s1 = turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (u64(~e) & g)) + ROUNDS[i] + w[i];
      const s0 = turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, u64(d + t1), c, b, a, u64(t1 + t2)];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (sum[i] = u64(sum[i] + word)));
  }
  const digest = new DataView(new ArrayBuffer(64));
  sum.forEach((word, i) => digest.setBigUint64(8 * i, word));
  return new Uint8Array(digest.buffer);
}

// --- Ed25519 in plain arithmetic (RFC 8032 section 5.1) ---------------------------------------
// Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z; coordinates may be negative on the way.

const D = positive(-121665n * inverse(121666n, P), P);
const ROOT_OF_MINUS_1 = power(2n, (P - 1n) / 4n, P);
const NOWHERE = [0n, 1n, 1n, 0n];

function plus([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = ((y1 - x1) * (y2 - x2)) % P;
  const b = ((y1 + x1) * (y2 + x2)) % P;
  const c = (((2n * t1 * t2) % P) * D) % P;
  const d = (2n * z1 * z2) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

function twice([x, y, z]) {
  const a = (x * x) % P;
  const b = (y * y) % P;
  const h = a + b;
  const e = h - ((x + y) * (x + y)) % P;
  const g = a - b;
  const f = (2n * z * z) % P + g;
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

/** The point of 32 bytes, or null. */
function decompress(bytes) {
  const all = littleEndian(bytes);
  const y = all & (2n ** 255n - 1n);
  const [u, v] = [positive(y * y - 1n, P), (D * y * y + 1n) % P];
  let x = (u * power(v, 3n, P) * power(u * power(v, 7n, P), (P - 5n) / 8n, P)) % P;
  if ((v * x * x) % P !== u) x = (x * ROOT_OF_MINUS_1) % P;
  if ((v * x * x) % P !== u) return null;
  if ((x & 1n) !== all >> 255n) x = P - x;
  return [x, y, 1n, (x * y) % P];
}

/** The first sixteen multiples of a point. */
function multiples(point) {
  const table = [NOWHERE];
  for (let i = 1; i < 16; i++) table.push(plus(table[i - 1], point));
  return table;
}

/** Multiples by the bytes that a point was made of: keys come back all the time. */
const tables = new Map();

function tableOf(bytes, turned) {
  const name = hex(bytes) + turned;
  if (!tables.has(name)) {
    const point = decompress(bytes);
    const [x, y, z, t] = point ?? NOWHERE;
    if (tables.size > 256) tables.clear();
    tables.set(name, point && multiples(turned ? [-x, y, z, -t] : point));
  }
  return tables.get(name);
}

/** The base point: y = 4/5, x even. */
const BASE = Uint8Array.from({ length: 32 }, (_, i) => (i ? 0x66 : 0x58));

/** Whether `S B - k A` has exactly the bytes of R: the equation without cofactor. */
function verifyEd25519(key, message, signature) {
  const [base, minusA] = [tableOf(BASE, false), tableOf(key, true)];
  if (!minusA) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = littleEndian(sha512(join(r, key, message))) % L;
  let sum = NOWHERE;
  for (let bit = 252n; bit >= 0n; bit -= 4n) {
    sum = twice(twice(twice(twice(sum))));
    sum = plus(sum, base[Number((s >> bit) & 15n)]);
    sum = plus(sum, minusA[Number((k >> bit) & 15n)]);
  }
  const z = inverse(sum[2], P);
  const x = positive(sum[0] * z, P);
  const y = positive(sum[1] * z, P);
  return littleEndian(r) === (y | ((x & 1n) << 255n));
}

// --- P-256 in plain arithmetic (SEC 1 section 4.1.4) ------------------------------------------
// Points are (X, Y, Z) with x = X/Z^2, y = Y/Z^3; Z = 0 is the point at infinity.

function twice256([x, y, z]) {
  if (!z || !y) return [1n, 1n, 0n];
  const zz = (z * z) % P256;
  const yy = (y * y) % P256;
  const s = (4n * x * yy) % P256;
  const m = (3n * (x - zz) * (x + zz)) % P256;
  const x3 = (m * m - 2n * s) % P256;
  return [x3, (m * (s - x3) - 8n * yy * yy) % P256, (2n * y * z) % P256];
}

function plus256(a, b) {
  if (!a[2]) return b;
  if (!b[2]) return a;
  const [x1, y1, z1] = a;
  const [x2, y2, z2] = b;
  const [z11, z22] = [(z1 * z1) % P256, (z2 * z2) % P256];
  const u1 = (x1 * z22) % P256;
  const s1 = (((y1 * z22) % P256) * z2) % P256;
  const h = positive(x2 * z11 - u1, P256);
  const r = positive(((y2 * z11) % P256) * z1 - s1, P256);
  if (!h) return r ? [1n, 1n, 0n] : twice256(a);
  const hh = (h * h) % P256;
  const hhh = (h * hh) % P256;
  const v = (u1 * hh) % P256;
  const x3 = (r * r - hhh - 2n * v) % P256;
  return [x3, (r * (v - x3) - s1 * hhh) % P256, (((h * z1) % P256) * z2) % P256];
}

function verifyP256(key, message, signature) {
  const [r, s] = [bigEndian(signature.subarray(0, 32)), bigEndian(signature.subarray(32))];
  const w = inverse(s, N256);
  const [u1, u2] = [(bigEndian(sha256(message)) * w) % N256, (r * w) % N256];
  const [g, q] = [[...G256, 1n], [...pointOf256(key), 1n]];
  const steps = [null, g, q, plus256(g, q)];
  let sum = [1n, 1n, 0n];
  for (let bit = 255n; bit >= 0n; bit--) {
    sum = twice256(sum);
    const step = steps[Number(((u1 >> bit) & 1n) | (((u2 >> bit) & 1n) << 1n))];
    if (step) sum = plus256(sum, step);
  }
  if (!sum[2]) return false;
  const z = inverse(sum[2], P256);
  return positive(sum[0] * z * z, P256) % N256 === r;
}

Object.assign(Tracebond.tools, {
  pointOf256,
  soundHalves: (r, s) => r && r < N256 && s && s <= N256 / 2n,
  uncompressed: (key) => bytesOfHex(`04${pointOf256(key).map((one) => one.toString(16).padStart(64, 0)).join('')}`),
  plain: (alg, key, message, signature) =>
    key.length === 32 ? verifyEd25519(key, message, signature) : verifyP256(key, message, signature),
});
