// The checks of proof-bundle.md section 3 and proof-bundle-v2.md sections 2 to 5, in their order.
// The document's verdict is the class of the first check that fails. A reader of a page wants more:
// which event failed, and what of the rest holds. So a failure is also kept at its row, and whatever
// rests on that row fails with it: policies, checkpoints and the recent head bear everything, a
// header its statements, a key those that it signed.

const node = (left, right) => sha256(1, left, right);

/** The leaf is number `index` of `count` in a complete binary tree (statement.md 1.4). */
function checkTree(leaf, index, count, path, root) {
  need(index < count, 'a place beyond the tree');
  let at = index + count - 1;
  let hash = leaf;
  for (const sibling of path) {
    need(at > 0, 'a path that is too long');
    hash = at % 2 ? node(hash, sibling) : node(sibling, hash);
    at = Math.floor((at - 1) / 2);
  }
  need(at === 0 && same(hash, root), 'a path that is too short, or leads elsewhere');
}

/**
 * Both proofs of RFC 9162 climb alike: from a leaf (section 2.1.3.2) to the root of `size`, or from
 * the last whole subtree of a smaller tree (2.1.4.2), which has that tree's root in `older`.
 */
function climb(at, size, hash, path, root, older, olderRoot) {
  let last = size - 1;
  const half = () => {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  };
  // In an older tree the subtree that ends at its last leaf is whole up to here.
  while (older && at % 2) half();
  for (const sibling of path) {
    need(last > 0, 'a path that is too long');
    if (at % 2 || at === last) {
      hash = node(sibling, hash);
      older = older && node(sibling, older);
      while (at && at % 2 === 0) half();
    } else hash = node(hash, sibling);
    half();
  }
  need(last === 0 && same(hash, root), 'a path that is too short, or leads elsewhere');
  need(!older || same(older, olderRoot), 'a path from another tree');
}

/** The entry is number `index` of the log. */
function checkLog(entry, index, path, { size, root }) {
  need(index < size, 'a place beyond the log');
  climb(index, size, sha256(0, entry), path, root);
}

/** The smaller tree is the beginning of the larger one. */
function checkPrefix(before, path, { size, root }) {
  need(before.size <= size && !path.length === (before.size === size), 'a path between other sizes');
  if (before.size === size) return need(same(before.root, root), 'two trees of one size');
  let odd = before.size;
  while (odd % 2 === 0) odd /= 2;
  // A whole tree is itself the subtree to begin with.
  const [start, ...rest] = odd > 1 ? path : [before.root, ...path];
  return climb(before.size - 1, size, start, rest, root, start, before.root);
}

/** The root of a complete binary tree over one or more leaves. */
function treeRoot(leaves) {
  const nodes = [...new Array(leaves.length - 1), ...leaves];
  for (let k = leaves.length - 2; k >= 0; k--) nodes[k] = node(nodes[2 * k + 1], nodes[2 * k + 2]);
  return nodes[0];
}

/** The leaf of a shown event (statement.md 2.2). */
function leafOf({ source, members }) {
  const fields = members.map(({ nameBytes, salt, value, hash }) =>
    sha256(0, 0x46, 0, nameBytes.length, nameBytes, hash ?? sha256(3, salt, value)),
  );
  return sha256(0, 0x45, source, 0, fields.length, treeRoot(fields));
}

/** An event is not "verified" when one of these is withheld. */
const TELLING = ['type', 'eventTime', 'action', 'bizStep', 'disposition', 'readPoint', 'errorDeclaration'];
/** A state of a key, and its mark. */
const STATES = ['', 'suspended', 'retired', 'revoked'];

/**
 * Verifies the bytes of a bundle. `trusted` is the policy entry that the reader trusts, or null;
 * `pause` is awaited often and may give way to others. Never throws for what a bundle holds.
 */
async function verifyBundle(bytes, options = {}) {
  try {
    return await judge(bytes, options);
  } catch (error) {
    if (error !== MISSING) throw error;
    await fetchFallback();
    return judge(bytes, options);
  }
}

