// Names of curves: at their ends, where there is room, each as near to its end as the others let it; else in a legend.

const [NARROWEST, LINE] = [150, 14]; // pixels of the picture beside them; from one line of a name to the next
const FONT = "12px sans-serif";

const pen = document.createElement("canvas").getContext("2d");

/** Pixels that a text takes. */
export function widthOf(text, family) {
  pen.font = family ? `12px ${family}` : FONT;
  return pen.measureText(text).width;
}

/** [{lines, width}] of the names on one line or, where that leaves too little room, on two; null where they have none. */
export function fitted(names, width, height, family) {
  for (const lines of [(name) => [name], halved]) {
    const texts = names.map(lines);
    const widest = Math.max(0, ...texts.flat().map((text) => widthOf(text, family)));
    const high = LINE * texts.flat().length;
    if (width - widest >= NARROWEST && high <= height) return { texts, width: Math.ceil(widest) };
  }
  return null;
}

/** A name on two lines: broken where the longer one is the shortest. */
function halved(name) {
  const spaces = [...name].flatMap((letter, i) => (letter === " " ? [i] : []));
  const longer = (at) => Math.max(at, name.length - at - 1);
  const at = spaces.sort((a, b) => longer(a) - longer(b))[0];
  return at === undefined ? [name] : [name.slice(0, at), name.slice(at + 1)];
}

/** Heights at which texts of so many lines stand, none over another: as near to `wanted` as top and bottom let them. */
export function spaced(wanted, lines, top, bottom) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const room = order.map((i) => lines[i] * LINE);
  const places = [];
  order.forEach((i, k) => {
    const above = k ? places[k - 1] + (room[k - 1] + room[k]) / 2 : top + room[k] / 2;
    places.push(Math.max(wanted[i], above));
  });
  for (let k = order.length - 1; k >= 0; k--) {
    const below = k < order.length - 1 ? places[k + 1] - (room[k + 1] + room[k]) / 2 : bottom - room[k] / 2;
    places[k] = Math.min(places[k], below);
  }
  const heights = [];
  order.forEach((i, k) => (heights[i] = places[k]));
  return heights;
}
