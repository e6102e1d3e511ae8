// The form of a bundle (proof-bundle.md section 1), read straight from its text: there is no
// moment at which a hostile file has become a large tree of objects. Two kinds of fault:
//
// - a broken grammar throws `Bad`: nothing behind it can be read;
// - a value that breaks a rule within one row (base64, a length, a position) is that row's `flaw`:
//   the bundle is refused, but the other rows can be read and checked on their own.

const MOST_BYTES = 33554432;
const MOST_ROWS = 65536;

class Form {
  constructor(source) {
    this.source = source;
    this.at = 0;
    this.flaw = null;
  }

  /** Takes this character or throws. */
  take(letter) {
    need(this.source[this.at] === letter, `${JSON.stringify(letter)} expected at ${this.at}`);
    this.at++;
  }

  note(holds, detail) {
    if (!holds && this.flaw === null) this.flaw = detail;
  }

  /** Where the string that begins here ends. A bundle has no backslash, so a quote ends it. */
  stringEnd() {
    this.take('"');
    const end = this.source.indexOf('"', this.at);
    need(end >= 0, 'a string without end');
    return end;
  }

  text() {
    const end = this.stringEnd();
    const value = this.source.slice(this.at, end);
    this.at = end + 1;
    return value;
  }

  bytes(length) {
    const end = this.stringEnd();
    const value = base64(this.source, this.at, end);
    this.note(value !== null, 'base64 in a wrong spelling');
    this.note(value === null || length === undefined || value.length === length, `not ${length} bytes`);
    this.at = end + 1;
    return value ?? ZERO.subarray(0, length ?? 0);
  }

  number() {
    const start = this.at;
    let code = this.source.charCodeAt(this.at);
    while (code >= 48 && code <= 57) code = this.source.charCodeAt(++this.at);
    const digits = this.source.slice(start, Math.min(this.at, start + 20));
    need(digits !== '', `a number expected at ${start}`);
    // A point, a sign or an exponent would stand here; none is part of a bundle.
    need(',]}'.includes(this.source[this.at] ?? ' '), `a number in a wrong form at ${start}`);
    const value = Number(digits);
    this.note(value <= MAX && String(value) === digits, `a number in a wrong form: ${digits}`);
    return value;
  }

  /** Calls `read` for each item of an array of `low` to `most`. */
  *items(low, most) {
    let count = 0;
    this.take('[');
    if (this.source[this.at] !== ']') {
      do {
        if (count) this.at++;
        need(++count <= most, `more than ${most} rows`);
        yield count - 1;
      } while (this.source[this.at] === ',');
    }
    this.take(']');
    need(count >= low, `${count} rows, at least ${low} expected`);
  }

  array(read, low, most) {
    const rows = [];
    for (const _ of this.items(low, most)) rows.push(read.call(this));
    return rows;
  }

  hash() {
    return this.bytes(32);
  }

  path() {
    return this.array(this.hash, 0, 64);
  }

  /** An object with these members and no others: name to reader; `?` ends an optional name. */
  object(readers) {
    const row = Object.create(null);
    this.take('{');
    if (this.source[this.at] !== '}') {
      for (;;) {
        const name = this.text();
        const read = readers.get(name) || readers.get(`${name}?`);
        need(read !== undefined && !name.endsWith('?'), `an unknown member: ${name.slice(0, 40)}`);
        need(!(name in row), `${name} stands twice`);
        this.take(':');
        row[name] = read.call(this);
        if (this.source[this.at] !== ',') break;
        this.at++;
      }
    }
    this.take('}');
    for (const name of readers.keys()) {
      need(name.endsWith('?') || name in row, `${name} is missing`);
    }
    return row;
  }

  /** An object whose flaws are its own. */
  row(readers) {
    const outer = this.flaw;
    this.flaw = null;
    const row = this.object(readers);
    row.flaw = this.flaw;
    this.flaw = outer;
    return row;
  }
}

const { text: readText, number: readNumber, hash: readHash, path: readPath } = Form.prototype;

function readSalt() {
  return this.bytes(16);
}

const readers = (named) => new Map(Object.entries(named));

const MEMBER = readers({ name: readText, 'salt?': readSalt, 'value?': readBytesOnly, 'hash?': readHash });

function readMember() {
  const row = this.object(MEMBER);
  const shown = row.salt !== undefined && row.value !== undefined && row.hash === undefined;
  const withheld = row.salt === undefined && row.value === undefined && row.hash !== undefined;
  need(shown || withheld, 'a member neither shown nor withheld');
  row.nameBytes = utf8(row.name);
  this.note(row.nameBytes.length >= 1 && row.nameBytes.length <= 128, 'a name of 0 or more than 128 bytes');
  return row;
}

function readBytesOnly() {
  return this.bytes();
}

const POLICY = readers({ entry: readBytesOnly, index: readNumber, path: readPath });

function readPolicyRow() {
  return this.row(POLICY);
}

