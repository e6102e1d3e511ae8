// Documents: that the log holds the hash of a file (document-proof.md). A file that is no proof is
// hashed here and its hash looked for in the log of this page's origin; the file itself is not sent.

const PROOF_MEMBERS = ['tracebond', 'entry', 'index', 'path', 'checkpoint', 'policy'];

const NAME = 'document-proof/v1';

/**
 * The document proof that these bytes are; null for any other file. One with a member that stands
 * twice is an empty one: no check of it holds. (No value of a proof holds a quote.)
 */
function proofOf(bytes) {
  const words = new TextDecoder().decode(bytes.subarray(0, MOST_SMALL + 1));
  if (bytes.length > MOST_SMALL || !words.includes(NAME)) return null;
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (!value || value.tracebond !== NAME) return null;
    return PROOF_MEMBERS.every((name) => words.split(`"${name}"`).length === 2) ? value : {};
  } catch {
    return null;
  }
}

/** Whether a file calls itself a bundle. A bundle has no white space outside strings: one spelling. */
const isBundle = (bytes) => new TextDecoder().decode(bytes).includes('"tracebond":"bundle/');

/** Checks a proof: what it proves, or `{ failure }`. `wanted` is the hash in hex that it must be of, or null. */
async function verifyDocument(proof, trusted, wanted) {
  let kind = 'format';
  const need = (holds) => {
    if (!holds) throw new Error(kind);
  };
  const bytesOf = (words) => {
    const bytes = typeof words === 'string' ? tools.base64(words) : null;
    need(bytes);
    return bytes;
  };
  try {
    need(PROOF_MEMBERS.every((name) => name in proof) && Object.keys(proof).length === PROOF_MEMBERS.length);
    need(Number.isSafeInteger(proof.index) && proof.index >= 0 && Array.isArray(proof.path) && proof.path.length <= 64);
    const path = proof.path.map(bytesOf);
    need(path.every((hash) => hash.length === 32));
    const [entry, note, policyEntry] = [proof.entry, proof.checkpoint, proof.policy].map(bytesOf);
    const item = tools.decodeCbor(entry.subarray(1));
    const isDocument = entry[0] === 3;
    need((isDocument || entry[0] === 4) && item instanceof Map && item.size === 3);
    const [name, hash, time] = isDocument ? [item.get(0), item.get(1), item.get(2)] : [say('doc.tombstones'), item.get(0), item.get(2)];
    need(typeof name === 'string' && name !== '' && new TextEncoder().encode(name).length <= 64);
    need(hash instanceof Uint8Array && hash.length === 32 && Number.isSafeInteger(time) && time >= 0);
    need(isDocument || (Number.isSafeInteger(item.get(1)) && item.get(1) >= 0));
    kind = 'policy';
    const policy = tools.parsePolicy(policyEntry);
    need(!trusted || tools.hex(trusted) === tools.hex(policyEntry));
    kind = 'checkpoint';
    const checkpoint = await tools.checkNoteOfLog(note, policy);
    kind = 'log-path';
    tools.checkLog(entry, proof.index, path, checkpoint);
    kind = 'member';
    const said = tools.hex(hash);
    const found = { kind: name, hash: said, time: time / 1e6, index: proof.index, policy, checkpoint, compared: trusted !== null };
    return wanted && said !== wanted ? { ...found, other: true } : found;
  } catch (error) {
    if (error instanceof TypeError) console.error(error);
    return { failure: { kind } };
  }
}

/** SHA-256 of a file in hex; of a large one by the browser, in one piece. */
async function hashOfFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (globalThis.crypto && crypto.subtle) {
    return tools.hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  }
  return tools.hex(tools.sha256(bytes));
}

/** What is to be said of a file that is no bundle, or of a hash that was pasted; calls `asks` before it asks the log. */
async function checkDocument(file, bytes, trusted, asks) {
  const own = proofOf(bytes);
  if (own) return verifyDocument(own, trusted, null);
  const hash = file.hash || (await hashOfFile(file));
  asks();
  try {
    const answer = await fetch(`/v1/documents/${hash}`, { credentials: 'omit' });
    const kind = answer.headers.get('content-type') || '';
    if (answer.status === 404 && kind.includes('problem')) return { hash, none: true };
    if (!answer.ok) return { hash, elsewhere: true };
    const proof = proofOf(new Uint8Array(await answer.arrayBuffer()));
    return proof ? { ...(await verifyDocument(proof, trusted, hash)), asked: hash } : { hash, elsewhere: true };
  } catch {
    return { hash, elsewhere: true };
  }
}

function showDocument(found) {
  const out = $('result');
  out.replaceChildren();
  const { failure, hash, none, elsewhere, other, kind, index, time, policy, checkpoint } = found;
  const [state, tone, word] = failure || other
    ? ['refused', 'bad', 'doc.broken']
    : none || elsewhere
      ? ['none', 'none', none ? 'doc.none' : 'doc.unasked']
      : ['verified', 'ok', 'doc.holds'];
  out.dataset.verdict = state;
  out.dataset.class = failure ? failure.kind : other ? 'member' : '';
  line(out, say(word), 'h2', tone);
  if (hash) line(out, `SHA-256 ${hash}`).className = 'id';
  if (failure) line(out, say('page.first', { why: why(failure) }));
  if (other) line(out, say('doc.other', { hash }));
  if (elsewhere) line(out, say('doc.elsewhere', { hash }));
  if (failure || other || none || elsewhere) return;
  line(out, say('doc.entry', { kind, index, origin: policy.origin, when: utcOf(time) }));
  line(out, say('doc.anchored', { size: checkpoint.size, when: utcOf(checkpoint.anchored) }));
  const list = line(out, '', 'ol');
  for (const [name, seconds] of checkpoint.times) line(list, say('doc.witness', { name, when: utcOf(seconds) }), 'li');
  const compared = say(found.compared ? 'page.compared' : 'page.uncompared');
  line(out, say('page.under', { policy: tools.hex(policy.hash), compared }));
  line(out, say('doc.limits')).className = 'small';
}
