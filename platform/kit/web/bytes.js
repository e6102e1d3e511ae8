// Bytes: text, hex, base64, and the two hashes, as plain functions.
//
// SHA-256 here is our own and synchronous: a bundle asks for some forty digests of a few dozen
// bytes for each event, and a browser's asynchronous digest costs more to ask than to compute.

/** What a check says when it does not hold. */
class Bad extends Error {}

function need(holds, detail) {
  if (!holds) throw new Bad(detail);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const utf8 = (text) => encoder.encode(text);

/** The text of strict UTF-8; a byte order mark stays a character. */
function textOf(bytes, what) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Bad(`${what} is not UTF-8`);
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(bytes) {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function same(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Below zero, zero or above, as the bytes of `a` stand before, with or after those of `b`. */
function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const bigEndian = (bytes) => BigInt(`0x${hex(bytes) || '0'}`);
const littleEndian = (bytes) => bigEndian(Uint8Array.from(bytes).reverse());

const BASE64 = new Int8Array(128).fill(-1);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((letter, value) => {
  BASE64[letter.charCodeAt(0)] = value;
});

/** The bytes of `text[from..to]` in the one spelling of RFC 4648 section 4; null for any other. */
function base64(text, from, to) {
  const length = to - from;
  if (length % 4) return null;
  let pad = 0;
  if (length && text.charCodeAt(to - 1) === 61) pad = text.charCodeAt(to - 2) === 61 ? 2 : 1;
  const bytes = new Uint8Array((length / 4) * 3 - pad);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = from; i < to - pad; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? BASE64[code] : -1;
    if (value < 0) return null;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
    }
  }
  // The unused bits are zero, so that nothing has a second spelling.
  return held & ((1 << bits) - 1) ? null : bytes;
}

// The constants of both hashes are the fractions of roots of the first primes (FIPS 180-4 4.2).
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
const high = (word) => Number(word >> 32n) | 0;
const ROUNDS_256 = Int32Array.from(ROUNDS.slice(0, 64), high);
const START_256 = Int32Array.from(START, high);

const words = new Int32Array(64);
const state = new Int32Array(8);
let scratch = new Uint8Array(1024);

/** SHA-256 over the joined parts: byte arrays, or numbers for single bytes. */
function sha256(...parts) {
  let length = 0;
  for (const part of parts) length += typeof part === 'number' ? 1 : part.length;
  const padded = ((length + 72) >> 6) << 6;
  if (scratch.length < padded) scratch = new Uint8Array(padded * 2);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'number') scratch[at++] = part;
    else {
      scratch.set(part, at);
      at += part.length;
    }
  }
  scratch[at] = 0x80;
  scratch.fill(0, at + 1, padded);
  for (let i = 0, bits = length * 8; i < 7; i++, bits = Math.floor(bits / 256)) scratch[padded - 1 - i] = bits;
  state.set(START_256);
  for (let block = 0; block < padded; block += 64) compress(block);
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = state[i >> 2] >> (24 - 8 * (i & 3));
  return digest;
}

function compress(block) {
  for (let i = 0, at = block; i < 16; i++, at += 4) {
    words[i] = (scratch[at] << 24) | (scratch[at + 1] << 16) | (scratch[at + 2] << 8) | scratch[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15];
    const y = words[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[i] = (words[i - 16] + s0 + words[i - 7] + s1) | 0;
  }
  // One by one: taking a typed array apart by pattern is several times slower.
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS_256[i] + words[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

const u64 = (value) => BigInt.asUintN(64, value);
const turn = (value, by) => u64((value >> by) | (value << (64n - by)));

/** SHA-512, only for signatures where the browser has no WebCrypto. */
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