function readCheckpoint() {
  const row = { bytes: this.bytes(), flaw: this.flaw };
  this.flaw = null;
  return row;
}

const HEADER = readers({
  entry: readBytesOnly,
  index: readNumber,
  checkpoint: readNumber,
  path: readPath,
  'refused?': readBytesOnly,
});
const KEY = readers({
  record: readBytesOnly,
  salt: readSalt,
  header: readNumber,
  index: readNumber,
  path: readPath,
});
const STATEMENT_ROW = readers({
  statement: readBytesOnly,
  header: readNumber,
  index: readNumber,
  path: readPath,
  device: readNumber,
  organisation: readNumber,
  'later?'() {
    return this.array(readBytesOnly, 1, 4096);
  },
});
const EVENT = readers({
  statement: readNumber,
  index: readNumber,
  path: readPath,
  'leaf?': readHash,
  'source?': readNumber,
  'members?'() {
    return this.array(readMember, 1, 64);
  },
});

function readEvent() {
  const row = this.row(EVENT);
  const shown = row.leaf === undefined && row.source !== undefined && row.members !== undefined;
  const withheld = row.leaf !== undefined && row.source === undefined && row.members === undefined;
  need(shown || withheld, 'an event neither shown nor withheld');
  if (shown && row.source > 3) blame(row, `source ${row.source}`);
  return row;
}

/** Tables with their readers and the least number of their rows. */
const TABLES = readers({
  checkpoints: [readCheckpoint, 1],
  headers: [Form.prototype.row, 1, HEADER],
  keys: [Form.prototype.row, 2, KEY],
  statements: [Form.prototype.row, 1, STATEMENT_ROW],
  events: [readEvent, 0],
});

/** The rows of a bundle. `pause` is awaited between rows, so that nothing stands still. */
async function readBundle(bytes, pause) {
  need(bytes.length <= MOST_BYTES, 'longer than 33,554,432 bytes');
  const source = textOf(bytes, 'the bundle');
  await pause();
  need(!source.includes('\\'), 'a backslash');
  need(!/[\0-\x1f]/.test(source), 'white space outside strings, or a control character');
  const form = new Form(source);
  const bundle = Object.create(null);
  form.take('{');
  for (;;) {
    const name = form.text();
    need(!(name in bundle), `${name.slice(0, 40)} stands twice`);
    form.take(':');
    if (name === 'tracebond') need((bundle.tracebond = form.text()) === 'bundle/v1', 'not bundle/v1');
    else if (name === 'policy') bundle.policy = readPolicyRow.call(form);
    else {
      need(TABLES.has(name), `an unknown member: ${name.slice(0, 40)}`);
      const [read, low, readers] = TABLES.get(name);
      const rows = (bundle[name] = []);
      for (const _ of form.items(low, MOST_ROWS)) {
        rows.push(read.call(form, readers));
        await pause();
      }
    }
    if (form.source[form.at] !== ',') break;
    form.at++;
  }
  form.take('}');
  need(form.at === source.length, 'bytes left over after the bundle');
  for (const name of ['tracebond', 'policy', ...TABLES.keys()]) {
    need(name in bundle, `${name} is missing`);
  }
  return bundle;
}

/** Marks rows that break the order, or point where nothing stands. */
function checkOrder({ checkpoints, headers, keys, statements, events }) {
  inRange(headers, 'checkpoint', checkpoints);
  inRange(keys, 'header', headers);
  inRange(statements, 'header', headers);
  inRange(statements, 'device', keys);
  inRange(statements, 'organisation', keys);
  inRange(events, 'statement', statements);
  strictly(headers, 'index');
  strictly(keys, 'header', 'index');
  strictly(statements, 'header', 'index');
  strictly(events, 'statement', 'index');
  headers.forEach((row, i) => {
    if (i && row.checkpoint < headers[i - 1].checkpoint) blame(row, 'checkpoints of headers fall');
  });
  used(headers, new Set(statements.map((row) => row.header)));
  used(keys, new Set(statements.flatMap((row) => [row.device, row.organisation])));
  used(checkpoints.slice(0, -1), new Set(headers.map((row) => row.checkpoint)));
}

/** The first flaw of a row is the one that is told. */
function blame(row, flaw) {
  if (row.flaw === null) row.flaw = flaw;
}

function inRange(rows, name, others) {
  for (const row of rows) if (row[name] >= others.length) blame(row, `${name} is out of range`);
}

function strictly(rows, ...names) {
  for (let i = 1; i < rows.length; i++) {
    const differs = names.find((name) => rows[i][name] !== rows[i - 1][name]);
    const rises = differs !== undefined && rows[i][differs] > rows[i - 1][differs];
    if (!rises) blame(rows[i], 'out of order');
  }
}

function used(rows, positions) {
  rows.forEach((row, i) => {
    if (!positions.has(i)) blame(row, 'a row that nothing uses');
  });
}
