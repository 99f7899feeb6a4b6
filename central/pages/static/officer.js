// An officer's key in this browser: made here (Ed25519, the private half not extractable), kept in IndexedDB, used to
// sign exactly the text that stands on the page in #exact. What a head office that fell could make of such a page is
// said on it; `cloche-hq officer-key` on a machine of the officer's own does not depend on it.
"use strict";
(() => {
  const CONTEXT = new Uint8Array([...new TextEncoder().encode("cloche.order/1"), 0]);

  function open() {
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open("cloche-officer", 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("keys");
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  }

  async function transact(mode, work) {
    const base = await open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = base.transaction("keys", mode);
        const asked = work(transaction.objectStore("keys"));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      base.close();
    }
  }

  const encode = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  function decode(text) {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  }

  async function words(key) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", decode(key)));
    const digits = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.slice(0, 24).match(/.{4}/g).join(" ");
  }

  function say(form, text) {
    form.querySelector("[data-officer-said]").textContent = text;
  }

  async function showHere() {
    const place = document.querySelector("[data-officer-here]");
    if (!place) return;
    const keys = await transact("readonly", (store) => store.getAllKeys());
    const said = await Promise.all(keys.map(words));
    if (said.length) place.textContent = said.join(" · ");
  }

  async function make(form) {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    const key = encode(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
    await transact("readwrite", (store) => store.put(pair.privateKey, key));
    form.elements.key.value = key;
    form.requestSubmit();
  }

  async function sign(form) {
    const mine = form.dataset.officerSign.split(" ");
    let found = null;
    for (const key of mine) found = found || (await transact("readonly", (store) => store.get(key)));
    if (!found) {
      say(form, form.dataset.none);
      return;
    }
    const text = new TextEncoder().encode(document.getElementById("exact").textContent);
    const message = new Uint8Array(CONTEXT.length + text.length);
    message.set(CONTEXT);
    message.set(text, CONTEXT.length);
    form.elements.signature.value = encode(
      new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, found, message)),
    );
    form.requestSubmit();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-officer-act]");
    if (!button) return;
    const form = button.form;
    button.disabled = true;
    (button.dataset.officerAct === "make" ? make(form) : sign(form))
      .catch(() => say(form, form.dataset.cannot))
      .finally(() => {
        button.disabled = false;
      });
  });
  showHere().catch(() => {});
})();
