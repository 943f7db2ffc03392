// What the maps of a page show, in its address: each under the name that its frame gives, nothing where the map follows
// its points. The page need not be asked, and nothing is drawn anew.

import { maps } from "./store.js";

const DIGITS = 5;

/** Middle of the part that is shown, and what its shorter side spans: `x,y,span`; "" where the map follows its points. */
function partOf({ view }) {
  const { x, y, scale, width, height } = view.window();
  if (!view.asked && (!view.chosen || view.held)) return "";
  const part = view.asked ?? [x, y, Math.min(width, height) / scale];
  return part.map((value) => Number(value.toPrecision(DIGITS))).join(",");
}

/** The address with what the maps show now. */
export function addressNow() {
  const url = new URL(window.location.href);
  for (const map of maps) {
    const name = map.frame?.address;
    if (!name || !map.root.isConnected || map.path !== url.pathname) continue; // of a page that is being left
    const part = partOf(map);
    if ((url.searchParams.get(name) ?? "") === part) continue;
    if (part) url.searchParams.set(name, part);
    else url.searchParams.delete(name);
  }
  return url.href;
}

/** Writes it: no entry in the history, since a zoom is no step. */
export function writeAddress() {
  const address = addressNow();
  if (address !== window.location.href) window.history.replaceState(window.history.state, "", address);
}

// The page writes the rest of the address, and does not know of this part.
globalThis.semidmlAddress?.abort();
globalThis.semidmlAddress = new AbortController();
window.navigation?.addEventListener("currententrychange", writeAddress, { signal: globalThis.semidmlAddress.signal });
