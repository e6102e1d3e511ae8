// What is signed: CBOR and COSE (statement.md 1.1, 1.2), statements (3), records (registry.md 2),
// headers, policies and checkpoints (log.md 3 to 5). Readers throw `Bad`; signatures are checked
// by the callers, who know the keys.

const MAX = Number.MAX_SAFE_INTEGER;
const ZERO = new Uint8Array(32);
const TYPE = (name) => `application/vnd.tracebond.${name}.v1+cbor`;
const STATEMENT = TYPE('statement');
const NOTE = TYPE('note');
const RECORD = TYPE('registry-record');
const CONSENT = utf8(TYPE('key-consent'));
const [ORGANISATION, CAPTURE] = [0, 2];
const [ACTIVE, RETIRED] = [0, 2];
const CODES = [
  'source-not-allowed',
  'event-type',
  'event-time',
  'time-zone-offset',
  'action',
  'step-not-allowed',
  'place-not-allowed',
  'epcis',
];

// --- CBOR -------------------------------------------------------------------------------------
// Integers become numbers, byte strings byte arrays, text strings strings, maps Maps.

class Cbor {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(count) {
    need(count <= this.bytes.length - this.at, 'CBOR is cut short');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** Major type and argument, the argument in its shortest form. */
  head() {
    const first = this.take(1)[0];
    const [major, info] = [first >> 5, first & 31];
    need(major !== 7 && major !== 6 && info <= 27, 'CBOR of a kind that is not allowed');
    if (info < 24) return [major, info];
    let value = 0;
    const size = 1 << (info - 24);
    for (const byte of this.take(size)) value = value * 256 + byte;
    need(value >= (size === 1 ? 24 : 256 ** (size / 2)) && value <= MAX, 'a CBOR number in a wrong form');
    return [major, value];
  }

  item(depth = 1) {
    const [major, value] = this.head();
    if (major === 0) return value;
    if (major === 1) return -1 - value;
    if (major === 2) return this.take(value);
    if (major === 3) return textOf(this.take(value), 'CBOR text');
    need(depth <= 8, 'CBOR nested deeper than 8');
    need(value <= this.bytes.length - this.at, 'CBOR is cut short');
    return major === 4 ? this.array(value, depth) : this.map(value, depth);
  }

  array(length, depth) {
    const items = [];
    while (items.length < length) items.push(this.item(depth + 1));
    return items;
  }

  map(length, depth) {
    const map = new Map();
    for (let before = -1; map.size < length; ) {
      const key = this.item(depth + 1);
      need(typeof key === 'number' && key > before && key <= 23, 'CBOR keys out of order');
      map.set(key, this.item(depth + 1));
      before = key;
    }
    return map;
  }

  end() {
    need(this.at === this.bytes.length, 'bytes left over after CBOR');
  }
}

function decodeCbor(bytes) {
  const reader = new Cbor(bytes);
  const item = reader.item();
  reader.end();
  return item;
}

/** The map with exactly these keys. */
function keysOf(map, required, optional = []) {
  need(map instanceof Map, 'not a map');
  for (const key of required) need(map.has(key), `key ${key} is missing`);
  for (const key of map.keys()) need(required.includes(key) || optional.includes(key), `key ${key} is unknown`);
  return (key) => map.get(key);
}

function uint(value, what, low = 0, most = MAX) {
  need(typeof value === 'number' && value >= low && value <= most, `${what} is not from ${low} to ${most}`);
  return value;
}

function bytesOf(value, what, length) {
  need(value instanceof Uint8Array, `${what} is no byte string`);
  need(length === undefined || value.length === length, `${what} has not ${length} bytes`);
  return value;
}

const hashOf = (value, what) => bytesOf(value, what, 32);

function text(value, what, low = 0, most = MAX) {
  need(typeof value === 'string', `${what} is no text`);
  const length = utf8(value).length;
  need(length >= low && length <= most, `${what} has ${length} bytes`);
  return value;
}

function arrayOf(value, what, low = 0, most = MAX) {
  need(Array.isArray(value), `${what} is no array`);
  need(value.length >= low && value.length <= most, `${what} has ${value.length} items`);
  return value;
}

function slug(value, what) {
  need(/^[a-z0-9][a-z0-9-]{0,31}$/.test(text(value, what)), `${what} is no slug`);
  return value;
}

function increasing(values, what, order = (a, b) => a - b) {
  for (let i = 1; i < values.length; i++) need(order(values[i - 1], values[i]) < 0, `${what} do not increase`);
}

const byBytes = (a, b) => compare(utf8(a), utf8(b));

/** A `prev` is 32 zero bytes exactly at the first of its chain. */
function prevOf(value, isFirst) {
  need(same(hashOf(value, 'prev'), ZERO) === isFirst, 'prev is zero exactly at the first');
  return value;
}

// --- COSE -------------------------------------------------------------------------------------

/** Reads a signed object of at most `most` bytes and one of the types. */
function parseSigned(raw, most, ...types) {
  need(raw.length <= most, `longer than ${most} bytes`);
  need(raw[0] === 0xd2 && raw[1] === 0x84, 'not a signed object');
  const reader = new Cbor(raw);
  reader.at = 2;
  const guarded = bytesOf(reader.item(), 'the protected header');
  const open = reader.item();
  need(open instanceof Map && open.size === 0, 'the unprotected header is not empty');
  const payload = bytesOf(reader.item(), 'payload');
  const signature = bytesOf(reader.item(), 'signature', 64);
  reader.end();
  const header = keysOf(decodeCbor(guarded), [1, 4, 16]);
  const alg = header(1);
  need(alg === ED25519 || alg === ESP256, 'an unknown algorithm');
  need(types.includes(header(16)), 'an object of another type');
  return { raw, alg, kid: hashOf(header(4), 'kid'), typ: header(16), guarded, payload, signature };
}

function byteString(bytes) {
  const { length } = bytes;
  if (length < 24) return [[0x40 | length], bytes];
  return [length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255], bytes];
}

