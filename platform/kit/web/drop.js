// The verifier page: a bundle that was saved is dropped, pasted or chosen, checked here, and told event
// by event; of any other file the hash is looked for in the log of this origin (`document.js`). The page
// sends nothing but that hash.

const LISTED = 300;
const $ = (id) => document.getElementById(id);

function line(parent, words, kind = 'p', tone = '') {
  const element = document.createElement(kind);
  if (tone) mark(element, tone, words);
  else element.textContent = words;
  parent.append(element);
  return element;
}

/** The entry of a policy file (log.md section 4). */
function parsePolicyFile(bytes) {
  const file = bytes.length <= MOST_SMALL ? JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) : null;
  const entry = file && file.tracebond === 'policy/v1' ? tools.base64(file.entry) : null;
  if (!entry) throw new Error('no policy file');
  tools.parsePolicy(entry);
  return entry;
}

const TONES = { verified: 'ok', incomplete: 'none', withheld: 'none', refused: 'bad', failed: 'bad' };

function eventLine(list, event) {
  const item = line(list, '', 'li');
  item.dataset.state = event.state;
  const { state, failure, shown } = event;
  line(item, say(`page.event.${state}`, failure ? { why: why(failure) } : {}), 'p', TONES[state]);
  for (const name of event.marks) line(item, say(`mark.${name}`), 'p', 'warn');
  const time = shown.get('eventTime');
  const figures = [stepWord(event), typeof time === 'string' ? time : say('page.event.hidden'), placeOf(event)];
  if (!failure) {
    line(item, figures.filter(Boolean).join(' · '));
    const source = say(`source.${SOURCES[event.source]}`) || say('page.event.hidden');
    line(item, say('page.event.signed', { device: event.device, source, when: utcOf(event.anchored) }), 'p').className = 'small';
    if (event.after) line(item, say('page.event.after', { when: utcOf(event.after) })).className = 'small';
  }
  line(item, event.leaf || `${event.statement.slice(0, 12)}:${event.index}`, 'p').className = 'id';
}

function showReport(report, milliseconds) {
  const out = $('result');
  out.replaceChildren();
  out.dataset.verdict = report.verdict;
  out.dataset.class = report.failure ? report.failure.kind : '';
  out.dataset.by = report.by;
  const word = report.readable ? `page.is.${report.verdict}` : 'page.is.unread';
  const isCompromised = !report.failure && marksOf(report.events).includes('compromised');
  if (isCompromised) line(out, say('page.is.compromised'), 'h2', 'warn');
  else line(out, say(word), 'h2', TONES[report.verdict]);
  const { failure } = report;
  if (failure) line(out, say('page.first', { why: why(failure) }));
  if (!report.readable) return;
  const counts = countsOf(report.events);
  line(out, say('page.records', { total: report.events.length, ...counts }));
  if (report.policy) {
    const compared = say(report.compared ? 'page.compared' : 'page.uncompared');
    line(out, say('page.under', { policy: report.policy, compared }));
  }
  if (report.anchored) {
    line(out, say('page.log', { ...report, when: utcOf(report.anchored) }));
    line(out, say('page.witnesses', { names: report.witnesses.join(', ') }));
  }
  for (const name of marksOf(report.events)) {
    line(out, say(`marked.${name}`, { count: report.events.filter((event) => event.marks.includes(name)).length }), 'p', 'warn');
  }
  const keyState = failure ? null : keyStateOf(report);
  if (keyState) line(out, keyState);
  if (report.forks.length) line(out, say('forks', { where: report.forks.slice(0, 8).join(', ') }), 'p', 'bad');
  line(out, say('page.time', { ms: milliseconds.toFixed(0), by: report.by })).className = 'small';
  // What failed stands first, so that no length of list hides it.
  const rank = ({ state }) => ['failed', 'withheld', 'verified'].indexOf(state);
  const rows = report.events.map((event, at) => [event, at]).sort(([a, i], [b, j]) => rank(a) - rank(b) || i - j);
  const list = line(out, '', 'ol');
  for (const [event] of rows.slice(0, LISTED)) eventLine(list, event);
  if (rows.length > LISTED) line(out, say('page.more', { count: rows.length - LISTED }));
}

/** What was chosen, and what was found: kept, so that another language can say it. */
const held = { bundle: null, policy: null, report: null, document: null, milliseconds: 0, wrong: false };
/** Bytes of the longest bundle, and of the longest policy file or document proof. */
const MOST_BYTES = 33554432;
const MOST_SMALL = 131072;

