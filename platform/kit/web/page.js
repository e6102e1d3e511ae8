// Any page of ours with a bundle behind it: fetches the bundle, checks it on this device, and says
// beside each card and in the verdict what it found. `kit::verifier` lists the marks that it reads.
// A page that its operator made could show a good bundle beside false words, so what a card shows
// is compared with what was signed.

const { verify, tools } = Tracebond;
const SLICE = 12;
const lastOf = (rows) => rows[rows.length - 1];

/** Gives way to the page when a slice of time is used up. */
function slices() {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < SLICE) return;
    await new Promise((go) => setTimeout(go));
    began = performance.now();
  };
}

/** Sets an icon and words on an element. */
function mark(element, tone, words) {
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  icon.setAttribute('class', 'i');
  icon.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#${tone}`);
  icon.append(use);
  element.classList.remove('ok', 'bad', 'warn', 'none');
  element.classList.add(tone);
  element.replaceChildren(icon, words);
}

function markCard(card, tone, words) {
  let place = card.querySelector('[data-verify-mark]');
  if (!place) {
    place = document.createElement('p');
    place.className = 'small';
    place.dataset.verifyMark = '';
    card.append(place);
  }
  card.dataset.verified = tone;
  mark(place, tone, words);
}

// --- Which events a card shows ----------------------------------------------------------------

/** `ID:0-3,7 ID:0` as [ID, place] pairs. */
function placesOf(list) {
  return list.split(' ').filter(Boolean).flatMap((one) => {
    const [id, ranges] = one.split(':');
    return ranges.split(',').flatMap((range) => {
      const [from, to = from] = range.split('-').map(Number);
      return Array.from({ length: Math.min(to - from + 1, 256) }, (_, i) => [id, from + i]);
    });
  });
}

/** Finds events by the beginning of their statement's id and their place in it. */
function finder(events) {
  const places = new Map();
  const taken = new Set();
  for (const event of events) {
    const name = `${event.statement.slice(0, 12)}:${event.index}`;
    // Two statements that begin alike: neither is found, rather than the wrong one.
    places.set(name, places.has(name) ? null : event);
  }
  const find = ([id, place]) => {
    const event = places.get(`${id.slice(0, 12)}:${place}`) || null;
    if (event) taken.add(event);
    return event;
  };
  return { find, taken };
}

/** All events of each card; null stands for one that is not there. */
function eventsOf(cards, events) {
  const { find, taken } = finder(events);
  const found = cards.map((card) => placesOf(card.dataset.events).map(find));
  // A long run is not listed whole: the rest is what its device said and no card lists, in order.
  cards.forEach((card, at) => {
    const more = Number(card.dataset.more || 0);
    const first = found[at].find(Boolean);
    if (!more || !first) return;
    const rest = events.filter((event) => !taken.has(event) && event.device === first.device).slice(0, more);
    rest.forEach((event) => taken.add(event));
    found[at].push(...rest, ...new Array(more - rest.length).fill(null));
  });
  return { found, stray: events.find((event) => event.failure && !taken.has(event)) };
}

// --- What a card shows, and what was signed ---------------------------------------------------

const KINDS = {
  ObjectEvent: 'object',
  AggregationEvent: 'aggregation',
  TransactionEvent: 'transaction',
  TransformationEvent: 'transformation',
  AssociationEvent: 'association',
};
const SOURCES = ['declared', 'file', 'scan', 'sensor'];
const STEP_PREFIX = /^(?:https:\/\/ref\.gs1\.org\/cbv\/BizStep-|urn:epcglobal:cbv:bizstep:|cbv:BizStep-)/;

// What is withheld is undefined: nothing can be compared with it.

function stepWord({ shown, source, withheld }) {
  if (withheld.includes('bizStep') || !shown.has('type')) return undefined;
  const measured = source === 3 && shown.has('sensorElementList') && shown.get('type') === 'ObjectEvent';
  const step = shown.get('bizStep');
  const bare = typeof step === 'string' ? step.replace(STEP_PREFIX, '') : null;
  const key = bare || (measured ? 'sensor_reporting' : KINDS[shown.get('type')]);
  return say(`word.${key}`) || key;
}