/** Whether the object is signed by this key, which it must also name. */
async function signedBy(object, alg, key) {
  if (object.alg !== alg || !same(object.kid, sha256(key))) return false;
  // ["Signature1", protected, h'', payload]
  const start = join([0x84], utf8('jSignature1'));
  const message = join(start, ...byteString(object.guarded), [0x40], ...byteString(object.payload));
  return verifies(alg, key, message, object.signature);
}

// --- Statements -------------------------------------------------------------------------------

function parseStatement(raw) {
  const signed = parseSigned(raw, 2048, STATEMENT, NOTE);
  const isNote = signed.typ === NOTE;
  const of = keysOf(decodeCbor(signed.payload), [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, ...(isNote ? [11] : [])], [7]);
  const device = text(of(1), 'device').split('/');
  need(device.length === 2, 'device is no address');
  device.forEach((part) => slug(part, 'a part of the address'));
  const [epoch, seq] = [uint(of(2), 'epoch'), uint(of(3), 'seq')];
  need(/^[\x20-\x7e]*$/.test(text(of(8), 'agent', 1, 64)), 'agent is not printable');
  const statement = {
    signed,
    id: sha256(0, raw),
    log: hashOf(of(0), 'log'),
    device: of(1),
    organisation: device[0],
    epoch,
    seq,
    prev: prevOf(of(4), epoch === 0 && seq === 0),
    made: uint(of(5), 'made'),
    clock: uint(of(6), 'clock', 0, 2),
    seen: of(7) === undefined ? 0 : parseSeen(of(7)),
    count: isNote ? uint(of(9), 'count', 0, 0) : uint(of(9), 'count', 1, 256),
    root: hashOf(of(10), 'root'),
  };
  if (isNote) {
    need(same(statement.root, ZERO), 'the root of a note is not zero');
    checkNote(of(11), statement);
  } else need(epoch === 0 || seq !== 0, 'an epoch begins without a note');
  return statement;
}

function parseSeen(value) {
  const [size, root] = arrayOf(value, 'seen', 2, 2);
  hashOf(root, 'seen');
  return uint(size, 'seen', 1);
}

/** `[epoch, seq, id]`. */
function parseLast(value) {
  const [epoch, seq, id] = arrayOf(value, 'last', 3, 3);
  return { epoch: uint(epoch, 'last'), seq: uint(seq, 'last'), id: hashOf(id, 'last') };
}

/** For each kind of note the keys beside 0 and 1: required, optional. */
const NOTE_KEYS = [[[2]], [[]], [[3], [4]], [[4, 5]]];

function checkNote(note, statement) {
  need(note instanceof Map, 'note is no map');
  const kind = uint(note.get(0), 'kind', 0, 3);
  const [required, optional] = NOTE_KEYS[kind];
  const of = keysOf(note, [0, 1, ...required], optional);
  text(of(1), 'text', 0, 256);
  need((kind === 0) === (statement.epoch > 0 && statement.seq === 0), 'an epoch begins with its note');
  if (kind === 0) {
    const last = parseLast(of(2));
    need(same(last.id, statement.prev) && last.epoch < statement.epoch, 'last is not the statement before');
  }
  if (note.has(3)) text(of(3), 'sensor', 1, 64);
  if (note.has(4)) {
    const [from, until] = arrayOf(of(4), 'range', 2, 2);
    need(uint(from, 'from') <= uint(until, 'until'), 'a range that ends before it begins');
  }
  if (note.has(5)) uint(of(5), 'dropped', 1);
}

// --- Records ----------------------------------------------------------------------------------

