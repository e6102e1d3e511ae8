// What is signed: CBOR and COSE (statement.md 1.1, 1.2), statements (3), records (registry.md 2),
// headers, heads, policies and checkpoints (log.md 2 to 5). Readers throw `Bad`; signatures are
// checked by the callers, who know the keys.

const MAX = 2 ** 53 - 1;
const TYPE = (name) => `application/vnd.tracebond.${name}.v1+cbor`;
const [STATEMENT, NOTE, RECORD] = ['statement', 'note', 'registry-record'].map(TYPE);
const [ORGANISATION, CAPTURE] = [0, 2];
const [ACTIVE, RETIRED, REVOKED] = [0, 2, 3];
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

/** Integers become numbers, byte strings byte arrays, text strings strings, maps Maps. */
function decodeCbor(raw) {
  let at = 0;
  const take = (count) => need(count <= raw.length - at, raw.subarray(at, (at += count)), 'CBOR is cut short');
  const item = (depth) => {
    const [first] = take(1);
    const major = first >> 5;
    let value = first & 31;
    need(major < 6 && value < 28, 'CBOR of a kind that is not allowed');
    if (value > 23) {
      const size = 1 << (value - 24);
      value = 0;
      for (const byte of take(size)) value = value * 256 + byte;
      need(value >= (size > 1 ? 256 ** (size / 2) : 24) && value <= MAX, 'a CBOR number in a wrong form');
    }
    if (major < 1) return value;
    if (major < 2) return -1 - value;
    if (major < 3) return take(value);
    if (major < 4) return textOf(take(value));
    need(depth && value <= raw.length - at, 'CBOR nested deeper than 8, or cut short');
    if (major < 5) return Array.from({ length: value }, () => item(depth - 1));
    const map = new Map();
    for (let before = -1; map.size < value; ) {
      const key = item(depth - 1);
      need(Number.isInteger(key) && key > before && key < 24, 'CBOR keys out of order');
      map.set((before = key), item(depth - 1));
    }
    return map;
  };
  const all = item(8);
  return need(at === raw.length, all, 'bytes left over after CBOR');
}

// --- Values: each reader gives the value back or throws -----------------------------------------

/** The values of a map by key: the required keys are there, no others but the optional ones. */
function fields(map, required, optional = []) {
  const row = [];
  need(map instanceof Map && required.every((key) => map.has(key)), 'a key is missing');
  for (const [key, value] of map) {
    need(required.includes(key) || optional.includes(key), 'an unknown key');
    row[key] = value;
  }
  return row;
}

const uint = (value, low = 0, most = MAX) =>
  need(Number.isInteger(value) && value >= low && value <= most, value, 'a number out of its range');

const bytesOf = (value, length) =>
  need(value instanceof Uint8Array && (!length || value.length === length), value, 'bytes of another length');

const hashOf = (value) => bytesOf(value, 32);

function text(value, low, most) {
  const length = typeof value === 'string' ? utf8(value).length : -1;
  return need(length >= low && length <= most, value, 'a text of another length');
}

const matches = (value, pattern) => need(typeof value === 'string' && pattern.test(value), value, 'a text of another form');

/** An array of `low` to `most` items. */
const arrayOf = (value, low, most = low) =>
  need(Array.isArray(value) && value.length >= low && value.length <= most, value, 'an array of another length');

/** Values that rise strictly: numbers, or texts by their bytes. */
function increasing(values) {
  const keys = values.map((value) => (value.length === undefined ? value : hex(utf8(value))));
  return need(keys.every((key, i) => !i || keys[i - 1] < key), values, 'values out of order');
}

const SLUG = /^[a-z0-9][a-z0-9-]{0,31}$/;

const isZero = (hash) => hash.every((byte) => !byte);

/** A `prev` is 32 zero bytes exactly at the first of its chain. */
const checkPrev = (value, isFirst) => need(isZero(hashOf(value)) === isFirst, 'prev is zero exactly at the first');

