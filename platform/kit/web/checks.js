// The checks of proof-bundle.md section 3, in its order. The document's verdict is the class of
// the first check that fails. A reader of a page wants more: which event failed, and what of the
// rest holds. So a failure is also kept at its row, and whatever rests on that row fails with it:
// policy and checkpoints bear everything, a header its statements, a key those that it signed.

const lastOf = (rows) => rows[rows.length - 1];
const node = (left, right) => sha256(1, left, right);

/** The leaf is number `index` of `count` in a complete binary tree (statement.md 1.4). */
function checkTree(leaf, index, count, path, root) {
  need(index < count, `place ${index} of ${count}`);
  let at = index + count - 1;
  let hash = leaf;
  for (const sibling of path) {
    need(at > 0, 'a path that is too long');
    hash = at % 2 ? node(hash, sibling) : node(sibling, hash);
    at = Math.floor((at - 1) / 2);
  }
  need(at === 0, 'a path that is too short');
  need(same(hash, root), 'a path that leads elsewhere');
}

/** The entry is number `index` of the log (RFC 9162 section 2.1.3.2). */
function checkLog(entry, index, path, { size, root }) {
  need(index < size, `place ${index} in a log of ${size}`);
  const half = (n) => Math.floor(n / 2);
  let [first, last] = [index, size - 1];
  let hash = sha256(0, entry);
  for (const sibling of path) {
    need(last !== 0, 'a path that is too long');
    if (first % 2 || first === last) {
      hash = node(sibling, hash);
      while (first % 2 === 0 && first !== 0) [first, last] = [half(first), half(last)];
    } else hash = node(hash, sibling);
    [first, last] = [half(first), half(last)];
  }
  need(last === 0, 'a path that is too short');
  need(same(hash, root), 'a path that leads elsewhere');
}

/** The root of a complete binary tree over one or more leaves. */
function treeRoot(leaves) {
  const nodes = [...new Array(leaves.length - 1), ...leaves];
  for (let k = leaves.length - 2; k >= 0; k--) nodes[k] = node(nodes[2 * k + 1], nodes[2 * k + 2]);
  return nodes[0];
}

/** The leaf of a shown event (statement.md 2.2). */
function leafOf({ source, members }) {
  const fields = members.map(({ nameBytes, salt, value, hash }) => {
    const length = nameBytes.length;
    return sha256(0, 0x46, length >> 8, length & 255, nameBytes, hash ?? sha256(3, salt, value));
  });
  return sha256(0, 0x45, source, fields.length >> 8, fields.length & 255, treeRoot(fields));
}

/** One reading of one bundle. */
class Check {
  constructor(trusted, pause) {
    this.trusted = trusted;
    this.pause = pause;
    /** What failed first: the verdict of the document. */
    this.first = null;
  }

  fail(kind, detail) {
    const failure = { kind, detail };
    if (this.first === null) this.first = failure;
    return failure;
  }

  /** Runs checks of one class; what fails is the row's failure. True if they hold. */
  async holds(row, kind, check) {
    try {
      await check();
      return true;
    } catch (error) {
      if (!(error instanceof Bad)) throw error;
      row.failure = this.fail(kind, error.message);
      return false;
    }
  }

  /** A row fails with another that it rests on. True if all of them hold. */
  rests(row, ...others) {
    if (row.failure === null) {
      const failed = others.find((other) => other.failure);
      if (failed) row.failure = failed.failure;
    }
    return row.failure === null;
  }

  async run(bytes) {
    const bundle = await readBundle(bytes, this.pause);
    checkOrder(bundle);
    const { policy, checkpoints, headers, keys, statements, events } = bundle;
    for (const rows of [[policy], checkpoints, headers, keys, statements, events]) {
      for (const row of rows) row.failure = row.flaw ? this.fail('format', row.flaw) : null;
    }
    await this.checkPolicy(bundle);
    await this.checkHeaders(bundle);
    await this.checkKeys(bundle);
    await this.checkStatements(bundle);
    await this.checkEvents(bundle);
    return bundle;
  }

