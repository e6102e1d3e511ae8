// Keys and signatures (statement.md section 1.3). What a library could let pass is refused before
// any is called; then the browser's WebCrypto verifies, or the plain arithmetic of `fallback.js`
// where there is none (plain HTTP, old in-app browsers) or where it knows no Ed25519. Keys of P-256,
// of which there are few, need that file too: it says what a sound point of that curve is.

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

/** Whether 32 bytes are a canonical y and not one of small order. */
function soundPoint(bytes) {
  const y = littleEndian(bytes) % 2n ** 255n;
  return y < P && !SMALL_ORDER.includes(y);
}

/** Refuses a key that no signature may be verified under. */
function checkKey(alg, key) {
  if (alg === ESP256 && !tools.plain) throw MISSING;
  const sound = alg === ED25519 ? key.length === 32 && soundPoint(key) : alg === ESP256 && tools.pointOf256(key);
  return need(sound, key, 'a key that is no sound point of its curve');
}

/** Whether the halves of a signature are in the range that version 1 allows. */
const soundSignature = (alg, first, second) =>
  alg === ED25519 ? soundPoint(first) && littleEndian(second) < L : tools.soundHalves(bigEndian(first), bigEndian(second));

/** What the parts of the script take from each other. */
const tools = {};
/** Is thrown where the other file of ours is needed. */
const MISSING = {};

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
    imported.set(name, subtle.importKey('raw', isEd25519 ? key : tools.uncompressed(key), how, false, ['verify']));
  }
  return subtle.verify(how, await imported.get(name), signature, message);
}

const bytesOfHex = (digits) => Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));

/** WebCrypto if it is there and takes keys of Ed25519, else plain arithmetic. */
async function chooseVerifier() {
  try {
    // The base point is a key as good as any; nothing is signed by it.
    const nothing = new Uint8Array(64);
    if (!(await webCrypto(ED25519, bytesOfHex(`58${'66'.repeat(31)}`), nothing, nothing))) return ['WebCrypto', webCrypto];
  } catch {
    // There is no WebCrypto here, or none that knows Ed25519.
  }
  if (!tools.plain) await fetchFallback();
  return ['plain', tools.plain];
}

/** Runs the other script of ours, if it is the one whose hash stands here. */
function fetchFallback() {
  return new Promise((resolve, reject) => {
    const integrity = 'FALLBACK_INTEGRITY';
    const src = `/assets/fallback.js?v=${integrity}`;
    document.head.append(Object.assign(document.createElement('script'), { integrity, src, onload: resolve, onerror: reject }));
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
