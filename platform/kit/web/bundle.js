// The form of a bundle (proof-bundle.md section 1, proof-bundle-v2.md section 1), read straight
// from its text: there is no moment at which a hostile file has become a large tree of objects.
// Two kinds of fault:
//
// - a broken grammar throws `Bad`: nothing behind it can be read;
// - a value that breaks a rule within one row (base64, a length, a position) is that row's `flaw`:
//   the bundle is refused, but the other rows can be read and checked on their own.

const MOST_BYTES = 33554432;
const MOST_ROWS = 65536;

// What may stand at a place: one of these two, a number (of bytes in base64, 0 for any), an array
// `[what, least, most]`, or an object of members, `?` ending the name of an optional one.
const NUMBER = 'number';
const TEXT = 'text';
const PATH = [32, 0, 64];
const ENTRY = { 'entry': 0, 'index': NUMBER, 'path': PATH };
const KEY = { 'record': 0, 'salt': 16, 'index': NUMBER, 'path': PATH };
const MEMBER = { 'name': TEXT, 'salt?': 16, 'value?': 0, 'hash?': 32 };
const SEEN = { 'note': 0, 'policy': NUMBER, 'prefix': PATH };
const ROWS = [1, MOST_ROWS];
const STATEMENT_ROW = {
  'statement': 0,
  'header': NUMBER,
  'index': NUMBER,
  'path': PATH,
  'device': NUMBER,
  'organisation': NUMBER,
  'later?': [0, 1, 4096],
};
const COMMON = {
  'tracebond': TEXT,
  'headers': [{ ...ENTRY, 'checkpoint': NUMBER, 'refused?': 0 }, ...ROWS],
  'keys': [{ ...KEY, 'header': NUMBER }, 2, MOST_ROWS],
  'events': [
    { 'statement': NUMBER, 'index': NUMBER, 'path': PATH, 'leaf?': 32, 'source?': NUMBER, 'members?': [MEMBER, 1, 64] },
    0,
    MOST_ROWS,
  ],
};
/** By version. */
const FORMS = {
  1: { ...COMMON, 'policy': ENTRY, 'checkpoints': [0, ...ROWS], 'statements': [STATEMENT_ROW, ...ROWS] },
  2: {
    ...COMMON,
    'policies': [{ ...ENTRY, 'prefix?': PATH, 'handover?': { 'note': 0, 'path': PATH } }, 1, 32],
    'checkpoints': [SEEN, ...ROWS],
    'fresh?': { ...ENTRY, 'keys': [KEY, 2, MOST_ROWS] },
    'statements': [{ ...STATEMENT_ROW, 'seen?': SEEN }, ...ROWS],
  },
};

/** The first flaw of a row is the one that is told. */
function blame(row, holds, flaw) {
  if (!holds && !row.flaw) row.flaw = flaw ?? true;
}

