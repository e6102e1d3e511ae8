'use strict';
// The desk by keyboard: what each key does stands on the page itself, in `.keys`, which `?` opens.
(() => {
  const typing = (element) => /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
  const at = (selector) => document.querySelector(selector);

  function focus(selector) {
    const element = at(selector);
    if (!element) return false;
    element.scrollIntoView({ block: 'center' });
    element.focus({ preventScroll: true });
    return true;
  }

  function help() {
    const keys = at('details.keys');
    if (!keys) return false;
    keys.open = !keys.open;
    if (keys.open) {
      keys.scrollIntoView({ block: 'center' });
      keys.querySelector('summary').focus({ preventScroll: true });
    }
    return true;
  }

  function go(selector) {
    const link = at(selector);
    if (link) link.click();
    return Boolean(link);
  }

  const plain = {
    '?': help,
    '/': () => focus('#q'),
    a: () => focus('button.accept'),
    r: () => focus('#reason'),
    n: () => focus('#note-text'),
    t: () => focus('#task-what'),
    u: () => go('.crumb a'),
    i: () => go('[data-key="i"]'),
  };

  // In the list of reasons a digit chooses, Enter refuses by the button beside it.
  function inReasons(event) {
    const list = event.target;
    if (/^[1-9]$/.test(event.key)) {
      const option = list.options[Number(event.key)];
      if (!option) return false;
      list.value = option.value;
      list.dispatchEvent(new Event('change', { bubbles: true }));
      return true;
    }
    if (event.key === 'Enter' && list.value !== '') {
      list.form.requestSubmit(list.form.querySelector('button.refuse'));
      return true;
    }
    return false;
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === 'Escape' && typing(event.target)) { event.target.blur(); return; }
    if (event.target.id === 'reason' && inReasons(event)) { event.preventDefault(); return; }
    if (typing(event.target) || !Object.hasOwn(plain, event.key)) return;
    if (plain[event.key]()) event.preventDefault();
  });
})();
