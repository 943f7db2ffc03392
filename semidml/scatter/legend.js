// The legend, which hides and solos categories, and a table of them for those who don't see the map.

import { takePart } from "./address.js";
import { AWAY } from "./frame.js";
import { picture } from "./points.js";
import { add, decimals } from "./paint.js";

export class Legend {
  constructor(map, root, table) {
    this.map = map;
    this.root = root;
    this.table = table;
    this.hidden = new Set();
  }

  show(frame) {
    const { flags, category } = frame;
    const { x, y } = this.map.cloud;
    const [count, right, up] = [0, 1, 2].map(() => new Float64Array(Math.max(1, frame.names.length)));
    for (let i = 0; i < frame.n; i++) {
      if (flags[i] & AWAY) continue;
      count[category[i]] += 1;
      right[category[i]] += x[i];
      up[category[i]] += y[i];
    }
    this.count = count;
    const known = JSON.stringify([frame.run, frame.names, frame.looks, [...count].map((number) => number > 0)]);
    if (known !== this.known) this.make(frame, known);
    this.tabulate(frame, right, up);
    this.mark();
  }

  /** What is hidden, as the address has it. */
  get text() {
    return [...this.hidden].sort((a, b) => a - b).join(",");
  }

  /** Categories that were not there before: hidden are those that the address says at first, else a linked map's. */
  begin(frame) {
    const asked = !this.names && frame.row ? takePart(this.map, "hidden") : "";
    const numbers = asked.split(",").map(Number);
    const isSane = asked !== "" && numbers.every((number) => frame.names[number] !== undefined);
    this.hidden = new Set(isSane ? numbers : this.ofLinked(frame));
    if (isSane) this.map.others((map) => map.hide(new Set(numbers), true));
  }

  ofLinked(frame) {
    const alike = this.map.linked(frame.link).find((map) => String(map.frame.names) === String(frame.names));
    return alike ? alike.legend.hidden : [];
  }

  make(frame, known) {
    const names = JSON.stringify([frame.run, frame.names]);
    if (names !== this.names) this.begin(frame);
    [this.known, this.names] = [known, names];
    this.root.replaceChildren();
    const present = frame.names.map((_, number) => number).filter((number) => this.count[number]);
    for (const number of present) {
      const button = add(this.root, "button");
      button.type = "button";
      button.title = `${frame.names[number]}: click hides it, double click leaves it alone`;
      const point = picture(frame.looks[number], 8, 3 * (window.devicePixelRatio || 1)); // sharp where it is presented, too
      add(button, "i").style.backgroundImage = `url(${point.toDataURL()})`; // a canvas each would slow every frame down
      add(button, "span").textContent = frame.names[number];
      button.onclick = () => {
        if (!this.hidden.delete(number)) this.hidden.add(number);
        this.map.hide(this.hidden);
      };
      button.ondblclick = () => {
        const alone = present.length - 1 === this.hidden.size && !this.hidden.has(number);
        this.hidden = new Set(alone ? [] : present.filter((other) => other !== number));
        this.map.hide(this.hidden);
      };
      button.number = number;
    }
  }

  mark() {
    for (const button of this.root.children) button.setAttribute("aria-pressed", !this.hidden.has(button.number));
  }

  /** Category, number of points and middle of each, as text. */
  tabulate(frame, right, up) {
    this.table.replaceChildren();
    add(this.table, "caption").textContent = frame.words;
    const line = (kind, cells) => {
      const row = add(this.table, "tr");
      for (const cell of cells) add(row, kind).textContent = cell;
    };
    line("th", ["on the map", "points", "mean x", "mean y"]);
    frame.names.forEach((name, i) => {
      const count = this.count[i];
      if (count) line("td", [name, count, decimals(right[i] / count, 2), decimals(up[i] / count, 2)]);
    });
  }
}
