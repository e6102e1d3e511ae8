// Keys and signatures (statement.md section 1.3). What a library could let pass is refused before
// any is called; then the browser's WebCrypto verifies, or the plain arithmetic of `fallback.js`
// where there is none (plain HTTP, old in-app browsers) or where it knows no Ed25519.

const ED25519 = -19;
const ESP256 = -9;

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** y of the points of small order, sign bit cleared. */
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

function power(base, exponent, modulus) {
  let result = 1n;
  for (let square = base, left = exponent; left; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** Whether 32 bytes are a canonical y and not one of small order. */
function soundPoint(bytes) {
  const y = littleEndian(bytes) % 2n ** 255n;
  return y < P && !SMALL_ORDER.includes(y);
}

/** (x, y) of a compressed point of P-256, or null. */
function pointOf256(key) {
  const x = bigEndian(key.subarray(1));
  const square = (x * x * x + (P256 - 3n) * x + B256) % P256;
  const y = power(square, (P256 + 1n) / 4n, P256);
  const isPoint = key[0] >> 1 === 1 && x < P256 && (y * y) % P256 === square;
  return isPoint ? [x, y % 2n === BigInt(key[0] & 1) ? y : P256 - y] : null;
}

/** Refuses a key that no signature may be verified under. */
function checkKey(alg, key) {
  const sound = alg === ED25519 ? key.length === 32 && soundPoint(key) : key.length === 33 && pointOf256(key);
  return need(sound && (alg === ED25519 || alg === ESP256), 'a key that is no sound point of its curve', key);
}

/** Whether the halves of a signature are in the range that version 1 allows. */
function soundSignature(alg, first, second) {
  if (alg === ED25519) return soundPoint(first) && littleEndian(second) < L;
  const [r, s] = [bigEndian(first), bigEndian(second)];
  return r && r < N256 && s && s <= N256 / 2n;
}

const imported = new Map();

/** WebCrypto with keys kept once they are imported. */
async function webCrypto(alg, key, message, signature) {
  const { subtle } = crypto;
  const isEd25519 = alg === ED25519;
  const how = isEd25519 ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const name = hex(key);
  if (!imported.has(name)) {
    if (imported.size > 4096) imported.clear();
    // Not every browser takes a compressed point of P-256.
    const digits = isEd25519 ? name : `04${pointOf256(key).map((one) => one.toString(16).padStart(64, 0)).join('')}`;
    imported.set(name, subtle.importKey('raw', bytesOfHex(digits), how, false, ['verify']));
  }
  return subtle.verify(how, await imported.get(name), signature, message);
}

const bytesOfHex = (digits) => Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));

/** A key, and its signature over the empty message (RFC 8032 section 7.1 test 1). */
const KNOWN = [
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
].map(bytesOfHex);

/** What the parts of the script take from each other. */
const tools = {};

/** WebCrypto if it is there and both accepts and refuses what it must, else plain arithmetic. */
async function chooseVerifier() {
  try {
    const [key, signature] = KNOWN;
    const good = await webCrypto(ED25519, key, new Uint8Array(0), signature);
    const bad = await webCrypto(ED25519, key, new Uint8Array(1), signature);
    if (good && !bad) return ['WebCrypto', webCrypto];
  } catch {
    // There is no WebCrypto here, or none that knows Ed25519.
  }
  if (!tools.plain) await fetchFallback();
  return ['plain', tools.plain];
}

/** Runs the other script of ours, if it is the one whose hash stands here. */
function fetchFallback() {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = 'FALLBACK_HREF';
    script.integrity = 'FALLBACK_INTEGRITY';
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

let chosen = null;

/** The name of what verifies signatures here, and the function; asked again if it could not be fetched. */
function verifier() {
  chosen = chosen || chooseVerifier().catch((error) => {
    chosen = null;
    throw error;
  });
  return chosen;
}

/** Refuses what is no signature of the key over the message. */
async function checkSignature(alg, key, message, signature) {
  const [, verify] = await verifier();
  const sound = signature.length === 64 && soundSignature(alg, signature.subarray(0, 32), signature.subarray(32));
  need(sound && (await verify(alg, key, message, signature)), 'the signature does not verify');
}
