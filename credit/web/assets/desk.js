'use strict';
// The queue by keyboard, and a table that says so while another one is fetched. Everything works
// without this script too.
(() => {
  const links = () => [...document.querySelectorAll('a.row')];
  const typing = (element) => /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);

  function move(step) {
    const all = links();
    const here = all.indexOf(document.activeElement);
    const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
    if (next) next.focus();
    return Boolean(next);
  }

  document.addEventListener('keydown', (event) => {
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const inRows = document.activeElement.matches('a.row');
    const arrow = event.key.startsWith('Arrow');
    if (!plain || !(event.key in steps) || typing(event.target) || (arrow && !inRows)) return;
    if (move(steps[event.key])) event.preventDefault();
  });

  // Shown as loading only when it takes longer than a blink.
  function loading() {
    const status = document.querySelector('.loading');
    setTimeout(() => {
      document.body.classList.add('is-loading');
      if (status) status.hidden = false;
    }, 120);
  }
  document.querySelectorAll('.tabs a, .queue thead a').forEach((link) => link.addEventListener('click', loading));
  document.querySelectorAll('.search').forEach((form) => form.addEventListener('submit', loading));
  window.addEventListener('pageshow', () => {
    document.body.classList.remove('is-loading');
    const status = document.querySelector('.loading');
    if (status) status.hidden = true;
  });

  // One press of a button is one post.
  document.querySelectorAll('form[method=post]:not([data-download])').forEach((form) => {
    form.addEventListener('submit', () => setTimeout(() => {
      form.querySelectorAll('button').forEach((button) => { button.disabled = true; });
    }, 0));
  });
})();