/** `[size, root]` of a tree. */
function treeOf(value) {
  const [size, root] = arrayOf(value, 2);
  return { size: uint(size, 1), root: hashOf(root) };
}

// --- COSE ---------------------------------------------------------------------------------------

/** Reads a signed object of at most `most` bytes and one of the types. */
function parseSigned(raw, most, ...types) {
  need(raw.length <= most && raw[0] === 0xd2, 'not a signed object of allowed length');
  const [guarded, open, payload, signature] = arrayOf(decodeCbor(raw.subarray(1)), 4);
  need(open instanceof Map && !open.size, 'the unprotected header is not empty');
  const header = fields(decodeCbor(bytesOf(guarded)), [1, 4, 16]);
  const [alg, kid, type] = [header[1], hex(hashOf(header[4])), header[16]];
  need([ED25519, ESP256].includes(alg) && types.includes(type), 'an object of another type or algorithm');
  // The heads of both strings are in their shortest form: what was signed stands in the object.
  const end = guarded.byteOffset - raw.byteOffset + guarded.length;
  const message = join(0x84, utf8('jSignature1'), raw.subarray(2, end), 0x40, raw.subarray(end + 1, -66));
  return { raw, alg, kid, type, payload: decodeCbor(bytesOf(payload)), body: payload, message, signature: bytesOf(signature, 64) };
}

/** Refuses an object that is not signed by this key, which it must also name. */
function checkSigned({ alg, kid, message, signature }, by, key) {
  need(alg === by && kid === hex(sha256(key)), 'another key signed it');
  return checkSignature(alg, key, message, signature);
}

// --- Statements ---------------------------------------------------------------------------------

function parseStatement(raw) {
  const signed = parseSigned(raw, 2048, STATEMENT, NOTE);
  const isNote = signed.type === NOTE;
  const keys = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10];
  const [log, device, epoch, seq, prev, made, clock, seen, agent, count, root, note] = fields(
    signed.payload,
    isNote ? [...keys, 11] : keys,
    [7],
  );
  matches(device, /^[a-z0-9][a-z0-9-]{0,31}\/[a-z0-9][a-z0-9-]{0,31}$/);
  checkPrev(prev, !uint(epoch) && !uint(seq));
  uint(made);
  uint(clock, 0, 2);
  matches(agent, /^[ -~]{1,64}$/);
  if (isNote) {
    uint(count, 0, 0);
    need(isZero(hashOf(root)), 'the root of a note is not zero');
    checkNote(note, epoch, seq, prev);
  } else {
    uint(count, 1, 256);
    need(!epoch || seq, 'an epoch begins without a note');
  }
  return {
    signed,
    id: sha256(0, raw),
    log: hex(hashOf(log)),
    device,
    organisation: device.split('/')[0],
    epoch,
    seq,
    prev: hex(prev),
    seen: seen !== undefined && treeOf(seen),
    count,
    root: hashOf(root),
  };
}

/** `[epoch, seq, id]`. */
function parseLast(value) {
  const [epoch, seq, id] = arrayOf(value, 3);
  return { epoch: uint(epoch), seq: uint(seq), id: hex(hashOf(id)) };
}

/** For each kind of note its keys: required, optional. */
const NOTE_KEYS = [[[0, 1, 2]], [[0, 1]], [[0, 1, 3], [4]], [[0, 1, 4, 5]]];

function checkNote(note, epoch, seq, prev) {
  const kind = uint(note instanceof Map && note.get(0), 0, 3);
  const [, words, last, sensor, range, dropped] = fields(note, ...NOTE_KEYS[kind]);
  text(words, 0, 256);
  need(!kind === (epoch > 0 && !seq), 'an epoch begins with its note');
  if (!kind) {
    const { id, epoch: before } = parseLast(last);
    need(id === hex(prev) && before < epoch, 'last is not the statement before');
  }
  if (kind === 2) text(sensor, 1, 64);
  if (range !== undefined) {
    const [from, until] = arrayOf(range, 2);
    uint(from, 0, uint(until));
  }
  if (kind === 3) uint(dropped, 1);
}

