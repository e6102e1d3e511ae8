'use strict';
// Reads the verdict aloud in the language of the page. The button stays hidden where the browser
// has no voice for that language: a wrong voice would read nonsense.
(() => {
  const button = document.querySelector('[data-say]');
  const speech = window.speechSynthesis;
  if (!button || !speech || !window.SpeechSynthesisUtterance) return;
  const wanted = document.documentElement.lang.toLowerCase();
  const tag = (voice) => voice.lang.toLowerCase().replace('_', '-').replace(/^cmn/, 'zh');
  const fits = (voice) => tag(voice).split('-')[0] === wanted.split('-')[0];
  const voice = () => {
    const voices = speech.getVoices().filter(fits);
    return voices.find((one) => tag(one).startsWith(wanted)) || voices[0];
  };
  const show = () => { button.hidden = !voice(); };
  const rest = () => { button.setAttribute('aria-pressed', 'false'); };
  button.addEventListener('click', () => {
    const speaking = button.getAttribute('aria-pressed') === 'true';
    speech.cancel();
    rest();
    if (speaking) return;
    const words = new SpeechSynthesisUtterance(button.dataset.say);
    words.voice = voice() || null;
    words.lang = document.documentElement.lang;
    words.onend = rest;
    words.onerror = rest;
    button.setAttribute('aria-pressed', 'true');
    speech.speak(words);
  });
  window.addEventListener('pagehide', () => speech.cancel());
  if (speech.addEventListener) speech.addEventListener('voiceschanged', show);
  show();
})();
