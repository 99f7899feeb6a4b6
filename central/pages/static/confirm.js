// A form with data-confirm asks in a dialog before it is sent and then ticks its own box "confirmed"; without scripts
// the box is there to be ticked by hand. A button with data-dialog opens the dialog of that id.
"use strict";
(() => {
  document.documentElement.classList.add("scripts");

  function build(form) {
    const dialog = document.createElement("dialog");
    dialog.className = "confirm-dialog";
    const text = document.createElement("p");
    text.id = "confirm-text";
    text.textContent = form.dataset.confirm;
    dialog.setAttribute("aria-labelledby", text.id);
    const buttons = document.createElement("form");
    buttons.method = "dialog";
    buttons.className = "actions";
    for (const [value, words, look] of [
      ["no", document.body.dataset.no, "quiet"],
      ["yes", form.dataset.confirmYes || document.body.dataset.yes, form.dataset.confirmLook || ""],
    ]) {
      const button = document.createElement("button");
      button.value = value;
      button.textContent = words;
      button.className = look;
      buttons.append(button);
    }
    dialog.append(text, buttons);
    document.body.append(dialog);
    return dialog;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const box = form.querySelector && form.querySelector("input[name=confirmed]");
    if (!form.dataset || !form.dataset.confirm || !box || box.checked) return;
    event.preventDefault();
    const submitter = event.submitter;
    const dialog = build(form);
    dialog.addEventListener("close", () => {
      const yes = dialog.returnValue === "yes";
      dialog.remove();
      if (yes) {
        box.checked = true;
        form.requestSubmit(submitter);
      } else if (submitter) submitter.focus();
    });
    dialog.showModal();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest && event.target.closest("[data-dialog]");
    if (!opener) return;
    const dialog = document.getElementById(opener.dataset.dialog);
    if (dialog instanceof HTMLDialogElement) {
      event.preventDefault();
      dialog.showModal();
    }
  });
})();
