// Counts the seconds of <span data-clock="left|over|up" data-at="ISO">. The page is right to the minute without it.
// It goes by head office's clock: the browser's may be wrong by years, so only differences of it are used.
"use strict";
(() => {
  const made = document.querySelector("[data-now]");
  const office = made ? Date.parse(made.dataset.now) : Date.now();
  const began = performance.now();
  const now = () => office + (performance.now() - began);
  const two = (number) => String(number).padStart(2, "0");

  function span(words, seconds) {
    if (seconds >= 172800) {
      const days = Math.floor(seconds / 86400);
      return words.days.replace("{days}", days).replace("{hours}", Math.floor((seconds % 86400) / 3600));
    }
    return `${two(Math.floor(seconds / 3600))}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  }

  function tick() {
    for (const clock of document.querySelectorAll("[data-clock]")) {
      const at = Date.parse(clock.dataset.at);
      if (Number.isNaN(at)) continue;
      const apart = Math.floor((now() - at) / 1000);
      const list = clock.closest("[data-left]");
      if (!list) continue;
      let state = clock.dataset.clock;
      if (state === "left" && apart > 0) state = "over";
      const said = list.dataset[state].replace("{time}", span(list.dataset, Math.abs(apart)));
      if (clock.textContent !== said) clock.textContent = said;
      const line = clock.closest("[data-line]");
      if (line) line.classList.toggle("over", state === "over");
    }
  }

  tick();
  setInterval(tick, 1000);
  document.addEventListener("cloche:changed", tick);
})();
