// The button that copies the address of the page, with what its maps show.

import { addressNow, writeAddress } from "./address.js";
import { copy } from "./clipboard.js";

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