async function bytesOfFile(file) {
  // One byte more than is allowed is enough to be refused.
  return new Uint8Array(await file.slice(0, MOST_BYTES + 1).arrayBuffer());
}

function showHeld() {
  const out = $('result');
  if (held.wrong) {
    out.replaceChildren();
    out.dataset.verdict = 'policy';
    line(out, say('page.policy.bad'), 'p', 'bad');
  } else if (held.document) showDocument(held.document);
  else if (held.report) showReport(held.report, held.milliseconds);
  else line(out, say('page.nothing'), 'p', 'none');
}

/** Checks what is held; what was dropped meanwhile wins. */
async function checkHeld() {
  const { bundle, policy } = held;
  const isHeld = () => held.bundle === bundle && held.policy === policy;
  const out = $('result');
  const tell = (word) => {
    out.replaceChildren();
    line(out, say(word), 'p', 'none');
  };
  out.replaceChildren();
  delete out.dataset.verdict;
  if (!bundle) return showHeld();
  tell('checking');
  held.wrong = false;
  held.document = null;
  let trusted = null;
  try {
    trusted = policy && parsePolicyFile(await bytesOfFile(policy));
  } catch {
    held.wrong = true;
    return showHeld();
  }
  const bytes = await bytesOfFile(bundle);
  const began = performance.now();
  if (!isBundle(bytes)) {
    const document = await checkDocument(bundle, bytes, trusted, () => isHeld() && tell('doc.asking'));
    if (!isHeld()) return undefined;
    held.document = document;
    return showHeld();
  }
  const report = await verify(bytes, { trusted, pause: slices() });
  if (!isHeld()) return undefined;
  held.milliseconds = performance.now() - began;
  held.report = report;
  return showHeld();
}

function hold(name, file) {
  if (!file) return;
  held[name] = file;
  held.report = null;
  held.document = null;
  checkHeld();
}

/** What was pasted: a hash, or the JSON of a proof. */
function holdText() {
  const words = $('text').value.trim();
  if (/^[0-9a-fA-F]{64}$/.test(words)) hold('bundle', { hash: words.toLowerCase(), slice: () => new Blob([]) });
  else if (words) hold('bundle', new Blob([words]));
}

/** Writes every word of the page in its language. */
function speak() {
  for (const element of document.querySelectorAll('[data-say]')) element.textContent = say(element.dataset.say);
  document.title = `${say('page.title')} · Tracebond`;
  $('switch').lang = languageOf() ? 'zh-CN' : 'en';
}

/** The parts of this program, and the hash of the list of their hashes. */
async function showScript() {
  const names = ['verify.js', 'fallback.js', 'page.js'];
  $('script-command').textContent =
    `for f in ${names.join(' ')}; do curl -sO ${location.origin}/assets/$f; done; sha256sum ${names.join(' ')} | sha256sum`;
  try {
    let list = '';
    for (const name of names) {
      const part = new Uint8Array(await (await fetch(`/assets/${name}`)).arrayBuffer());
      list += `${tools.hex(tools.sha256(part))}  ${name}\n`;
    }
    $('script-hash').textContent = tools.hex(tools.sha256(new TextEncoder().encode(list)));
  } catch {
    $('script-hash').textContent = '—';
  }
}

function openPage() {
  const asked = new URLSearchParams(location.search).get('lang') || navigator.language;
  document.documentElement.lang = asked.startsWith('zh') ? 'zh-CN' : 'en';
  speak();
  showHeld();
  $('switch').addEventListener('click', () => {
    document.documentElement.lang = languageOf() ? 'zh-CN' : 'en';
    speak();
    $('result').replaceChildren();
    showHeld();
  });
  $('bundle').addEventListener('change', (event) => hold('bundle', event.target.files[0]));
  $('policy').addEventListener('change', (event) => hold('policy', event.target.files[0]));
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    hold('bundle', event.dataTransfer.files[0]);
  });
  $('form').addEventListener('submit', (event) => {
    event.preventDefault();
    holdText();
  });
  // What verifies signatures here is fetched now, so that a check works when the network is gone.
  tools.fetchFallback().catch(() => null);
  showScript();
}

if (typeof document !== 'undefined' && document.getElementById('verifier')) openPage();
