// The parts of a drawing of forces: an arrow, a number in words, a table.

import { make } from "./svg.js";

const LONG = 34; // pixels of an arrow a unit of a point's own gradient; no arrow is longer than MOST
const [MOST, LEAST] = [76, 3];
const EDGE = 13; // pixels from a point's middle to where its arrows begin

export const create = (tag, facts = {}) => Object.assign(document.createElement(tag), facts);

export const inWords = (number) => number.toFixed(2).replace("-0.00", "0.00").replace("-", "−");

/** An arrow of that name against the gradient of a point at [x, y] on the screen; null where that says nothing. */
export function arrowOf(name, [middleX, middleY], [gx, gy]) {
  const steep = Math.hypot(gx, gy);
  const length = Math.min(MOST, steep * LONG);
  if (length < LEAST) return null;
  const [ux, uy] = [-gx / steep, gy / steep];
  const [x, y] = [middleX + ux * EDGE, middleY + uy * EDGE];
  const [ex, ey] = [x + ux * length, y + uy * length];
  const head = Math.min(7, length / 2);
  const wing = (side) => `${ex - head * ux + (side * head * uy) / 1.6} ${ey - head * uy - (side * head * ux) / 1.6}`;
  const arrow = make("g", { class: name });
  arrow.append(make("path", { class: "shaft", d: `M${x} ${y}L${ex} ${ey}` }), make("path", { d: `M${wing(1)}L${ex} ${ey}L${wing(-1)}` }));
  return arrow;
}

/** A table of texts: what it is of, its head and its rows. */
export function tableOf(caption, head, rows) {
  const line = (cells, tag) => {
    const row = create("tr");
    row.append(...cells.map((text) => create(tag, { textContent: text })));
    return row;
  };
  const [top, body, table] = [create("thead"), create("tbody"), create("table")];
  top.append(line(head, "th"));
  body.append(...rows.map((cells) => line(cells, "td")));
  table.append(create("caption", { textContent: caption }), top, body);
  return table;
}