  /** Step 2. What fails here fails everything. */
  async checkPolicy({ policy, checkpoints }) {
    const shared = policy.failure ? policy : (checkpoints.find((row) => row.failure) ?? policy);
    this.shared = shared;
    if (shared.failure) return;
    const parsed = await this.holds(shared, 'policy', () => {
      this.policy = parsePolicy(policy.entry);
      need(this.trusted === null || same(policy.entry, this.trusted), 'not the policy that you trust');
    });
    if (!parsed) return;
    this.checkpoints = [];
    for (const row of checkpoints) {
      const good = await this.holds(shared, 'checkpoint', async () => {
        const checkpoint = await checkNoteOfLog(row.bytes, this.policy);
        need(checkpoint.size > (lastOf(this.checkpoints)?.size ?? 0), 'checkpoints do not grow');
        this.checkpoints.push(checkpoint);
      });
      if (!good) return;
      await this.pause();
    }
    await this.holds(shared, 'log-path', () => {
      need(!this.policy.isFirst || policy.index === 0, 'a first policy that is not entry 0');
      checkLog(policy.entry, policy.index, policy.path, lastOf(this.checkpoints));
    });
  }

  /** Step 3. */
  async checkHeaders({ headers }) {
    const series = new Set();
    let before = null;
    for (const row of headers) {
      await this.pause();
      if (!this.rests(row, this.shared)) continue;
      const good = await this.holds(row, 'header', () => {
        row.header = this.parseHeader(row);
        checkOrderOfRegistries(before, row.header);
        const place = `${row.header.shard}/${row.header.seq}`;
        need(!series.has(place), 'two headers with one shard and seq');
        series.add(place);
      });
      if (!good) continue;
      before = row.header;
      await this.holds(row, 'log-path', () =>
        checkLog(row.entry, row.index, row.path, this.checkpoints[row.checkpoint]),
      );
    }
  }

  parseHeader(row) {
    const header = parseHeader(row.entry);
    need(same(header.log, this.policy.log), 'a header of another log');
    const isNone = same(header.refusedHash, ZERO);
    need((row.refused === undefined) === isNone, 'refused is there exactly when its hash is');
    need(isNone || same(sha256(row.refused), header.refusedHash), 'refused has another hash');
    header.refused = isNone ? new Set() : parseRefused(row.refused, header.statements);
    return header;
  }

  /** Step 4. */
  async checkKeys({ headers, keys }) {
    const firstWith = new Map();
    headers.forEach(({ header }, at) => {
      if (header && !firstWith.has(header.registryName)) firstWith.set(header.registryName, at);
    });
    let before = null;
    for (const row of keys) {
      await this.pause();
      if (!this.rests(row, this.shared, headers[row.header])) continue;
      const parsed = await this.holds(row, 'record', async () => {
        row.record = parseRecord(row.record);
        need(same(row.record.log, this.policy.log), 'a record of another log');
        need(!this.policy.kids.has(hex(row.record.kid)), 'a key of the policy has a record');
        need(row.record.consent === null || (await consents(row.record)), 'the consent does not verify');
      });
      if (!parsed) continue;
      await this.holds(row, 'registry-path', () => {
        const { registry, registryName } = headers[row.header].header;
        const { kid, signed } = row.record;
        const leaf = sha256(0, 0x52, kid, sha256(row.salt, signed.raw));
        checkTree(leaf, row.index, registry.count, row.path, registry.root);
        need(firstWith.get(registryName) === row.header, 'a header before has this registry');
        const rises = before?.header !== row.header || compare(before.record.kid, kid) < 0;
        need(rises, 'kids do not increase');
      });
      before = row;
    }
  }

  /** Step 5. */
  async checkStatements({ headers, keys, statements }) {
    const ids = new Set();
    this.admitted = new Map();
    for (const row of statements) {
      await this.pause();
      // Also of a statement that fails: the page finds its events by it.
      row.id = sha256(0, row.statement);
      if (!this.rests(row, this.shared, headers[row.header], keys[row.device], keys[row.organisation])) continue;
      await this.checkStatement(row, headers[row.header], keys[row.device], keys[row.organisation], headers, ids);
    }
  }

