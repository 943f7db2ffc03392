// The button that copies the address of the page, with what its maps show.

import { addressNow, writeAddress } from "./address.js";

const TOLD = 2500; // milliseconds for which it says what came of it

export default function link({ parentElement }) {
  const button = parentElement.querySelector(".link button");
  const said = parentElement.querySelector(".link [role=status]");
  button.onclick = async () => {
    writeAddress();
    said.textContent = (await copy(addressNow())) ? "Copied" : "Copy it from the address bar";
    clearTimeout(button.timer);
    button.timer = setTimeout(() => (said.textContent = ""), TOLD);
  };
}

/** Whether a text is in the clipboard now: a page that came without encryption has to select it first. */
async function copy(text) {
  try {
    await window.navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    field.style.opacity = 0;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