// --- Records ------------------------------------------------------------------------------------

function parseRecord(raw) {
  const signed = parseSigned(raw, 16384, RECORD);
  const [log, version, organisation, device, kid, key, alg, role, places, steps, sources, heartbeat, state, last, since, prev, consent] =
    fields(signed.payload, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15], [13, 14, 16]);
  need([0, 2, 3, 6].includes(role), 'an unknown role');
  const isDevice = role === CAPTURE;
  checkKey(alg, bytesOf(key));
  need(hex(hashOf(kid)) === hex(sha256(key)), 'kid is not that of the key');
  for (const place of increasing(arrayOf(places, 0, 256))) text(place, 1, 256);
  for (const step of increasing(arrayOf(steps, 0, 64))) text(step, 1, 64);
  for (const source of increasing(arrayOf(sources, 0, 4))) uint(source, 0, 3);
  if (isDevice) matches(device, SLUG);
  else need([device, places, steps, sources].every(({ length }) => length === 0) && heartbeat === 0, 'grants of a key that is no device');
  uint(heartbeat, 0, 31536000);
  uint(state, 0, 3);
  need((last !== undefined) === (state === RETIRED && isDevice), 'last stands with a retired device');
  if (since !== undefined) need(state === REVOKED, uint(since), 'compromised but not revoked');
  const isFirst = uint(version, 1) === 1;
  checkPrev(prev, isFirst);
  need((consent !== undefined) === isFirst, 'consent stands with version 1');
  return {
    signed,
    log: hex(hashOf(log)),
    version,
    organisation: matches(organisation, SLUG),
    device,
    kid: hex(kid),
    key,
    alg,
    role,
    // What never changes from one version to the next.
    unchanging: `${organisation} ${device} ${hex(key)} ${alg} ${role}`,
    places,
    steps,
    sources,
    state,
    last: last !== undefined && parseLast(last),
    since,
    consent: isFirst && bytesOf(consent, 64),
  };
}

/** At version 1 the recorded key has signed the payload without key 16. */
async function checkConsent({ signed: { body }, alg, key, consent }) {
  // The map's head has one byte; key 16 is its last entry: one byte, a head of two, 64 bytes.
  if (consent) {
    await checkSignature(alg, key, join(utf8(TYPE('key-consent')), body[0] - 1, body.subarray(1, -67)), consent);
  }
}

// --- Entries of the log -------------------------------------------------------------------------

function parseEntry(raw, type) {
  need(raw.length <= 65535 && raw[0] === type, 'a log entry of another type');
  return decodeCbor(raw.subarray(1));
}

/** `[version, count, root]` of a registry, with a name of its own. */
function registryOf(version, count, root) {
  return { version: uint(version, 1), count: uint(count, 1, 2 ** 31 - 1), root: hashOf(root), name: `${version} ${count} ${hex(root)}` };
}