  async checkStatement(row, batch, device, organisation, headers, ids) {
    const name = hex(row.id);
    const belongs = await this.holds(row, 'statement', () => {
      row.said = parseStatement(row.statement);
      need(!ids.has(name), 'a statement stands twice');
      ids.add(name);
      this.checkBelongs(row.said, batch, device, organisation, headers);
    });
    if (!belongs) return;
    const admitted = await this.holds(row, 'organisation', () => this.checkAdmission(row, device, organisation));
    if (!admitted) return;
    const counts = await this.holds(row, 'record', () => this.checkState(row, device.record));
    if (!counts) return;
    const signed = await this.holds(row, 'statement', async () => {
      const { alg, key } = device.record;
      need(await signedBy(row.said.signed, alg, key), 'the signature does not verify');
    });
    if (!signed) return;
    await this.holds(row, 'batch-path', () =>
      checkTree(row.id, row.index, batch.header.statements, row.path, batch.header.root),
    );
  }

  checkBelongs(said, batch, device, organisation, headers) {
    need(same(said.log, this.policy.log), 'a statement of another log');
    need(said.seen <= batch.index, 'it has seen a later log than it stands in');
    for (const key of [device, organisation]) {
      const { registryName } = headers[key.header].header;
      need(registryName === batch.header.registryName, 'a key is shown at another registry');
    }
    const { record } = device;
    need(record.role === CAPTURE, 'the key is no device');
    need(same(record.kid, said.signed.kid), 'another key signed it');
    need(`${record.organisation}/${record.device}` === said.device, 'it speaks for another device');
  }

  /** Who answers for the device, and who admitted them; each pair is checked once. */
  async checkAdmission(row, { record: device }, { record: organisation }) {
    const pair = `${row.device}/${row.organisation}`;
    if (!this.admitted.has(pair)) {
      const outcome = this.admission(device, organisation).then(() => null, (error) => error);
      this.admitted.set(pair, await outcome);
    }
    const error = this.admitted.get(pair);
    if (error) throw error;
  }

  async admission(device, organisation) {
    need(organisation.role === ORGANISATION, 'the key is no organisation');
    need(organisation.state === ACTIVE, 'the organisation is not active');
    need(organisation.organisation === device.organisation, 'the key of another organisation');
    const registrar = this.policy.registrars.get(hex(organisation.signed.kid));
    need(registrar !== undefined, 'no registrar of the policy admitted it');
    need(await signedBy(organisation.signed, ED25519, registrar), "the registrar's signature does not verify");
    const { alg, key } = organisation;
    need(await signedBy(device.signed, alg, key), "the organisation's signature does not verify");
  }

  /** The device's key is active, or retired and the statement counts still. */
  async checkState(row, record) {
    const { said, later } = row;
    if (record.state === ACTIVE) return need(later === undefined, 'later stands with an active key');
    need(record.state === RETIRED, 'the key is suspended or revoked');
    const { epoch, seq, id } = record.last;
    const distance = said.epoch - epoch || said.seq - seq;
    need(distance <= 0, 'the key was retired before');
    if (distance === 0) {
      need(later === undefined, 'later stands with the last statement');
      return need(same(row.id, id), 'another statement was the last');
    }
    need(later !== undefined, 'later is missing');
    let before = said;
    for (const bytes of later) {
      const next = parseStatement(bytes);
      need(same(next.log, this.policy.log), 'later is of another log');
      need(next.device === said.device && same(next.signed.kid, record.kid), 'later is of another device');
      need(same(next.prev, before.id), 'later is no chain');
      need(await signedBy(next.signed, record.alg, record.key), 'a signature of later does not verify');
      before = next;
      await this.pause();
    }
    return need(same(before.id, id), 'later does not reach the last statement');
  }

  /** Step 6. */
  async checkEvents({ headers, keys, statements, events }) {
    for (const row of events) {
      await this.pause();
      const outer = statements[row.statement];
      if (this.rests(row, this.shared, outer ?? this.shared)) {
        await this.checkEvent(row, outer, headers[outer.header].header, keys[outer.device].record);
      }
    }
  }