/** The rows of a bundle; of version 1 too in the form of version 2. Gives way by `pause` between rows. */
async function readBundle(bytes, pause) {
  need(bytes.length <= MOST_BYTES, 'longer than 33,554,432 bytes');
  const source = textOf(bytes);
  await pause();
  need(!/[\0-\x1f\\]/.test(source), 'a backslash, white space outside strings, or a control character');
  let at = 0;
  /** Whose flaw is found now. */
  let row = {};
  /** Takes this character if it stands here. */
  const has = (letter) => source[at] === letter && ++at;
  const take = (letter) => need(has(letter), 'a broken object, array or string');
  const readText = () => {
    take('"');
    const end = source.indexOf('"', at);
    need(end >= 0, 'a string without end');
    const words = source.slice(at, end);
    at = end + 1;
    return words;
  };
  // A point, a sign or an exponent would stand behind it; none is part of a bundle.
  const digits = /(0|[1-9]\d{0,15})(?=[,\]}])/y;
  const readNumber = () => {
    digits.lastIndex = at;
    const value = Number(digits.exec(source)?.[0]);
    at = digits.lastIndex;
    return uint(value);
  };
  function* items(least, most) {
    let count = 0;
    take('[');
    while (!has(']')) {
      if (count) take(',');
      need(++count <= most, 'too many rows');
      yield count;
    }
    need(count >= least, 'too few rows');
  }
  function* members(shape) {
    const found = new Set();
    take('{');
    while (!has('}')) {
      if (found.size) take(',');
      const name = readText();
      const known = Object.keys(shape).find((key) => key === name || key === `${name}?`);
      need(known && !found.has(name) && found.add(name), 'an unknown member, or one that stands twice');
      take(':');
      yield [name, shape[known]];
    }
    need(Object.keys(shape).every((key) => key.endsWith('?') || found.has(key)), 'a member is missing');
  }
  const read = (shape) => {
    if (shape === TEXT) return readText();
    if (shape === NUMBER) return readNumber();
    if (Array.isArray(shape)) return Array.from(items(shape[1], shape[2]), () => read(shape[0]));
    if (typeof shape === 'object') {
      const values = {};
      for (const [name, inner] of members(shape)) values[name] = read(inner);
      return values;
    }
    const value = base64(readText());
    blame(row, value && (!shape || value.length === shape), 'base64 of another length or spelling');
    return value || new Uint8Array(shape);
  };
  const readRow = (shape) => {
    row = {};
    const values = read(shape);
    return Object.assign(row, values.length === undefined ? values : { note: values, policy: 0, prefix: [] });
  };
  // No string holds a quote: these words stand where a member begins, or the reader below refuses.
  const version = source.includes('"tracebond":"bundle/v2"') ? 2 : 1;
  const bundle = { version };
  for (const [name, shape] of members(FORMS[version])) {
    if (shape === TEXT) need(readText() === `bundle/v${version}`, 'neither bundle/v1 nor bundle/v2');
    else if (Array.isArray(shape)) {
      bundle[name] = [];
      for (const _ of items(shape[1], shape[2])) {
        bundle[name].push(readRow(shape[0]));
        await pause();
      }
    } else bundle[name] = readRow(shape);
  }
  need(at === source.length, 'bytes left over after the bundle');
  bundle.policies = bundle.policies || [bundle.policy];
  return bundle;
}

const lastOf = (rows) => rows[rows.length - 1];

/** Marks rows that break the order, or point where nothing stands, or hold too much or too little. */
function checkOrder({ policies, checkpoints, headers, keys, statements, events, fresh }) {
  for (const [rows, name, others] of [
    [checkpoints, 'policy', policies],
    [headers, 'checkpoint', checkpoints],
    [keys, 'header', headers],
    [statements, 'header', headers],
    [statements, 'device', keys],
    [statements, 'organisation', keys],
    [events, 'statement', statements],
  ]) {
    for (const row of rows) blame(row, row[name] < others.length, 'a place out of range');
  }
  const rises = (rows, outer, inner = outer, least = 1) =>
    rows.forEach((row, i) => {
      const before = rows[i - 1];
      blame(row, !before || (row[outer] - before[outer] || row[inner] - before[inner]) >= least, 'out of order');
    });
  rises(policies, 'index');
  rises(checkpoints, 'policy', 'policy', 0);
  rises(headers, 'index');
  rises(headers, 'checkpoint', 'checkpoint', 0);
  rises(keys, 'header', 'index');
  rises(statements, 'header', 'index');
  rises(events, 'statement', 'index');
  const used = (rows, positions) => {
    const all = new Set(positions);
    rows.forEach((row, i) => blame(row, all.has(i), 'a row that nothing uses'));
  };
  used(headers, statements.map((row) => row.header));
  used(keys, statements.flatMap((row) => [row.device, row.organisation]));
  used(checkpoints.slice(0, -1), headers.map((row) => row.checkpoint));
  const last = lastOf(checkpoints);
  blame(last, last.policy === policies.length - 1, 'the last checkpoint is not of the last policy');
  policies.forEach((row, i) => blame(row, !row.prefix === !i && !row.handover === !i, 'a policy with too much or too little'));
  for (const row of statements) if (row.seen) blame(row, row.seen.policy < policies.length, 'a place out of range');
  if (fresh) {
    rises(fresh.keys, 'index');
    for (const row of fresh.keys) blame(fresh, !row.flaw, 'out of order');
  }
  for (const row of events) {
    const isShown = !row.leaf && row.source < 4 && row.members;
    const isHidden = row.leaf && row.source === undefined && !row.members;
    blame(row, isShown || isHidden, 'an event neither shown nor withheld');
    for (const member of row.members || []) {
      const { salt, value, hash } = member;
      member.nameBytes = utf8(member.name);
      const { length } = member.nameBytes;
      blame(row, length && length <= 128 && (hash ? !salt && !value : salt && value), 'a member neither shown nor withheld');
    }
  }
}
