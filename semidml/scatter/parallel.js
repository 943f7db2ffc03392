// Parallel coordinates: a line a setting, an axis a knob or a score. Drag along an axis to choose a part of it, several
// axes together; lines outside fade and stay. A click on an axis chooses all of it again.

import { make } from "./svg.js";

const [HEIGHT, SIDE, TOP, BOTTOM] = [340, 64, 46, 16];
const CLICK = 5; // pixels below which a drag is a click

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".parallel");
  root.chart ??= new Parallel(root);
  root.chart.pick = (number) => setTriggerValue("picked", number);
  root.chart.show(data);
}

class Parallel {
  constructor(root) {
    this.root = root;
    this.parts = new Map(); // [low, high] of an axis, by its title
    this.svg = make("svg", { role: "img" });
    this.note = Object.assign(document.createElement("div"), { className: "note" });
    root.replaceChildren(this.svg, this.note);
    this.svg.addEventListener("pointerdown", (event) => this.begin(event));
    this.svg.addEventListener("pointermove", (event) => this.drag(event));
    this.svg.addEventListener("pointerup", (event) => this.end(event));
    this.svg.addEventListener("pointercancel", () => (this.dragged = null));
    new ResizeObserver(() => this.data && root.clientWidth !== this.room && this.draw()).observe(root);
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    this.state = state;
    this.data = data;
    this.draw();
  }

  x(i) {
    const { axes } = this.data;
    return axes.length > 1 ? SIDE + ((this.width - 2 * SIDE) * i) / (axes.length - 1) : this.width / 2;
  }

  y(share) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  }

  draw() {
    const { axes, lines, words } = this.data;
    this.room = this.root.clientWidth;
    this.width = Math.max(105 * axes.length, this.room);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("height", HEIGHT);
    this.svg.setAttribute("aria-label", words);
    this.paths = lines.map(({ at, colour, number, words }) => {
      const pairs = at.flatMap((share, i) => (share === null ? [] : [`${this.x(i)},${this.y(share)}`]));
      const line = make("polyline", { points: pairs.join(" "), stroke: colour, class: "line" });
      line.append(make("title", {}, words));
      line.addEventListener("click", () => this.pick(number));
      return line;
    });
    this.bars = axes.map((_, i) => make("rect", { x: this.x(i) - 9, width: 18, class: "part" }));
    const scales = axes.flatMap(({ title, ticks }, i) => [
      make("line", { x1: this.x(i), x2: this.x(i), y1: TOP, y2: HEIGHT - BOTTOM, class: "axis" }),
      make("rect", { x: this.x(i) - 16, width: 32, y: TOP, height: HEIGHT - TOP - BOTTOM, class: "handle", "data-axis": i }),
      ...this.wrapped(title, i),
      ...ticks.map(([at, text]) => make("text", { x: this.x(i) + 7, y: this.y(at) + 4, class: "tick" }, text)),
    ]);
    this.svg.replaceChildren(...this.paths, ...this.bars, ...scales);
    this.choose();
  }

  /** An axis's title, on two lines at most. */
  wrapped(title, i) {
    const cut = title.length > 20 ? title.lastIndexOf(" ", 24) : -1;
    const lines = cut > 0 ? [title.slice(0, cut), title.slice(cut + 1)] : [title];
    return lines.map((text, k) => make("text", { x: this.x(i), y: TOP - 14 - 14 * (lines.length - 1 - k), "text-anchor": "middle" }, text));
  }

  begin(event) {
    const axis = event.target.dataset?.axis;
    if (axis === undefined) return;
    this.svg.setPointerCapture(event.pointerId);
    this.dragged = { axis: Number(axis), from: this.place(event) };
  }

  place(event) {
    const { top, height } = this.svg.getBoundingClientRect();
    return ((event.clientY - top) / height) * HEIGHT;
  }

  drag(event) {
    if (!this.dragged) return;
    const [from, to] = [this.dragged.from, this.place(event)];
    const share = (y) => Math.min(1, Math.max(0, 1 - (y - TOP) / (HEIGHT - TOP - BOTTOM)));
    const title = this.data.axes[this.dragged.axis].title;
    if (Math.abs(to - from) < CLICK) this.parts.delete(title);
    else this.parts.set(title, [share(Math.max(from, to)), share(Math.min(from, to))]);
    this.choose();
  }

  end(event) {
    this.drag(event);
    this.dragged = null;
  }

  /** Lines outside the chosen parts fade. */
  choose() {
    const { axes, lines } = this.data;
    let count = 0;
    lines.forEach(({ at }, k) => {
      const isIn = axes.every(({ title }, i) => {
        const part = this.parts.get(title);
        return !part || (at[i] !== null && at[i] >= part[0] - 1e-9 && at[i] <= part[1] + 1e-9);
      });
      this.paths[k].classList.toggle("faded", !isIn);
      count += isIn;
    });
    axes.forEach(({ title }, i) => {
      const [low, high] = this.parts.get(title) ?? [0, 0];
      this.bars[i].setAttribute("y", this.y(high));
      this.bars[i].setAttribute("height", this.y(low) - this.y(high));
    });
    this.note.textContent = this.parts.size ? `${count} of ${lines.length} settings lie within the chosen parts.` : "";
  }
}