function parseRecord(raw) {
  const signed = parseSigned(raw, 16384, RECORD);
  const payload = decodeCbor(signed.payload);
  const of = keysOf(payload, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15], [13, 14, 16]);
  const role = of(7);
  need([0, 2, 3, 6].includes(role), 'an unknown role');
  const record = {
    signed,
    log: hashOf(of(0), 'log'),
    version: uint(of(1), 'version', 1),
    organisation: slug(of(2), 'org'),
    device: role === CAPTURE ? slug(of(3), 'device') : of(3),
    kid: hashOf(of(4), 'kid'),
    key: checkKey(of(6), bytesOf(of(5), 'key')),
    alg: of(6),
    role,
    ...parseGrants(of, role),
    state: uint(of(12), 'state', 0, 3),
    last: payload.has(13) ? parseLast(of(13)) : null,
    consent: payload.has(16) ? bytesOf(of(16), 'consent', 64) : null,
  };
  need(role === CAPTURE || record.device === '', 'a device of another role');
  need(same(record.kid, sha256(record.key)), 'kid is not that of the key');
  need((record.last !== null) === (record.state === RETIRED && role === CAPTURE), 'last stands with a retired device');
  if (payload.has(14)) need(record.state === 3 && uint(of(14), 'compromised_since') >= 0, 'compromised but not revoked');
  prevOf(of(15), record.version === 1);
  need((record.consent !== null) === (record.version === 1), 'consent stands with version 1');
  return record;
}

/** Places, steps and sources; only a device has any. */
function parseGrants(of, role) {
  const places = arrayOf(of(8), 'places', 0, 256);
  places.forEach((place) => text(place, 'a place', 1, 256));
  increasing(places, 'places', byBytes);
  const steps = arrayOf(of(9), 'steps', 0, 64);
  steps.forEach((step) => text(step, 'a step', 1, 64));
  increasing(steps, 'steps', byBytes);
  const sources = arrayOf(of(10), 'sources');
  sources.forEach((source) => uint(source, 'a source', 0, 3));
  increasing(sources, 'sources');
  const heartbeat = uint(of(11), 'heartbeat', 0, 31536000);
  const none = !places.length && !steps.length && !sources.length && !heartbeat;
  need(role === CAPTURE || none, 'grants of a key that is no device');
  return { places, steps, sources };
}

/** Whether the recorded key has signed the payload without key 16. */
function consents(record) {
  // The map's head has one byte; key 16 is its last entry: one byte, a head of two, 64 bytes.
  const { payload } = record.signed;
  const rest = join([payload[0] - 1], payload.subarray(1, -67));
  return verifies(record.alg, record.key, join(CONSENT, rest), record.consent);
}

// --- Entries of the log -----------------------------------------------------------------------

function parseEntry(raw, type) {
  need(raw.length > 1 && raw.length <= 65535 && raw[0] === type, `not a log entry of type ${type}`);
  return decodeCbor(raw.subarray(1));
}

