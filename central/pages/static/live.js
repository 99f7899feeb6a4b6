// Keeps <main data-live="SECONDS"> current without a reload: asks for the same page again, with the ETag of the last
// answer, and changes only what differs, so that focus, open <details>, what was typed and the place on the page stay.
// It rests while the page is hidden and while somebody clicks or types. Without scripts the page is a plain page.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const period = Math.max(2, Number(main.dataset.live)) * 1000;
  const said = document.getElementById("said");
  const lost = document.getElementById("lost");
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("cloche-live", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  let etag = "";
  let failures = 0;
  let busyUntil = 0;
  let timer = 0;

  const KEPT = { INPUT: ["value", "checked"], OPTION: ["selected"], DETAILS: ["open"], DIALOG: ["open"] };

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");

  function alike(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
  }

  function follow(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    const kept = KEPT[old.nodeName] || [];
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!kept.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (old.nodeName !== "TEXTAREA") followChildren(old, fresh);
  }

  function followChildren(old, fresh) {
    const keyed = new Map();
    for (const child of old.childNodes) {
      const key = keyOf(child);
      if (key) keyed.set(key, child);
    }
    let here = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const key = keyOf(wanted);
      const match = key ? keyed.get(key) : here && !keyOf(here) && alike(here, wanted) ? here : null;
      if (match && alike(match, wanted)) {
        if (match === here) here = here.nextSibling;
        else old.insertBefore(match, here);
        follow(match, wanted);
      } else {
        old.insertBefore(document.importNode(wanted, true), here);
      }
    }
    while (here) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
  }

  function take(text) {
    const page = new DOMParser().parseFromString(policy.createHTML(text), "text/html");
    const fresh = page.querySelector("main[data-live]");
    if (!fresh) return;
    const before = main.dataset.summary;
    const focused = document.activeElement;
    follow(main, fresh);
    if (focused && focused !== document.activeElement && document.contains(focused)) focused.focus({ preventScroll: true });
    if (page.title && document.title !== page.title) document.title = page.title;
    if (said && main.dataset.summary && main.dataset.summary !== before) said.textContent = main.dataset.summary;
    main.dispatchEvent(new CustomEvent("cloche:changed", { bubbles: true }));
  }

  async function ask() {
    timer = 0;
    if (document.hidden) return;
    if (Date.now() < busyUntil) return plan(busyUntil - Date.now() + 100);
    try {
      const headers = { "Cloche-Live": "1" };
      if (etag) headers["If-None-Match"] = etag;
      const answer = await fetch(location.href, { headers, cache: "no-store", credentials: "same-origin" });
      if (answer.redirected) return location.reload(); // the login has ended
      if (answer.status === 200) {
        etag = answer.headers.get("ETag") || "";
        take(await answer.text());
      } else if (answer.status !== 304) throw new Error(String(answer.status));
      failures = 0;
    } catch {
      failures += 1;
    }
    if (lost) lost.hidden = failures < 2;
    plan(period * Math.min(8, 1 + failures) * (0.85 + Math.random() * 0.3));
  }

  function plan(wait) {
    if (!timer) timer = setTimeout(ask, wait);
  }

  const rest = (milliseconds) => () => {
    busyUntil = Math.max(busyUntil, Date.now() + milliseconds);
  };
  document.addEventListener("pointerdown", rest(2000));
  document.addEventListener("keydown", rest(1000));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      clearTimeout(timer);
      timer = 0;
      ask();
    }
  });
  plan(period);
})();
