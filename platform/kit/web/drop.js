// The verifier page: a bundle that was saved is dropped or chosen, checked here, and told event by
// event. The page asks the network for nothing but its own files.

const LISTED = 300;
const $ = (id) => document.getElementById(id);

function line(parent, words, kind = 'p', tone = '') {
  const element = document.createElement(kind);
  if (tone) mark(element, tone, words);
  else element.textContent = words;
  parent.append(element);
  return element;
}

/** 2026-11-22 00:00:15, of seconds since 1970; what no date can hold is left out. */
function utcOf(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '—' : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** The entry of a policy file (log.md section 4). */
function parsePolicyFile(bytes) {
  need(bytes.length <= 131072, 'too long');
  let file;
  try {
    file = JSON.parse(textOf(bytes));
  } catch {
    throw new Bad('no JSON');
  }
  need(file && file.tracebond === 'policy/v1' && typeof file.entry === 'string', 'not policy/v1');
  const entry = base64(file.entry);
  need(entry !== null, 'no base64');
  parsePolicy(entry);
  return entry;
}

const TONES = { verified: 'ok', incomplete: 'none', withheld: 'none', refused: 'bad', failed: 'bad' };

function eventLine(list, event) {
  const item = line(list, '', 'li');
  item.dataset.state = event.state;
  const { state, failure, shown } = event;
  const detail = failure ? { why: why(failure), detail: failure.detail } : {};
  line(item, say(`page.event.${state}`, detail), 'p', TONES[state]);
  const time = shown.get('eventTime');
  const figures = [stepWord(event), typeof time === 'string' ? time : say('page.event.hidden'), placeOf(event)];
  if (!failure) {
    line(item, figures.filter(Boolean).join(' · '));
    const source = say(`source.${SOURCES[event.source]}`) || say('page.event.hidden');
    line(item, say('page.event.signed', { device: event.device, source, when: utcOf(event.anchored) }), 'p').className = 'small';
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
  line(out, say(word), 'h2', TONES[report.verdict]);
  const { failure } = report;
  if (failure) line(out, say('page.first', { why: why(failure), detail: failure.detail }));
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
const held = { bundle: null, policy: null, report: null, milliseconds: 0, wrong: null };

async function bytesOfFile(file) {
  // One byte more than is allowed is enough to be refused.
  return new Uint8Array(await file.slice(0, MOST_BYTES + 1).arrayBuffer());
}

function showHeld() {
  const out = $('result');
  if (held.wrong) {
    out.replaceChildren();
    out.dataset.verdict = 'policy';
    line(out, say('page.policy.bad', { why: held.wrong }), 'p', 'bad');
  } else if (held.report) showReport(held.report, held.milliseconds);
  else line(out, say('page.nothing'), 'p', 'none');
}

/** Checks what is held; what was dropped meanwhile wins. */
async function checkHeld() {
  const { bundle, policy } = held;
  const out = $('result');
  out.replaceChildren();
  delete out.dataset.verdict;
  if (!bundle) return showHeld();
  line(out, say('checking'), 'p', 'none');
  held.wrong = null;
  let trusted = null;
  try {
    trusted = policy && parsePolicyFile(await bytesOfFile(policy));
  } catch (error) {
    held.wrong = error.message;
    return showHeld();
  }
  const began = performance.now();
  const report = await verifyBundle(await bytesOfFile(bundle), { trusted, pause: slices() });
  if (held.bundle !== bundle || held.policy !== policy) return undefined;
  held.milliseconds = performance.now() - began;
  held.report = report;
  return showHeld();
}

function hold(name, file) {
  if (!file) return;
  held[name] = file;
  held.report = null;
  checkHeld();
}

/** Writes every word of the page in its language. */
function speak() {
  for (const element of document.querySelectorAll('[data-say]')) element.textContent = say(element.dataset.say);
  document.title = `${say('page.title')} · Tracebond`;
  $('switch').lang = languageOf() ? 'zh-CN' : 'en';
}

async function showScript(address) {
  $('script-command').textContent = `curl -s '${address}' | sha256sum`;
  try {
    const script = new Uint8Array(await (await fetch(address)).arrayBuffer());
    $('script-hash').textContent = hex(sha256(script));
  } catch {
    $('script-hash').textContent = '—';
  }
}

function openPage() {
  const address = document.currentScript.src;
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
  showScript(address);
}

if (typeof document !== 'undefined' && document.getElementById('verifier')) openPage();
