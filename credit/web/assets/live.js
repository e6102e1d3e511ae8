'use strict';
// A page that is kept up to date: the server says that something has happened, and the page fetches
// itself again. The queue is exchanged in place; on an offer, where somebody may be writing, a line
// says that it has changed. Everything works without this script, by loading the page again.
(() => {
  const live = document.querySelector('[data-live]');
  if (!live || !window.EventSource) return;
  const status = document.getElementById('live-status');
  // A page that nobody uses must not keep its session alive.
  const IDLE_MS = 25 * 60 * 1000;
  let used = Date.now();
  let busy = false;
  let again = false;
  ['keydown', 'pointerdown', 'scroll'].forEach((kind) =>
    window.addEventListener(kind, () => { used = Date.now(); }, { passive: true }));

  let source = null;
  function say(what) {
    if (status) { status.dataset.state = what; status.textContent = status.dataset[what] || ''; }
  }
  function close() { if (source) source.close(); source = null; }
  function stop() { close(); say('off'); }
  function open() {
    const own = new EventSource(live.dataset.live);
    source = own;
    own.addEventListener('open', () => say('on'));
    own.addEventListener('error', () => say(own.readyState === EventSource.CLOSED ? 'off' : 'away'));
    own.addEventListener('end', stop);
    own.addEventListener('changed', update);
  }
  open();
  window.addEventListener('pagehide', close);
  // A browser has six lines for one service: a page that nobody sees holds none.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { close(); return; }
    if (status && status.dataset.state === 'off') return;
    used = Date.now();
    if (!source) { open(); update(); }
  });

  async function update() {
    if (Date.now() - used > IDLE_MS) { stop(); return; }
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'error' });
      if (!answer.ok) throw new Error(String(answer.status));
      exchange(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    } catch { stop(); }
    busy = false;
    if (again) { again = false; update(); }
  }

  function exchange(page) {
    const part = page.querySelector('[data-live]');
    if (!part) { stop(); return; }
    live.dataset.live = part.dataset.live;
    const changed = document.getElementById('changed');
    if (changed) {
      if (part.dataset.version !== live.dataset.version) changed.hidden = false;
      return;
    }
    if (part.innerHTML === live.innerHTML) return;
    const focused = document.activeElement;
    const within = live.contains(focused);
    const typed = within && focused.matches('input') ? focused : null;
    if (typed && typed.value !== typed.defaultValue) return;
    const href = within && focused.getAttribute('href');
    const id = within && focused.id;
    const scrolled = live.querySelector('.scroll') ? live.querySelector('.scroll').scrollLeft : 0;
    live.replaceChildren(...part.childNodes);
    if (live.querySelector('.scroll')) live.querySelector('.scroll').scrollLeft = scrolled;
    const same = id ? document.getElementById(id)
      : href && [...live.querySelectorAll('a')].find((link) => link.getAttribute('href') === href);
    if (same) same.focus({ preventScroll: true });
    const said = document.getElementById('live-said');
    if (said) { said.textContent = ''; said.textContent = said.dataset.words; }
  }
})();