  async checkEvent(row, outer, batch, record) {
    const { count, root } = outer.said;
    const found = await this.holds(row, 'event-path', () => {
      need(row.index < count, 'the statement has not so many events');
      if (row.leaf === undefined) row.leaf = leafOf(row);
      checkTree(row.leaf, row.index, count, row.path, root);
    });
    if (!found) return;
    let shown = null;
    if (row.members) {
      const good = await this.holds(row, 'member', () => {
        shown = checkMembers(row.members);
      });
      if (!good) return;
    }
    const taken = await this.holds(row, 'refused-event', () =>
      need(!batch.refused.has(`${outer.index}/${row.index}`), 'refused at capture'),
    );
    if (!taken || shown === null) return;
    const obeys = await this.holds(row, 'rule', () => checkRules(row.source, row.members, shown, record));
    if (obeys) row.shown = shown;
  }
}

function checkOrderOfRegistries(before, { registry, registryName }) {
  if (before === null) return;
  need(registry.version >= before.registry.version, 'the registry version falls');
  const known = registry.version > before.registry.version || registryName === before.registryName;
  need(known, 'one registry version with two contents');
}

/** An event is not "verified" when one of these is withheld. */
const TELLING = ['type', 'eventTime', 'action', 'bizStep', 'disposition', 'readPoint', 'errorDeclaration'];

/** `verified`, `withheld` or `failed`. */
function stateOf(row) {
  if (row.failure) return 'failed';
  const hides = !row.members || row.members.some(({ name, hash }) => hash && TELLING.includes(name));
  return hides ? 'withheld' : 'verified';
}

/** What a page needs of an event. */
function eventOf(row, statements, headers, checkpoints) {
  const outer = statements[row.statement];
  return {
    statement: outer?.id ? hex(outer.id) : '',
    index: row.index,
    leaf: row.leaf ? hex(row.leaf) : '',
    state: stateOf(row),
    failure: row.failure,
    source: row.source,
    device: outer?.said?.device ?? '',
    organisation: outer?.said?.organisation ?? '',
    anchored: row.failure ? 0 : checkpoints[headers[outer.header].checkpoint].anchored,
    shown: row.shown || new Map(),
    withheld: (row.members ?? []).filter(({ hash }) => hash).map(({ name }) => name),
  };
}

/** Places of chains at which the bundle holds two statements. */
function forksOf(statements) {
  const [seen, twice] = [new Set(), new Set()];
  for (const { said, failure } of statements) {
    if (failure) continue;
    const place = `${said.device} ${said.epoch}/${said.seq}`;
    (seen.has(place) ? twice : seen).add(place);
  }
  return [...twice];
}

/**
 * Verifies the bytes of a bundle. `trusted` is the policy entry that the reader trusts, or null;
 * `pause` is awaited often and may give way to others. Never throws for what a bundle holds.
 */
async function verifyBundle(bytes, { trusted = null, pause = async () => {} } = {}) {
  const check = new Check(trusted, pause);
  let bundle = null;
  try {
    bundle = await check.run(bytes);
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    check.fail('format', error.message);
  }
  chosen = chosen || chooseVerifier();
  const common = { failure: check.first, by: (await chosen).name };
  if (bundle === null) return { ...common, verdict: 'refused', readable: false, events: [], statements: 0, forks: [] };
  const { statements, headers } = bundle;
  const events = bundle.events.map((row) => eventOf(row, statements, headers, check.checkpoints));
  const incomplete = events.some(({ state }) => state === 'withheld');
  const last = lastOf(check.checkpoints || []);
  return {
    ...common,
    verdict: check.first ? 'refused' : incomplete ? 'incomplete' : 'verified',
    readable: true,
    events,
    statements: statements.length,
    forks: forksOf(statements),
    policy: check.policy && hex(check.policy.hash),
    origin: check.policy?.origin,
    compared: trusted !== null,
    size: last?.size,
    root: last && hex(last.root),
    anchored: last?.anchored,
    witnesses: last?.witnesses ?? [],
  };
}
