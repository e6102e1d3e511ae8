// Bytes: text, hex, base64 and SHA-256, as plain functions.
//
// SHA-256 here is our own and synchronous: a bundle asks for some forty digests of a few dozen
// bytes for each event, and a browser's asynchronous digest costs more to ask than to compute.

/** What a check says when it does not hold. */
class Bad extends Error {}

/** Gives `value` back if the check holds; what fails is told by the last argument. */
function need(holds, value, detail = value) {
  if (!holds) throw new Bad(detail);
  return value;
}

const utf8 = (words) => new TextEncoder().encode(words);

/** The text of strict UTF-8; a byte order mark stays a character. */
function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Bad('not UTF-8');
  }
}

const hex = (bytes) => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join('');

const same = (one, other) => hex(one) === hex(other);

/** One array of byte arrays and numbers, each a byte. */
function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + (part.length ?? 1), 0));
  let at = 0;
  for (const part of parts) {
    all.set(part.length === undefined ? [part] : part, at);
    at += part.length ?? 1;
  }
  return all;
}

const bigEndian = (bytes) => BigInt(`0x${hex(bytes)}`);
const littleEndian = (bytes) => bigEndian(Uint8Array.from(bytes).reverse());

/** The bytes of a text in the one spelling of RFC 4648 section 4; null for any other. */
function base64(words) {
  try {
    const found = atob(words);
    // The unused bits are zero and the padding is there, so that nothing has a second spelling.
    if (btoa(found) !== words) return null;
    const bytes = new Uint8Array(found.length);
    for (let i = 0; i < found.length; i++) bytes[i] = found.charCodeAt(i);
    return bytes;
  } catch {
    return null;
  }
}

// The constants are the first 32 bits of the fractions of roots of the first primes (FIPS 180-4
// section 4.2.2); a double holds 49 bits of them, and the tests compare digests.
const ROUNDS = new Int32Array(64);
const START = new Int32Array(8);
for (let n = 2, count = 0; count < 64; n++) {
  let divisor = 2;
  while (n % divisor) divisor++;
  if (divisor === n) {
    START[count] = n ** (1 / 2) * 2 ** 32;
    ROUNDS[count++] = n ** (1 / 3) * 2 ** 32;
  }
}

const schedule = new Int32Array(64);
const sums = new Int32Array(8);
const turned = (word, by) => (word >>> by) | (word << (32 - by));

/** SHA-256 over the joined parts: byte arrays, or numbers for single bytes. */
function sha256(...parts) {
  const message = join(...parts);
  const { length } = message;
  const padded = new Uint8Array(((length + 72) >> 6) << 6);
  padded.set(message);
  padded[length] = 128;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, length * 8);
  view.setUint32(padded.length - 8, length / 2 ** 29);
  sums.set(START);
  for (let at = 0; at < padded.length; at += 64) compress(view, at);
  const digest = new DataView(new ArrayBuffer(32));
  sums.forEach((word, i) => digest.setInt32(i * 4, word));
  return new Uint8Array(digest.buffer);
}

function compress(view, at) {
  // One by one: taking a typed array apart by pattern is several times slower.
  let a = sums[0];
  let b = sums[1];
  let c = sums[2];
  let d = sums[3];
  let e = sums[4];
  let f = sums[5];
  let g = sums[6];
  let h = sums[7];
  for (let i = 0; i < 64; i++) {
    if (i < 16) schedule[i] = view.getInt32(at + i * 4);
    else {
      const x = schedule[i - 15];
      const y = schedule[i - 2];
      schedule[i] =
        (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) +
        (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)) +
        schedule[i - 16] +
        schedule[i - 7];
    }
    const x =
      (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + h + ROUNDS[i] + schedule[i];
    const y = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + x) | 0;
    d = c;
    c = b;
    b = a;
    a = (x + y) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (sums[i] += word));
}