function parseHeader(raw) {
  const of = keysOf(parseEntry(raw, 1), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  uint(of(0), 'version', 1, 1);
  const [version, count, root] = arrayOf(of(8), 'registry', 3, 3);
  const registry = {
    version: uint(version, 'registry version', 1),
    count: uint(count, 'registry count', 1, 2 ** 31 - 1),
    root: hashOf(root, 'registry root'),
  };
  const header = {
    log: hashOf(of(1), 'log'),
    shard: uint(of(2), 'shard', 0, 65535),
    seq: uint(of(3), 'seq'),
    statements: uint(of(4), 'statements', 1, 65536),
    root: hashOf(of(6), 'root'),
    refusedHash: hashOf(of(7), 'refused'),
    registry,
    registryName: `${version} ${count} ${hex(root)}`,
  };
  uint(of(5), 'events');
  need(same(hashOf(of(9), 'index'), ZERO), 'index is not zero');
  need(uint(of(10), 'first') <= uint(of(11), 'last'), 'last is before first');
  prevOf(of(12), header.seq === 0);
  return header;
}

/** The places of refused events, as `statement/event`. */
function parseRefused(raw, statements) {
  need(raw.length <= 1048576, 'the list of refused events is too long');
  const places = arrayOf(decodeCbor(raw), 'refused events', 1).map((row) => {
    const [statement, event, code] = arrayOf(row, 'a refused event', 3, 3);
    need(CODES.includes(code), 'an unknown reason of refusal');
    return [uint(statement, 'a refused statement', 0, statements - 1), uint(event, 'a refused event', 0, 255)];
  });
  increasing(places, 'refused events', (a, b) => a[0] - b[0] || a[1] - b[1]);
  return new Set(places.map((place) => place.join('/')));
}

const NAME = /^[\x21-\x2a\x2c-\x7e]+$/;

function parsePolicy(raw) {
  const item = parseEntry(raw, 2);
  const of = keysOf(item, [0, 1, 2, 3, 4, 5, 6, 8], [7]);
  uint(of(0), 'version', 1, 1);
  const origin = text(of(2), 'origin', 1, 255);
  const logKey = checkKey(ED25519, hashOf(of(3), 'log_key'));
  const witnesses = parseParties(of(4), 'witnesses');
  const registrars = parseParties(of(6), 'registrars');
  const policy = { hash: sha256(raw), log: hashOf(of(1), 'log'), origin, logKey, witnesses };
  policy.quorum = uint(of(5), 'quorum', 1, witnesses.size);
  policy.isFirst = !item.has(7);
  const keys = [logKey, ...witnesses.values(), ...registrars.values()].map(hex);
  need(new Set(keys).size === keys.length, 'a key stands in two places');
  need(NAME.test(origin) && !witnesses.has(origin), 'a wrong origin, or a witness of its name');
  if (policy.isFirst) need(same(policy.log, sha256(utf8(origin), 10, logKey)), 'a wrong log id');
  else {
    const [before, size, root] = arrayOf(of(7), 'prev', 3, 3);
    need(hashOf(before, 'prev') && uint(size, 'prev', 1) && hashOf(root, 'prev'), 'prev');
  }
  uint(of(8), 'time');
  const kids = (parties) => [...parties].map((key) => [hex(sha256(key)), key]);
  policy.registrars = new Map(kids(registrars.values()));
  policy.kids = new Set(kids([logKey, ...witnesses.values(), ...registrars.values()]).map(([kid]) => kid));
  return policy;
}

function parseParties(value, what) {
  const rows = arrayOf(value, what, 1, 32).map((row) => {
    const [name, key] = arrayOf(row, what, 2, 2);
    need(NAME.test(text(name, 'a name', 1, 64)), 'a wrong name');
    return [name, checkKey(ED25519, hashOf(key, 'a key'))];
  });
  increasing(rows.map(([name]) => name), `names of ${what}`, byBytes);
  return new Map(rows);
}

// --- Checkpoints ------------------------------------------------------------------------------

/** Reads a signed note and verifies every line of it under the policy. */
async function checkNoteOfLog(raw, policy) {
  need(raw.length <= 16384, 'the note is too long');
  const lines = textOf(raw, 'the note').split('\n');
  need(lines.length >= 6 && lines[3] === '' && lines[lines.length - 1] === '', 'not the lines of a checkpoint');
  const [origin, size, rootText] = lines;
  need(/^[1-9][0-9]{0,15}$/.test(size) && Number(size) <= MAX, 'a wrong size');
  const root = base64(rootText, 0, rootText.length);
  need(root?.length === 32, 'a wrong root');
  const signatures = lines.slice(4, -1).map(parseLine);
  need(signatures.length <= 64, 'more than 64 signatures');
  need(origin === policy.origin, 'the origin is not that of the policy');
  const message = utf8(`${origin}\n${size}\n${rootText}\n`);
  await checkLogLine(message, signatures[0], policy);
  const times = new Map();
  for (const [name, blob] of signatures.slice(1)) {
    need(policy.witnesses.has(name) && !times.has(name), 'a line of no witness, or twice of one');
    times.set(name, await checkWitnessLine(message, name, blob, policy.witnesses.get(name)));
  }
  need(times.size >= policy.quorum, `${times.size} witnesses, not ${policy.quorum}`);
  const anchored = [...times.values()].sort((a, b) => a - b)[policy.quorum - 1];
  return { size: Number(size), root, witnesses: [...times.keys()], anchored };
}

function parseLine(line) {
  const parts = line.split(' ');
  need(parts.length === 3 && parts[0] === '\u2014' && parts[1] !== '', 'a line that is no signature');
  const blob = base64(parts[2], 0, parts[2].length);
  need(blob !== null, 'a signature that is no base64');
  return [parts[1], blob];
}

const keyId = (name, kind, key) => sha256(utf8(name), 10, kind, key).subarray(0, 4);

async function checkLogLine(message, [name, blob], { origin, logKey }) {
  need(name === origin && blob.length === 68, "the first line is not the log's");
  need(same(blob.subarray(0, 4), keyId(name, 1, logKey)), "the log's line has another key id");
  need(await verifies(ED25519, logKey, message, blob.subarray(4)), "the log's signature does not verify");
}

async function checkWitnessLine(message, name, blob, key) {
  need(blob.length === 76 && same(blob.subarray(0, 4), keyId(name, 4, key)), `${name}: another key id`);
  const time = Number(bigEndian(blob.subarray(4, 12)));
  need(time >= 1 && time <= MAX, `${name}: a wrong time`);
  const signed = join(utf8(`cosignature/v1\ntime ${time}\n`), message);
  need(await verifies(ED25519, key, signed, blob.subarray(12)), `${name}: the signature does not verify`);
  return time;
}