function parseHeader(raw) {
  const [version, log, shard, seq, statements, events, root, refused, registry, index, first, last, prev] = fields(
    parseEntry(raw, 1),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  uint(version, 1, 1);
  uint(events);
  need(isZero(hashOf(index)), 'index is not zero');
  uint(first, 0, uint(last));
  checkPrev(prev, !uint(seq));
  return {
    log: hex(hashOf(log)),
    series: `${uint(shard, 0, 65535)}/${seq}`,
    statements: uint(statements, 1, 65536),
    root: hashOf(root),
    refusedHash: hashOf(refused),
    registry: registryOf(...arrayOf(registry, 3)),
  };
}

function parseHead(raw) {
  const [version, count, root, time] = fields(parseEntry(raw, 5), [0, 1, 2, 3]);
  return { registry: registryOf(version, count, root), time: uint(time) };
}

/** The places of refused events: 256 * statement + event. */
function parseRefused(raw, statements) {
  need(raw.length <= 1048576, 'the list of refused events is too long');
  const rows = arrayOf(decodeCbor(raw), 1, MAX).map((row) => {
    const [statement, event, code] = arrayOf(row, 3);
    need(CODES.includes(code), 'an unknown reason of refusal');
    return uint(statement, 0, statements - 1) * 256 + uint(event, 0, 255);
  });
  return new Set(increasing(rows));
}

const NAME = /^[!-*,-~]{1,64}$/;

function parsePolicy(raw) {
  const [version, log, origin, logKey, witnesses, quorum, registrars, prev, time] = fields(
    parseEntry(raw, 2),
    [0, 1, 2, 3, 4, 5, 6, 8],
    [7],
  );
  uint(version, 1, 1);
  uint(time);
  matches(origin, /^[!-*,-~]{1,255}$/);
  const parties = (value) => {
    for (const party of arrayOf(value, 1, 32)) {
      const [name, key] = arrayOf(party, 2);
      matches(name, NAME);
      checkKey(ED25519, hashOf(key));
    }
    increasing(value.map(([name]) => name));
    return new Map(value);
  };
  const policy = { hash: sha256(raw), log: hex(hashOf(log)), origin, logKey: checkKey(ED25519, hashOf(logKey)) };
  policy.witnesses = parties(witnesses);
  policy.quorum = uint(quorum, 1, witnesses.length);
  // By kid; the names of keys that only sign the log are of no use here.
  const keys = [...parties(registrars).values()];
  policy.registrars = new Map(keys.map((key) => [hex(sha256(key)), key]));
  keys.push(logKey, ...policy.witnesses.values());
  policy.kids = new Set(keys.map((key) => hex(sha256(key))));
  need(policy.kids.size === keys.length && !policy.witnesses.has(origin), 'a key in two places, or a witness of the name of the log');
  if (prev === undefined) need(policy.log === hex(sha256(utf8(origin), 10, logKey)), 'a wrong log id');
  else {
    const [before, ...tree] = arrayOf(prev, 3);
    policy.prev = { hash: hashOf(before), ...treeOf(tree) };
  }
  return policy;
}

// --- Checkpoints --------------------------------------------------------------------------------

/** Reads a signed note and verifies every line of it under the policy. */
async function checkNoteOfLog(raw, { origin, logKey, witnesses, quorum }) {
  const lines = textOf(raw).split('\n');
  const [name, size, rootText, empty] = lines;
  const root = base64(rootText ?? '');
  need(raw.length <= 16384 && lines.length > 5 && lines.length < 70 && !empty && !lines.pop(), 'not the lines of a checkpoint');
  need(name === origin && /^[1-9]\d{0,15}$/.test(size) && size <= MAX && root?.length === 32, 'another origin, or a wrong size or root');
  const message = utf8(`${origin}\n${size}\n${rootText}\n`);
  const times = new Map();
  for (const line of lines.slice(4)) {
    const [dash, who, words, ...more] = line.split(' ');
    const isLog = line === lines[4];
    const key = isLog ? logKey : witnesses.get(who);
    const blob = base64(words);
    const start = isLog ? 4 : 12;
    need(dash === '\u2014' && !more.length && key && !times.has(who), 'a line of no key, or twice of one');
    need((!isLog || who === origin) && blob?.length === start + 64, "not the log's line first, or of another length");
    const id = sha256(utf8(who), 10, isLog ? 1 : 4, key);
    need(same(blob.subarray(0, 4), id.subarray(0, 4)), 'another key id');
    const time = isLog ? 0 : uint(Number(bigEndian(blob.subarray(4, 12))), 1);
    const signed = isLog ? message : join(utf8(`cosignature/v1\ntime ${time}\n`), message);
    await checkSignature(ED25519, key, signed, blob.subarray(start));
    times.set(who, time);
  }
  times.delete(origin);
  need(times.size >= quorum, 'too few witnesses');
  const sorted = [...times.values()].sort((a, b) => a - b);
  return { size: Number(size), root, times, first: sorted[0], anchored: sorted[quorum - 1] };
}
