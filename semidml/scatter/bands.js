// Curves over the values of one knob, each with its band: mean and standard deviation over seeds.

import { make } from "./svg.js";

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [300, 52, 14, 12, 46];

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".bands");
  root.chart ??= new Bands(root);
  root.chart.show(data);
}

class Bands {
  constructor(root) {
    this.root = root;
    this.svg = make("svg", { role: "img" });
    this.legend = Object.assign(document.createElement("div"), { className: "legend" });
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    root.replaceChildren(this.legend, this.svg, this.tip);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.data && root.clientWidth !== this.room && this.draw()).observe(root);
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    this.state = state;
    this.data = data;
    this.legend.replaceChildren(
      ...data.series.map(({ name, colour }) => {
        const entry = Object.assign(document.createElement("span"), { textContent: name });
        const line = document.createElement("i");
        line.style.background = colour;
        entry.prepend(line);
        return entry;
      }),
    );
    this.draw();
  }

  x(i) {
    const { values } = this.data;
    return LEFT + ((this.width - LEFT - RIGHT) * (values.length > 1 ? i / (values.length - 1) : 0.5));
  }

  y(value) {
    const { low, high } = this.data;
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low || 1));
  }

  draw() {
    const { values, series, floors, ticks, title, words } = this.data;
    this.room = this.root.clientWidth;
    this.width = Math.max(240, this.room);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", words);
    const parts = ticks.flatMap(([at, text]) => [
      make("line", { x1: LEFT, x2: this.width - RIGHT, y1: this.y(at), y2: this.y(at), class: "grid" }),
      make("text", { x: LEFT - 6, y: this.y(at) + 4, "text-anchor": "end" }, text),
    ]);
    const step = Math.ceil((Math.max(...values.map((v) => v.length)) * 6.4 + 10) / (this.x(1) - this.x(0) || this.width));
    values.forEach((text, i) => {
      const anchor = i === values.length - 1 && values.length > 1 ? "end" : i ? "middle" : values.length > 1 ? "start" : "middle";
      if (i % step === 0) parts.push(make("text", { x: this.x(i), y: HEIGHT - BOTTOM + 18, "text-anchor": anchor }, text));
    });
    parts.push(make("text", { x: (LEFT + this.width - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, title));
    for (const { at, words } of floors) {
      parts.push(make("line", { x1: LEFT, x2: this.width - RIGHT, y1: this.y(at), y2: this.y(at), class: "floor" }));
      parts.push(make("text", { x: this.width - RIGHT, y: this.y(at) - 4, "text-anchor": "end", class: "floor" }, words));
    }
    for (const { colour, means, sds } of series) {
      for (const stretch of stretches(means)) {
        const upper = stretch.map((i) => `${this.x(i)},${this.y(means[i] + (sds[i] ?? 0))}`);
        const lower = stretch.map((i) => `${this.x(i)},${this.y(means[i] - (sds[i] ?? 0))}`).reverse();
        parts.push(make("polygon", { points: [...upper, ...lower].join(" "), fill: colour, class: "band" }));
        const line = stretch.map((i) => `${this.x(i)},${this.y(means[i])}`).join(" ");
        parts.push(make("polyline", { points: line, stroke: colour, class: "line" }));
        parts.push(...stretch.map((i) => make("circle", { cx: this.x(i), cy: this.y(means[i]), r: 3, fill: colour })));
      }
    }
    this.cursor = make("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden" });
    this.svg.replaceChildren(...parts, this.cursor);
  }

  /** What there is at the value nearest to the mouse. */
  point(event) {
    this.tip.hidden = !event;
    this.cursor.setAttribute("visibility", event ? "visible" : "hidden");
    if (!event) return;
    const room = this.svg.getBoundingClientRect();
    const place = ((event.clientX - room.left) / room.width) * this.width;
    const distances = this.data.values.map((_, i) => Math.abs(this.x(i) - place));
    const nearest = distances.indexOf(Math.min(...distances));
    this.cursor.setAttribute("x1", this.x(nearest));
    this.cursor.setAttribute("x2", this.x(nearest));
    const lines = this.data.series.map(({ name, words }) => (name ? `${name}: ${words[nearest]}` : words[nearest]));
    const texts = [`${this.data.title} ${this.data.values[nearest]}`, ...lines];
    this.tip.replaceChildren(...texts.map((text, i) => Object.assign(document.createElement(i ? "div" : "b"), { textContent: text })));
    const left = (this.x(nearest) / this.width) * room.width;
    const width = this.tip.getBoundingClientRect().width;
    this.tip.style.left = `${left + width + 12 < room.width ? left + 10 : Math.max(0, left - width - 10)}px`;
    this.tip.style.top = `${this.svg.offsetTop + TOP}px`;
  }
}

/** The stretches of places whose values are known. */
function stretches(values) {
  const parts = [];
  values.forEach((value, i) => {
    if (value === null) return;
    if (i && values[i - 1] !== null) parts.at(-1).push(i);
    else parts.push([i]);
  });
  return parts;
}
