// Members of an event (statement.md 2.1) and the rules that ingest applies too (section 5, rule
// set 1). A scanner of its own: `JSON.parse` takes white space around values, second names and
// lone surrogates.

/** A lone surrogate or a noncharacter. */
const FORBIDDEN = /[\p{Surrogate}\p{Noncharacter_Code_Point}]/u;
const NUMBER = /-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class Values {
  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  /** Takes white space, then this letter if it stands there. */
  next(letter) {
    this.match(SPACE);
    if (this.source[this.at] !== letter) return false;
    this.at++;
    return true;
  }

  value(depth) {
    const letter = this.source[this.at];
    if (letter === '"') return this.string();
    if (letter === '{' || letter === '[') {
      need(depth <= 32, 'nested deeper than 32');
      this.at++;
      return letter === '{' ? this.object(depth) : this.array(depth);
    }
    for (const [word, value] of [['true', true], ['false', false], ['null', null]]) {
      if (this.source.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  string() {
    const start = this.at;
    need(this.source[this.at++] === '"', 'a broken string');
    // No pattern over the whole: a hostile one would go back and forth in it for minutes.
    for (let code; (code = this.source.charCodeAt(this.at)) !== 34; ) {
      if (code === 92) need(this.match(ESCAPE), 'a broken escape');
      else {
        need(code >= 32, 'a broken string');
        this.at++;
      }
    }
    this.at++;
    // This is now exactly what JSON allows; it is only unescaped.
    const value = JSON.parse(this.source.slice(start, this.at));
    need(!FORBIDDEN.test(value), 'a code point that is not allowed');
    return value;
  }

  number() {
    const found = this.match(NUMBER);
    need(found, 'not JSON');
    const value = Number(found[0]);
    need(Number.isFinite(value), 'a number that is not finite');
    need(found[1] !== '' || Math.abs(value) <= MAX, 'an integer beyond 2^53 - 1');
    return value;
  }

  array(depth) {
    const items = [];
    if (this.next(']')) return items;
    do {
      this.match(SPACE);
      items.push(this.value(depth + 1));
    } while (this.next(','));
    need(this.next(']'), 'a broken array');
    return items;
  }

  object(depth) {
    const members = new Map();
    if (this.next('}')) return members;
    do {
      this.match(SPACE);
      const name = this.string();
      need(!members.has(name), 'a name stands twice');
      need(this.next(':'), 'a broken object');
      this.match(SPACE);
      members.set(name, this.value(depth + 1));
    } while (this.next(','));
    need(this.next('}'), 'a broken object');
    return members;
  }
}

/** The value of a member, which stands at depth 2: objects as Maps. */
function parseValue(bytes) {
  const values = new Values(textOf(bytes, 'a value'));
  const value = values.value(2);
  need(values.at === values.source.length, 'bytes left over after a value');
  return value;
}

/** Names and shown values of an event; the values by name. */
function checkMembers(members) {
  const names = new Set(members.map((member) => member.name));
  need(names.size === members.length, 'a name stands twice');
  const shown = new Map();
  let length = 2 + members.length - 1;
  for (const { name, nameBytes, value } of members) {
    need(!/["\\\0-\x1f]/.test(name) && !FORBIDDEN.test(name), 'a name that is not allowed');
    length += nameBytes.length + 3 + (value ? value.length : 0);
    need(length <= 65536, 'the event is too long');
    if (value) shown.set(name, parseValue(value));
  }
  return shown;
}

const TYPES = ['ObjectEvent', 'AggregationEvent', 'TransactionEvent', 'TransformationEvent', 'AssociationEvent'];
const STEP_PREFIX = /^(?:https:\/\/ref\.gs1\.org\/cbv\/BizStep-|urn:epcglobal:cbv:bizstep:)/;
const EVENT_TIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/;

const bareStep = (step) => step.replace(STEP_PREFIX, '');

/** Rule set 1 for what is shown of the members; what is withheld counts as there. */
function checkRules(source, members, shown, record) {
  const has = (name) => members.some((member) => member.name === name);
  const rule = (name, holds, code) => need(!shown.has(name) || holds(shown.get(name)), code);
  need(record.sources.includes(source), 'source-not-allowed');
  for (const name of ['type', 'eventTime', 'eventTimeZoneOffset']) need(has(name), `${name} is missing`);
  rule('type', (type) => TYPES.includes(type), 'event-type');
  rule('eventTime', isTime, 'event-time');
  rule('eventTimeZoneOffset', isOffset, 'time-zone-offset');
  rule('type', (type) => has('action') !== (type === 'TransformationEvent'), 'action');
  rule('action', (action) => ['ADD', 'OBSERVE', 'DELETE'].includes(action), 'action');
  rule('bizStep', (step) => typeof step === 'string' && record.steps.includes(bareStep(step)), 'step-not-allowed');
  rule('readPoint', (at) => at instanceof Map && record.places.includes(at.get('id')), 'place-not-allowed');
}

function isTime(value) {
  const found = typeof value === 'string' && EVENT_TIME.exec(value);
  if (!found) return false;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  const isDate = year >= 1 && day >= 1 && day <= days;
  return isDate && hour <= 23 && minute <= 59 && second <= 59 && (found[7] === 'Z' || isOffset(found[7]));
}

function isOffset(value) {
  const found = typeof value === 'string' && /^[+-]([0-9]{2}):([0-9]{2})$/.exec(value);
  return Boolean(found) && Number(found[2]) <= 59 && Number(found[1]) * 60 + Number(found[2]) <= 840;
}
