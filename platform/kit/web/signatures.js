// Keys and signatures (statement.md section 1.3). What a library could let pass is refused before
// any is called; then the browser's WebCrypto verifies, or the plain arithmetic below where there
// is none (plain HTTP, old in-app browsers) or where it knows no Ed25519.

const ED25519 = -19;
const ESP256 = -9;

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** y of the points of small order, little-endian, sign bit cleared. */
const SMALL_ORDER = [
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
];

const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const N256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B256 = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const G256 = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
];

const positive = (value, modulus) => ((value % modulus) + modulus) % modulus;

function power(base, exponent, modulus) {
  let result = 1n;
  let square = base % modulus;
  for (let left = exponent; left; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

const inverse = (value, modulus) => power(positive(value, modulus), modulus - 2n, modulus);

/** Whether 32 bytes are a canonical y and not one of small order. */
function soundPoint(bytes) {
  const y = littleEndian(bytes) & (2n ** 255n - 1n);
  return y < P && !SMALL_ORDER.includes(y);
}

/** (x, y) of a compressed point of P-256, or null. */
function pointOf256(key) {
  const x = bigEndian(key.subarray(1));
  if ((key[0] !== 2 && key[0] !== 3) || x >= P256) return null;
  const square = positive(x * x * x - 3n * x + B256, P256);
  const root = power(square, (P256 + 1n) / 4n, P256);
  if ((root * root) % P256 !== square) return null;
  return [x, (root & 1n) === BigInt(key[0] & 1) ? root : P256 - root];
}

/** Refuses a key that no signature may be verified under. */
function checkKey(alg, key) {
  need(alg === ED25519 || alg === ESP256, 'an unknown algorithm');
  need(key.length === (alg === ED25519 ? 32 : 33), "the key's length does not fit its algorithm");
  const sound = alg === ED25519 ? soundPoint(key) : pointOf256(key) !== null;
  need(sound, 'a key that is no sound point of its curve');
  return key;
}

/** Whether the halves of a signature are in the range that version 1 allows. */
function soundSignature(alg, signature) {
  const [first, second] = [signature.subarray(0, 32), signature.subarray(32)];
  if (alg === ED25519) return soundPoint(first) && littleEndian(second) < L;
  const [r, s] = [bigEndian(first), bigEndian(second)];
  return r >= 1n && r < N256 && s >= 1n && s <= (N256 - 1n) / 2n;
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

// --- Which of the two verifies ----------------------------------------------------------------

/** The plain arithmetic, for every algorithm. */
const plain = (alg, key, message, signature) =>
  alg === ED25519 ? verifyEd25519(key, message, signature) : verifyP256(key, message, signature);

const imported = new Map();

/** WebCrypto with keys kept once they are imported. */
async function webCrypto(alg, key, message, signature) {
  const { subtle } = globalThis.crypto;
  const [kind, how] =
    alg === ED25519
      ? [{ name: 'Ed25519' }, { name: 'Ed25519' }]
      : [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }];
  const name = hex(key);
  if (!imported.has(name)) {
    if (imported.size > 4096) imported.clear();
    // Not every browser takes a compressed point of P-256.
    const bytes = alg === ED25519 ? key : uncompressed(key);
    imported.set(name, subtle.importKey('raw', bytes, kind, false, ['verify']).catch(() => null));
  }
  const ready = await imported.get(name);
  return ready !== null && subtle.verify(how, ready, signature, message);
}

function uncompressed(key) {
  const [x, y] = pointOf256(key);
  const digits = x.toString(16).padStart(64, '0') + y.toString(16).padStart(64, '0');
  return Uint8Array.from([4, ...digits.match(/../g).map((pair) => parseInt(pair, 16))]);
}

/** A key, its signature over the empty message (RFC 8032 section 7.1 test 1). */
const KNOWN = [
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
    '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
].map((text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)));

/** WebCrypto if it is there and both accepts and refuses what it must, else plain arithmetic. */
async function chooseVerifier() {
  try {
    const [key, signature] = KNOWN;
    const good = await webCrypto(ED25519, key, new Uint8Array(0), signature);
    const bad = await webCrypto(ED25519, key, new Uint8Array(1), signature);
    if (good === true && bad === false) return { name: 'WebCrypto', verify: webCrypto };
  } catch {
    // There is no WebCrypto here, or none that knows Ed25519.
  }
  return { name: 'plain', verify: plain };
}

let chosen = null;

/** Whether these 64 bytes are a signature of the key over the message. */
async function verifies(alg, key, message, signature) {
  if (signature.length !== 64 || !soundSignature(alg, signature)) return false;
  chosen = chosen || chooseVerifier();
  return (await chosen).verify(alg, key, message, signature);
}