/** A place by its global location number, however it is spelled. */
function placeName(id) {
  const link = /\/414\/([0-9]{13})(?:\/254\/([^/?#]+))?/.exec(id);
  if (link) return link[2] && link[2] !== '0' ? `${link[1]}/${link[2]}` : link[1];
  const urn = /^urn:epc:id:sgln:([0-9]+)\.([0-9]*)\.(.+)$/.exec(id);
  if (!urn) return id;
  const digits = (urn[1] + urn[2]).padStart(12, '0');
  const sum = [...digits].reduce((all, digit, at) => all + Number(digit) * (at % 2 ? 3 : 1), 0);
  const number = digits + ((10 - (sum % 10)) % 10);
  return urn[3] === '0' ? number : `${number}/${urn[3]}`;
}

function placeOf({ shown, withheld }) {
  if (withheld.includes('readPoint') || !shown.size) return undefined;
  const at = ['readPoint', 'bizLocation'].map((name) => shown.get(name)).find((one) => one instanceof Map);
  return at && typeof at.get('id') === 'string' ? placeName(at.get('id')) : null;
}

/** The instant in milliseconds and the offset in minutes, or null where the time is withheld. */
function timeOf({ shown }) {
  const [time, offset] = [shown.get('eventTime'), shown.get('eventTimeZoneOffset')];
  if (!time || !offset) return null;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return { at: Date.parse(time), minutes: offset[0] === '-' ? -minutes : minutes, offset };
}

/** Day, clock and offset as a page writes them. */
function localOf({ at, minutes, offset }) {
  const iso = new Date(at + minutes * 60000).toISOString();
  return [iso.slice(0, 10), iso.slice(11, 16), offset === '-00:00' ? '+00:00' : offset];
}

/** The figures of a step's time: of one moment, or of the first and the last. */
function figuresOf(times) {
  const sorted = [...times].sort((a, b) => a.at - b.at);
  const [first, last] = [localOf(sorted[0]), localOf(lastOf(sorted))];
  if (sorted[0].at === lastOf(sorted).at) return first;
  return first[0] === last[0] ? [first[0], first[1], last[1], last[2]] : [...first, ...last];
}

const FIGURES = /[0-9]{4}-[0-9]{2}-[0-9]{2}|[+-][0-9]{2}:[0-9]{2}|[0-9]{2}:[0-9]{2}/g;
const trimmed = (element) => element.textContent.replace(/\s+/g, ' ').trim();

/** What the card shows that none of its events says: names of `data-show`. */
function differences(card, events) {
  const at = (name) => card.querySelector(`[data-show="${name}"]`);
  const wrong = [];
  const compareWith = (name, signed, shown) => {
    const element = at(name);
    if (element && signed.every((one) => one !== undefined) && !signed.includes(shown(element))) wrong.push(name);
  };
  compareWith('step', events.map(stepWord), trimmed);
  const source = (event) => (event.source === undefined ? undefined : say(`source.${SOURCES[event.source]}`));
  compareWith('source', events.map(source), trimmed);
  compareWith('place', events.map(placeOf), (shown) => placeName(shown.dataset.key));
  compareWith('organisation', events.map(({ organisation }) => organisation), (shown) => shown.dataset.key);
  const times = events.map(timeOf);
  const figures = times.every(Boolean) ? figuresOf(times).join(' ') : undefined;
  compareWith('time', [figures], (shown) => (shown.textContent.match(FIGURES) || []).join(' '));
  return wrong;
}

// --- What is said -----------------------------------------------------------------------------

/** Checks one card and says so; how many of what it shows is not what was signed. */
function judgeCard(card, events, stray) {
  const failed = events.find((event) => event && event.failure);
  const missing = events.includes(null);
  // A statement that was altered is found under no name: what fails and no card names is of it.
  if (failed || (missing && stray)) {
    markCard(card, 'bad', say('failed', { why: why((failed || stray).failure) }));
    return 0;
  }
  if (missing || !events.length) {
    markCard(card, 'none', say('unchecked.why', { why: say(card.dataset.more ? 'why.more' : 'why.missing') }));
    return 0;
  }
  const wrong = differences(card, events);
  if (wrong.length) {
    markCard(card, 'bad', wrong.map((name) => say('other', { what: say(`what.${name}`) })).join(' '));
    return wrong.length;
  }
  const hides = events.some(({ state }) => state === 'withheld');
  const marks = marksOf(events);
  const tone = hides ? 'none' : marks.length ? 'warn' : 'ok';
  const after = Math.min(...events.map((event) => event.after ?? Infinity));
  const words = [say(hides ? 'withheld' : 'verified'), ...marks.map((name) => say(`mark.${name}`))];
  if (Number.isFinite(after)) words.push(say('page.event.after', { when: utcOf(after) }));
  markCard(card, tone, words.join(' '));
  return 0;
}

const MARKS = ['late', 'compromised', 'revoked', 'suspended', 'retired'];

/** The marks that any of the events bears, in their order. */
const marksOf = (events) => MARKS.filter((name) => events.some((event) => event.marks.includes(name)));

/** 2026-11-22 00:00:15, of seconds since 1970; what no date can hold is left out. */
function utcOf(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '—' : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** As of which registry, and when, the state of the keys is known; null for none. */
function keyStateOf({ fresh, events }) {
  const newest = events.reduce((most, { key }) => Math.max(most, key ? key.version : 0), 0);
  if (fresh) return say('key.fresh', { version: fresh.version, when: utcOf(fresh.time / 1e6) });
  return newest ? say('key.header', { version: newest }) : null;
}

/** Remembers the policy of a log in this browser; what is to be said of it. */
function remember(origin, policy) {
  const name = `tracebond.policy ${origin}`;
  try {
    const [known, when] = (localStorage.getItem(name) || ' ').split(' ');
    localStorage.setItem(name, `${policy} ${new Date().toISOString().slice(0, 10)}`);
    if (!known) return '';
    return known === policy ? say('policy.same') : say('policy.changed', { when });
  } catch {
    // Storage is closed here: nothing is remembered, and nothing is said of it.
    return '';
  }
}

/** Counts by state. */
function countsOf(events) {
  const counts = { verified: 0, withheld: 0, failed: 0 };
  for (const { state } of events) counts[state]++;
  return counts;
}

function sentences(report, missing, others) {
  const { events } = report;
  const { failed, withheld } = countsOf(events);
  const said = [];
  if (!report.readable) said.push(say('failed', { why: why(report.failure) }));
  else if (failed) said.push(say('some', { count: events.length, total: events.length, failed }));
  else if (report.failure) said.push(say('failed', { why: why(report.failure) }));
  else said.push(say('all', { total: events.length }));
  if (withheld) said.push(say('hidden', { count: withheld }));
  if (missing && !failed) said.push(say('rest', { count: missing }));
  if (others) said.push(say('others', { count: others }));
  for (const name of marksOf(events)) {
    said.push(say(`marked.${name}`, { count: events.filter((event) => event.marks.includes(name)).length }));
  }
  if (report.forks.length) said.push(say('forks', { where: report.forks.join(', ') }));
  return said;
}

/** The operator's word does not stand above a check of the reader's own that failed or doubts. */
function doubt(section, why) {
  const word = section.querySelector('.word');
  if (!section.classList.contains('ok') || !word) return;
  section.classList.replace('ok', 'warn');
  const icon = word.querySelector('svg');
  if (icon) icon.querySelector('use').setAttribute('href', '#warn');
  word.replaceChildren(...(icon ? [icon] : []), say('doubtful'));
  const reason = section.querySelector('.reason');
  if (reason) reason.textContent = say(why);
  const aloud = section.querySelector('[data-say]');
  if (aloud) aloud.dataset.say = `${say('doubtful')}. ${say(why)}`;
}

/** Writes it where the page has a place for it; else gives it back, to be said with the rest. */
function showKeyState(words) {
  const place = document.querySelector('[data-verify-keys]');
  if (!place || !words) return [words];
  place.textContent = words;
  place.hidden = false;
  return [];
}

function judge(section, cards, report) {
  const { found, stray } = eventsOf(cards, report.events);
  let others = 0;
  cards.forEach((card, at) => (others += judgeCard(card, found[at], report.readable ? stray : report)));
  const missing = found.flat().filter((event) => event === null).length;
  const said = sentences(report, missing, others);
  const otherPolicy = report.policy && section.dataset.policy && report.policy !== section.dataset.policy;
  if (otherPolicy) said.push(say('policy.other'));
  else if (report.policy && !report.failure) said.push(remember(report.origin, report.policy));
  if (report.readable && !report.failure) said.push(...showKeyState(keyStateOf(report)));
  const isBad = report.failure !== null || others > 0 || report.forks.length > 0 || Boolean(otherPolicy);
  const isWhole = report.events.length > 0 && report.verdict === 'verified' && missing === 0;
  const isCompromised = marksOf(report.events).includes('compromised');
  const tone = isBad ? 'bad' : isCompromised ? 'warn' : isWhole ? 'ok' : 'none';
  if (isBad) doubt(section, 'disagrees');
  else if (isCompromised) doubt(section, 'compromised');
  return [tone, said.filter(Boolean).join(' ')];
}

/** Fetches and checks; `section` is the mark `data-verify`. */
async function checkPage(section) {
  const line = section.querySelector('[data-verify-words]') || section;
  const cards = [...document.querySelectorAll('[data-events]')];
  const end = (state, tone, words) => {
    section.dataset.verified = state;
    mark(line, tone, words);
  };
  const unchecked = (reason) => {
    cards.forEach((card) => markCard(card, 'none', say('unchecked')));
    end('unchecked', 'none', say('unchecked.why', { why: say(reason) }));
  };
  line.textContent = say('checking');
  let bytes;
  try {
    const answer = await fetch(section.dataset.verify, { credentials: 'same-origin' });
    if (!answer.ok) return unchecked('why.network');
    bytes = new Uint8Array(await answer.arrayBuffer());
  } catch {
    return unchecked('why.network');
  }
  try {
    const began = performance.now();
    const report = await verify(bytes, { pause: slices() });
    section.dataset.verifyMilliseconds = String(performance.now() - began);
    section.dataset.verifyBy = report.by;
    const [tone, words] = judge(section, cards, report);
    end(tone, tone, words);
  } catch (error) {
    console.error(error);
    unchecked('why.broken');
  }
}

if (typeof document !== 'undefined') {
  for (const section of document.querySelectorAll('[data-verify]')) {
    checkPage(section);
    // What could not be fetched is fetched when there is a network again.
    addEventListener('online', () => section.dataset.verified === 'unchecked' && checkPage(section));
  }
}