async function judge(bytes, { trusted = null, pause = async () => {} }) {
  /** The class of the checks that run, and what failed first: the verdict of the document. */
  let kind = 'format';
  let first = null;
  const fail = (row, detail) => {
    row.failure = { kind, detail };
    first = first || row.failure;
  };
  /** Runs checks; what fails is the row's failure. */
  const attempt = async (row, check) => {
    try {
      await check(row);
    } catch (error) {
      if (!(error instanceof Bad)) throw error;
      fail(row, error.message);
    }
  };
  const report = { readable: false, events: [], statements: 0, forks: [], witnesses: [], compared: !!trusted };
  let bundle = null;
  await attempt({}, async () => {
    bundle = await readBundle(bytes, pause);
    checkOrder(bundle);
  });
  if (bundle) await checkBundle();
  const [by] = await verifier();
  const incomplete = report.events.some(({ state }) => state === 'withheld');
  return { ...report, by, failure: first, verdict: first ? 'refused' : incomplete ? 'incomplete' : 'verified' };

  async function checkBundle() {
    const { policies, checkpoints, headers, keys, statements, events, fresh } = bundle;
    const isFirstVersion = bundle.version < 2;
    /** What bears everything. */
    const shared = {};
    let log;
    let end;
    for (const row of [...policies, ...checkpoints, ...(fresh ? [fresh] : [])]) if (row.flaw) fail(shared, row.flaw);
    for (const row of [...headers, ...keys, ...statements, ...events]) if (row.flaw) fail(row, row.flaw);
    /** Checks each row, unless it fails with another that it rests on. */
    const each = async (rows, bearersOf, check) => {
      for (const row of rows) {
        await pause();
        const failed = [row, shared, ...bearersOf(row)].find((bearer) => bearer?.failure);
        if (failed) row.failure = failed.failure;
        else await attempt(row, check);
      }
    };
    /** The policy in force at a place of the log. */
    const policyAt = (index) => {
      const row = policies.filter(({ from }) => from < index).pop();
      return need(row, row?.policy, 'no policy is in force here');
    };
    /** The checkpoint of a note under policy number `at`, within that policy's part of the log. */
    const checkNoteUnder = async (note, at) => {
      const checkpoint = await checkNoteOfLog(note, policies[at].policy);
      const until = policies[at + 1]?.policy.prev.size ?? MAX;
      need(checkpoint.size > policies[at].from && checkpoint.size <= until, 'a checkpoint beyond its policy');
      return checkpoint;
    };
    /** Refuses a record of another log, or whose key or consent is not what it must be. */
    const checkRecord = async (raw) => {
      const record = parseRecord(raw);
      need(record.log === log, 'a record of another log');
      need(!policies.some(({ policy }) => policy.kids.has(record.kid)), 'a key of a policy has a record');
      await checkConsent(record);
      return record;
    };
    const checkListed = ({ salt, index, path }, { signed, kid }, { count, root }) =>
      checkTree(sha256(0, 0x52, bytesOfHex(kid), sha256(salt, signed.raw)), index, count, path, root);
    /** By whom an organisation was admitted, in the policy that is in force there. */
    const checkAdmitted = ({ signed }, index) => {
      const registrar = policyAt(index).registrars.get(signed.kid);
      return checkSigned(signed, ED25519, need(registrar, registrar, 'no registrar of the policy admitted it'));
    };

    // Policies and checkpoints. What fails here fails everything.
    const checkPolicies = async () => {
      kind = 'policy';
      policies.forEach((row, i) => {
        const policy = parsePolicy(row.entry);
        const { prev } = policy;
        const before = policies[i - 1]?.policy;
        row.policy = policy;
        row.from = isFirstVersion ? -1 : row.index;
        need(isFirstVersion || row.index === (prev ? prev.size : 0), 'a policy at another place');
        if (before) {
          need(prev && same(prev.hash, before.hash), 'a policy with another one before it');
          need(policy.log === before.log && policy.origin === before.origin, 'a policy of another log');
        }
      });
      need(!trusted || policies.some(({ entry }) => same(entry, trusted)), 'not the policy that you trust');
      log = policies[0].policy.log;
      kind = 'checkpoint';
      let size = 0;
      for (const row of checkpoints) {
        row.checkpoint = await checkNoteUnder(row.note, row.policy);
        need(row.checkpoint.size > size, 'checkpoints do not grow');
        size = row.checkpoint.size;
        await pause();
      }
      end = lastOf(checkpoints).checkpoint;
      for (const [i, { entry, index, policy, handover }] of policies.entries()) {
        if (!i) continue;
        kind = 'checkpoint';
        const checkpoint = await checkNoteOfLog(handover.note, policies[i - 1].policy);
        need(checkpoint.size === policy.prev.size + 1, 'a hand-over of another size');
        kind = 'log-path';
        checkLog(entry, index, handover.path, checkpoint);
      }
      kind = 'log-path';
      policies.forEach(({ entry, index, path, prefix, policy }, i) => {
        need(policy.prev || index === 0, 'a first policy that is not entry 0');
        checkLog(entry, index, path, end);
        if (i) checkPrefix(policy.prev, prefix, end);
      });
      for (const { checkpoint, policy, prefix } of checkpoints) {
        const next = policies[policy + 1];
        if (next) checkPrefix(checkpoint, prefix, next.policy.prev);
        else need(!prefix.length, 'a path of a checkpoint that needs none');
      }
    };
    if (!shared.failure) await attempt(shared, checkPolicies);

    const series = new Set();
    const firstWith = new Map();
    let latest = { version: 0 };
    await each(headers, () => [], (row) => {
      kind = 'header';
      const header = parseHeader(row.entry);
      const { refusedHash, registry } = header;
      need(header.log === log && policyAt(row.index), 'a header of another log');
      need(!row.refused === isZero(refusedHash), 'refused is there exactly when its hash is');
      need(!row.refused || same(sha256(row.refused), refusedHash), 'refused has another hash');
      row.refused = row.refused && parseRefused(row.refused, header.statements);
      need(registry.version > latest.version || registry.name === latest.name, 'the registry falls, or has two contents');
      need(!series.has(header.series) && series.add(header.series), 'two headers with one shard and seq');
      latest = registry;
      row.header = header;
      if (!firstWith.has(registry.name)) firstWith.set(registry.name, row);
      kind = 'log-path';
      checkLog(row.entry, row.index, row.path, checkpoints[row.checkpoint].checkpoint);
    });

    let before = null;
    await each(keys, (row) => [headers[row.header]], async (row) => {
      kind = 'record';
      const record = (row.record = await checkRecord(row.record));
      kind = 'registry-path';
      const outer = headers[row.header];
      row.registry = outer.header.registry;
      row.kid = record.kid;
      const rises = before?.header !== row.header || before.kid < row.kid;
      before = row;
      checkListed(row, record, row.registry);
      need(firstWith.get(row.registry.name) === outer, 'a header before has this registry');
      need(rises, 'kids do not increase');
    });

    // A recent head.
    const checkFresh = async () => {
      kind = 'header';
      const { entry, index, path } = fresh;
      const head = parseHead(entry);
      const { registry } = head;
      need(registry.version > latest.version || registry.name === latest.name, 'a head before that of a header');
      policyAt(index);
      kind = 'log-path';
      checkLog(entry, index, path, end);
      const byKid = new Map();
      let kid = '';
      for (const row of fresh.keys) {
        await pause();
        kind = 'record';
        row.record = await checkRecord(row.record);
        kind = 'registry-path';
        checkListed(row, row.record, registry);
        need(kid < row.record.kid, 'kids do not increase');
        kid = row.record.kid;
        byKid.set(kid, row.record);
      }
      const wanted = new Set();
      kind = 'organisation';
      for (const { record } of fresh.keys) {
        await pause();
        if (record.role === ORGANISATION) await checkAdmitted(record, index);
        else {
          const by = byKid.get(record.signed.kid);
          need(by && by.role === ORGANISATION && by.organisation === record.organisation, 'a record of no organisation here');
          await checkSigned(record.signed, by.alg, by.key);
          wanted.add(by.kid);
        }
      }
      for (const { record, failure } of keys) {
        if (failure) continue;
        kind = 'registry-path';
        const now = need(byKid.has(record.kid), byKid.get(record.kid), 'a key without its recent record');
        kind = 'record';
        need(now.unchanging === record.unchanging && now.version >= record.version, 'a recent record of another key');
        need(now.version > record.version || same(now.signed.raw, record.signed.raw), 'two records of one version');
        wanted.add(record.kid);
      }
      kind = 'registry-path';
      need([...byKid.keys()].every((one) => wanted.has(one)), 'a recent record that nothing uses');
      report.fresh = { version: registry.version, time: head.time };
    };
    if (fresh && !shared.failure) await attempt(shared, checkFresh);

    /** Whether a key stands for its organisation; asked once for each pair and policy. */
    const admitted = new Map();
    const checkAdmission = async ({ index }, { record: device }, { record: organisation }) => {
      need(organisation.role === ORGANISATION && organisation.state === ACTIVE, 'no organisation, or not active');
      need(organisation.organisation === device.organisation, 'the key of another organisation');
      await checkAdmitted(organisation, index);
      await checkSigned(device.signed, organisation.alg, organisation.key);
    };
    /** The device's key is active, or retired and the statement counts still. */
    const checkState = async ({ said, later }, { kid, state, last, alg, key }) => {
      need(state === ACTIVE || state === RETIRED, 'the key is suspended or revoked');
      const distance = last ? said.epoch - last.epoch || said.seq - last.seq : 0;
      need(distance <= 0, 'the key was retired before');
      need(!later === !distance, 'later stands exactly with a statement before the last');
      let before = said;
      for (const bytes of later || []) {
        const next = parseStatement(bytes);
        need(next.log === log && next.device === said.device && next.signed.kid === kid, 'later is of another device');
        need(next.prev === hex(before.id), 'later is no chain');
        await checkSigned(next.signed, alg, key);
        before = next;
        await pause();
      }
      need(!last || hex(before.id) === last.id, 'another statement was the last');
    };
    const ids = new Set();
    // Also of a statement that fails: the page finds its events by it.
    for (const row of statements) row.id = sha256(0, row.statement);
    await each(statements, (row) => [headers[row.header], keys[row.device], keys[row.organisation]], async (row) => {
      const outer = headers[row.header];
      const [device, organisation] = [keys[row.device], keys[row.organisation]];
      const { record } = device;
      const { registry } = outer.header;
      const name = hex(row.id);
      kind = 'statement';
      const said = (row.said = parseStatement(row.statement));
      need(!ids.has(name) && ids.add(name), 'a statement stands twice');
      need(said.log === log, 'a statement of another log');
      need(!said.seen || said.seen.size <= outer.index, 'it has seen a later log than it stands in');
      for (const key of [device, organisation]) need(key.registry.name === registry.name, 'a key is shown at another registry');
      need(record.role === CAPTURE && record.kid === said.signed.kid, 'another key signed it');
      need(`${record.organisation}/${record.device}` === said.device, 'it speaks for another device');
      kind = 'organisation';
      const pair = `${row.device} ${row.organisation} ${hex(policyAt(outer.index).hash)}`;
      if (!admitted.has(pair)) admitted.set(pair, await checkAdmission(outer, device, organisation).catch((error) => error));
      if (admitted.get(pair)) throw admitted.get(pair);
      kind = 'record';
      await checkState(row, record);
      kind = 'statement';
      await checkSigned(said.signed, record.alg, record.key);
      kind = 'batch-path';
      checkTree(row.id, row.index, outer.header.statements, row.path, outer.header.root);
      const { seen } = row;
      if (!seen) return;
      kind = 'statement';
      need(said.seen, 'it has seen nothing');
      kind = 'checkpoint';
      const checkpoint = await checkNoteUnder(seen.note, seen.policy);
      need(checkpoint.size === said.seen.size && same(checkpoint.root, said.seen.root), 'it has seen another checkpoint');
      kind = 'log-path';
      checkPrefix(checkpoint, seen.prefix, end);
      row.after = checkpoint.first;
    });

    await each(events, (row) => [statements[row.statement]], (row) => {
      const outer = statements[row.statement];
      const { count, root } = outer.said;
      kind = 'event-path';
      need(row.index < count, 'the statement has not so many events');
      row.leaf = row.leaf || leafOf(row);
      checkTree(row.leaf, row.index, count, row.path, root);
      kind = 'member';
      const shown = row.members && checkMembers(row.members);
      kind = 'refused-event';
      need(!headers[outer.header].refused?.has(outer.index * 256 + row.index), 'refused at capture');
      kind = 'rule';
      if (shown) checkRules(row.source, row.members, shown, keys[outer.device].record);
      row.shown = shown;
    });

    // What is to be said (proof-bundle-v2.md section 5).
    const states = new Map();
    const learn = (record, version, time) => {
      const state = states.get(record.kid) || { record, since: Infinity };
      if (record.version >= state.record.version) state.record = record;
      states.set(record.kid, { ...state, version, time, since: Math.min(state.since, record.since ?? Infinity) });
    };
    for (const { record, registry, failure } of keys) if (!failure) learn(record, registry.version);
    if (report.fresh) for (const { record } of fresh.keys) learn(record, report.fresh.version, report.fresh.time);
    // Late is what was anchored more than two days after its time.
    const marksOf = (shown, anchored, { record, since }) => {
      const time = shown?.get('eventTime');
      const marks = [
        time && anchored - secondsOf(time) > 172800 && 'late',
        anchored * 1e6 >= since && 'compromised',
        STATES[record.state],
      ];
      return marks.filter(Boolean);
    };
    const eventOf = (row) => {
      const { failure, source, shown, leaf, index, members = [] } = row;
      const outer = statements[row.statement];
      const hidden = members.filter(({ hash }) => hash).map(({ name }) => name);
      const hides = !row.members || hidden.some((name) => TELLING.includes(name));
      const event = {
        statement: hex(outer?.id ?? []),
        index,
        leaf: hex(leaf ?? []),
        state: failure ? 'failed' : hides ? 'withheld' : 'verified',
        failure: failure || null,
        source,
        device: outer?.said?.device ?? '',
        organisation: outer?.said?.organisation ?? '',
        anchored: 0,
        after: null,
        marks: [],
        shown: shown || new Map(),
        withheld: hidden,
      };
      if (failure) return event;
      const { anchored } = checkpoints[headers[outer.header].checkpoint].checkpoint;
      const state = states.get(keys[outer.device].kid);
      const { version, time = null } = state;
      return { ...event, anchored, after: outer.after ?? null, marks: marksOf(shown, anchored, state), key: { version, time } };
    };
    const last = lastOf(policies).policy;
    Object.assign(report, { readable: true, events: events.map(eventOf), statements: statements.length });
    if (last) Object.assign(report, { policy: hex(last.hash), origin: last.origin });
    if (end) Object.assign(report, { size: end.size, root: hex(end.root), anchored: end.anchored, witnesses: [...end.times.keys()] });
    // Places of chains at which the bundle holds two statements.
    const places = statements.filter((row) => !row.failure).map(({ said }) => `${said.device} ${said.epoch}/${said.seq}`);
    const once = new Set();
    report.forks = [...new Set(places.filter((place) => once.has(place) || !once.add(place)))];
  }
}
