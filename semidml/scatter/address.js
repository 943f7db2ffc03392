// What the maps of a page show, in its address: the part of the plane under the name that a map's frame gives, nothing
// where the map follows its points; what its points are filtered by, and which categories its legend hides. The page need
// not be asked, and nothing is drawn anew.

import { maps } from "./store.js";

const DIGITS = 5;
const known = (globalThis.semidmlAddressed ??= { owner: null }); // whose points the address is about

/** Middle of the part that is shown, and what its shorter side spans: `x,y,span`; "" where the map follows its points. */
function partOf({ view }) {
  const { x, y, scale, width, height } = view.window();
  if (!view.asked && (!view.chosen || view.held)) return "";
  const part = view.asked ?? [x, y, Math.min(width, height) / scale];
  return part.map((value) => Number(value.toPrecision(DIGITS))).join(",");
}

/** What a map shows, by the names of the address's parts. */
function partsOf(map) {
  const parts = { [map.frame.address]: partOf(map) };
  if (map.frame.row) Object.assign(parts, { filter: map.filter.text, hidden: map.legend.text });
  return parts;
}

/** Whose a frame's points are: a run, whatever its epoch and plane. */
export const ownerOf = (frame) => frame.images_of || frame.run;

/** What the address says under a name for a map that begins; "" where that is of another run, whose map was there. */
export function takePart(map, name) {
  if (!map.frame.address || map.path !== window.location.pathname) return "";
  known.owner ??= ownerOf(map.frame);
  return known.owner === ownerOf(map.frame) ? (new URL(window.location.href).searchParams.get(name) ?? "") : "";
}

/** The address with what the maps show now. */
export function addressNow() {
  const url = new URL(window.location.href);
  for (const map of maps) {
    if (!map.frame?.address || !map.root.isConnected || map.path !== url.pathname) continue; // of a page that is being left
    known.owner = ownerOf(map.frame);
    for (const [name, part] of Object.entries(partsOf(map))) {
      if ((url.searchParams.get(name) ?? "") === part) continue;
      if (part) url.searchParams.set(name, part);
      else url.searchParams.delete(name);
    }
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
