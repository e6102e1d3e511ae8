// Members of an event (statement.md 2.1) and the rules that ingest applies too (section 5, rule
// set 1). A scanner of its own: `JSON.parse` takes white space around values, second names and
// lone surrogates.

/** A lone surrogate or a noncharacter. */
const FORBIDDEN = /[\p{Surrogate}\p{Noncharacter_Code_Point}]/u;
const SPACE = /[ \t\n\r]*/y;
const NUMERAL = /-?(?:0|[1-9]\d*)((?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
const WORD = /true|false|null/y;
// No pattern over a whole string: a hostile one would go back and forth in it for minutes.
const LETTERS = /[^"\\\0-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The value of a member, which stands at depth 2: objects as Maps. */
function parseValue(bytes) {
  const source = textOf(bytes);
  let at = 0;
  /** Takes what the pattern finds here. */
  const match = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const has = (letter) => source[at] === letter && ++at;
  /** Takes white space, then this letter if it stands there. */
  const next = (letter) => match(SPACE) && has(letter);
  const string = () => {
    const start = at;
    need(has('"'), 'a broken string');
    while (match(LETTERS));
    need(has('"'), 'a broken string or escape');
    // This is now exactly what JSON allows; it is only unescaped.
    const words = JSON.parse(source.slice(start, at));
    return need(!FORBIDDEN.test(words), words, 'a code point that is not allowed');
  };
  const number = () => {
    const found = match(NUMERAL);
    const value = Number(found && found[0]);
    return need(found && (found[1] ? isFinite(value) : Math.abs(value) <= MAX), value, 'no value, or a number too large');
  };
  /** What stands between the brackets, one by one. */
  const list = (end, item) => {
    if (next(end)) return;
    do {
      match(SPACE);
      item();
    } while (next(','));
    need(next(end), 'a broken array or object');
  };
  const value = (depth) => {
    if (source[at] === '"') return string();
    const isArray = has('[');
    if (isArray || has('{')) {
      need(depth <= 32, 'nested deeper than 32');
      const items = isArray ? [] : new Map();
      if (isArray) list(']', () => items.push(value(depth + 1)));
      else {
        list('}', () => {
          const name = string();
          need(!items.has(name), 'a name stands twice');
          need(next(':'), 'a broken object');
          match(SPACE);
          items.set(name, value(depth + 1));
        });
      }
      return items;
    }
    const word = match(WORD);
    return word ? JSON.parse(word[0]) : number();
  };
  const found = value(2);
  return need(at === source.length, found, 'bytes left over after a value');
}

/** Names and shown values of an event; the values by name. */
function checkMembers(members) {
  const names = new Set(members.map((member) => member.name));
  need(names.size === members.length, 'a name stands twice');
  const shown = new Map();
  let length = 1 + members.length;
  for (const { name, nameBytes, value } of members) {
    need(!/["\\\0-\x1f]/.test(name) && !FORBIDDEN.test(name), 'a name that is not allowed');
    length += nameBytes.length + 3 + (value ? value.length : 0);
    need(length <= 65536, 'the event is too long');
    if (value) shown.set(name, parseValue(value));
  }
  return shown;
}

const TYPES = ['Object', 'Aggregation', 'Transaction', 'Transformation', 'Association'].map((one) => `${one}Event`);
const STEP_PREFIX = /^(?:https:\/\/ref\.gs1\.org\/cbv\/BizStep-|urn:epcglobal:cbv:bizstep:)/;
const EVENT_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

const bareStep = (step) => step.replace(STEP_PREFIX, '');

/** Rule set 1 for what is shown of the members; what is withheld counts as there. */
function checkRules(source, members, shown, { sources, steps, places }) {
  const has = (name) => members.some((member) => member.name === name);
  const rule = (name, holds) => need(!shown.has(name) || holds(shown.get(name)), name);
  need(sources.includes(source), 'source');
  need(['type', 'eventTime', 'eventTimeZoneOffset'].every(has), 'type or time is missing');
  rule('type', (type) => TYPES.includes(type) && has('action') !== (type === TYPES[3]));
  rule('eventTime', (time) => !isNaN(secondsOf(time)));
  rule('eventTimeZoneOffset', (offset) => !isNaN(minutesOf(offset)));
  rule('action', (action) => ['ADD', 'OBSERVE', 'DELETE'].includes(action));
  rule('bizStep', (step) => typeof step === 'string' && steps.includes(bareStep(step)));
  rule('readPoint', (at) => at instanceof Map && places.includes(at.get('id')));
}

/** Whole seconds since 1970 of an event's time; NaN if it is none. */
function secondsOf(time) {
  const found = typeof time === 'string' && EVENT_TIME.exec(time);
  if (!found) return NaN;
  const written = `${found[1]}.000Z`;
  const date = new Date(written);
  // A day that is not in the calendar comes back as another one; year 0 is none.
  const isReal = !isNaN(date) && date.toISOString() === written && written > '0001';
  return isReal ? date / 1000 - (found[2] === 'Z' ? 0 : 60 * minutesOf(found[2])) : NaN;
}

/** Minutes of an offset such as `+08:00`; NaN if it is none. */
function minutesOf(offset) {
  const found = typeof offset === 'string' && /^([+-])(\d\d):(\d\d)$/.exec(offset);
  const minutes = found ? found[2] * 60 + Number(found[3]) : NaN;
  return minutes <= 840 && found[3] < 60 ? Number(`${found[1]}${minutes}`) : NaN;
}
