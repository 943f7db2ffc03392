// Curves by epoch, drawn from what `plots.chart` describes. One element that stays while its data change: the drawing,
// what the mouse or the arrow keys read of all curves at one place, and a table of the values that can be taken away.

import { placed, ticksOf } from "./axes.js";
import { fitted, spaced, widthOf } from "./labels.js";
import { make } from "./svg.js";
import { Values } from "./values.js";

const [TOP, BOTTOM, EDGE, LEADER] = [8, 34, 8, 20];
const DASHES = { dash: "6 4", dot: "1.5 4" };
const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves");
  root.chart ??= new Curves(root);
  root.chart.show(data);
  return () => root.isConnected || root.chart?.close();
}

class Curves {
  constructor(root) {
    this.root = root;
    const part = (name, tag = "div") => Object.assign(document.createElement(tag), { className: name });
    this.title = part("title");
    root.setAttribute("role", "figure");
    this.values = new Values((shown) => root.classList.toggle("tabled", shown));
    const head = part("head");
    head.append(this.title, ...this.values.buttons);
    this.legend = part("legend");
    this.room = part("room");
    this.svg = make("svg", { role: "img", tabindex: 0 });
    this.reading = Object.assign(part("reading"), { hidden: true });
    this.reading.setAttribute("role", "status");
    this.room.append(this.svg, this.reading, this.values.table);
    this.note = part("note", "p");
    root.replaceChildren(head, this.legend, this.room, this.note);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.read(null));
    this.svg.addEventListener("blur", () => this.read(null));
    this.svg.addEventListener("keydown", (event) => this.step(event));
    this.lines = 0; // of the note, the most that it had at this width
    this.observer = new ResizeObserver(() => this.data && this.resized());
    this.observer.observe(this.room);
  }

  close() {
    this.observer.disconnect();
    delete this.root.chart;
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    this.state = state;
    this.data = data;
    this.places = [...new Set(data.series.flatMap(({ x, y }) => x.filter((_, i) => y[i] !== null)))].sort((a, b) => a - b);
    this.title.textContent = data.title;
    this.root.setAttribute("aria-label", data.title);
    this.values.show(data, this.places, (x) => this.placeWords(x));
    this.draw();
  }

  resized() {
    const size = `${this.root.clientWidth} ${this.room.clientHeight}`;
    if (size !== this.size) this.draw();
  }

  /** The sentence below, which keeps the room that its longest form took, so that nothing under it moves. */
  tell() {
    const width = this.root.clientWidth;
    if (width !== this.told) [this.told, this.lines] = [width, 0];
    const { words } = this.data;
    this.note.hidden = !words;
    this.note.textContent = words;
    const needed = Math.ceil((1.08 * widthOf(words, this.family) + 12) / Math.max(1, width));
    this.lines = Math.max(this.lines, needed);
    this.note.style.minHeight = `${this.lines * 1.4}em`;
  }

  draw() {
    this.family = getComputedStyle(this.root).fontFamily;
    this.tell();
    const { x, y, series, levels, title } = this.data;
    const labelled = series.filter(({ labelled }) => labelled);
    const names = [...labelled, ...levels];
    [this.width, this.height] = [Math.max(160, this.root.clientWidth), Math.max(120, this.room.clientHeight)];
    const bottom = this.height - BOTTOM;
    const upward = ticksOf(y, (bottom - TOP) / 44);
    const left = Math.ceil(Math.max(...upward.map(([, text]) => widthOf(text, this.family)), 8)) + (y.title ? 28 : 10);
    const wide = this.width - left - LEADER - EDGE;
    this.fit = fitted(names.map(({ name }) => name), wide, bottom - TOP, this.family);
    const right = this.fit ? this.width - this.fit.width - LEADER - 2 : this.width - EDGE;
    this.area = { left, right, top: TOP, bottom };
    this.x = placed(x, left, right);
    this.y = placed(y, bottom, TOP);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.setAttribute("aria-label", [title, this.data.words].filter(Boolean).join(". "));
    this.parts = [];
    this.ends = new Map();
    this.drawAxes(upward);
    this.drawSeries();
    for (const level of levels) {
      const at = this.y(level.at);
      this.put("line", { x1: left, x2: right, y1: at, y2: at, class: "level", "stroke-dasharray": DASHES[level.dash] }, level.colour);
      this.ends.set(level, [right, at]);
    }
    this.drawNames(names);
    this.cursor = make("g", { class: "cursor", visibility: "hidden" });
    this.svg.replaceChildren(...this.parts, this.cursor);
    this.size = `${this.root.clientWidth} ${this.room.clientHeight}`;
    if (!this.reading.hidden) this.read(this.at);
  }

  put(tag, attributes, colour, text) {
    const part = make(tag, attributes, text);
    if (colour) part.style.color = colour;
    this.parts.push(part);
    return part;
  }

  drawAxes(upward) {
    const { left, right, top, bottom } = this.area;
    for (const [at, text] of upward) {
      this.put("line", { x1: left, x2: right, y1: this.y(at), y2: this.y(at), class: "grid" });
      this.put("text", { x: left - 6, y: this.y(at) + 4, "text-anchor": "end" }, "", text);
    }
    const { x, y } = this.data;
    const longest = Math.max(24, ...x.ticks.map(([, text]) => widthOf(text, this.family)));
    for (const [at, text] of ticksOf(x, (right - left) / (longest + 20))) {
      this.put("text", { x: this.x(at), y: bottom + 15, "text-anchor": "middle" }, "", text);
    }
    this.put("text", { x: (left + right) / 2, y: bottom + 30, "text-anchor": "middle", class: "axis" }, "", x.title);
    const middle = (top + bottom) / 2;
    if (y.title) this.put("text", { x: 12, y: middle, "text-anchor": "middle", class: "axis", transform: `rotate(-90 12 ${middle})` }, "", y.title);
  }

  drawSeries() {
    const stacks = new Map(); // [up, down] of what lies on one another, by place
    for (const curve of this.data.series) {
      if (curve.kind === "bar") this.drawBars(curve, stacks);
      else this.drawCurve(curve);
    }
  }

  drawBars(curve, stacks) {
    const half = Math.max(0.5, (this.x(this.data.bar) - this.x(0)) / 2);
    const path = [];
    curve.x.forEach((at, i) => {
      const part = curve.y[i];
      if (part === null) return;
      const stack = stacks.get(at) ?? [0, 0];
      stacks.set(at, stack);
      const [from, to] = [this.y(stack[+(part < 0)]), this.y((stack[+(part < 0)] += part))];
      path.push(`M${this.x(at) - half},${from}h${2 * half}V${to}h${-2 * half}z`);
      this.ends.set(curve, [this.x(at) + half, (from + to) / 2]);
    });
    this.put("path", { d: path.join(""), class: "bar" }, curve.colour);
  }

  drawCurve(curve) {
    const known = curve.x.map((_, i) => i).filter((i) => curve.y[i] !== null);
    for (const stretch of stretches(curve.y)) {
      const points = (sign) => stretch.map((i) => `${this.x(curve.x[i])},${this.y(curve.y[i] + sign * (curve.sds[i] ?? 0))}`);
      if (curve.sds.length) this.put("polygon", { points: [...points(1), ...points(-1).reverse()].join(" "), class: "band" }, curve.colour);
      this.put("polyline", { points: points(0).join(" "), class: curve.kind }, curve.colour);
    }
    const few = known.length <= (this.area.right - this.area.left) / 12;
    for (const i of curve.kind === "line" && few ? known : known.slice(-1)) {
      this.put("circle", { cx: this.x(curve.x[i]), cy: this.y(curve.y[i]), r: 2.6 }, curve.colour);
    }
    if (known.length) this.ends.set(curve, [this.x(curve.x[known.at(-1)]), this.y(curve.y[known.at(-1)])]);
  }

  /** Names at the ends of the curves, or above the drawing and on the levels. */
  drawNames(names) {
    const { top, bottom, right } = this.area;
    this.legend.hidden = Boolean(this.fit) || !this.data.series.length;
    if (!this.fit) {
      for (const { name, at } of this.data.levels) {
        this.put("text", { x: right - 2, y: this.y(at) + (this.y(at) < top + 16 ? 13 : -4), "text-anchor": "end", class: "floor" }, "", name);
      }
      const state = JSON.stringify(this.data.series.map(({ name, colour }) => [name, colour]));
      if (state !== this.named) this.legend.replaceChildren(...this.data.series.filter(({ labelled }) => labelled).map(entry));
      this.named = state;
      return;
    }
    const shown = names.filter((named) => this.ends.has(named));
    const texts = shown.map((named) => this.fit.texts[names.indexOf(named)]);
    const heights = spaced(shown.map((named) => this.ends.get(named)[1]), texts.map((lines) => lines.length), top - 6, bottom + 6);
    shown.forEach((named, i) => {
      const [endX, endY] = this.ends.get(named);
      const isLevel = named.at !== undefined;
      const from = Math.min(right, endX);
      const dashes = isLevel || from < right - 2 ? { "stroke-dasharray": isLevel ? DASHES[named.dash] : "2 3" } : {};
      this.put("polyline", { points: `${from},${endY} ${right + 2},${endY} ${right + LEADER - 5},${heights[i]}`, class: "leader", ...dashes }, named.colour);
      texts[i].forEach((text, k) => {
        const y = heights[i] + 4 + 14 * (k - (texts[i].length - 1) / 2);
        this.put("text", { x: right + LEADER, y, class: isLevel ? "name floor" : "name" }, "", text);
      });
    });
  }

  // ---- what the visitor reads

  /** The place nearest to the mouse. */
  point(event) {
    const room = this.svg.getBoundingClientRect();
    const across = ((event.clientX - room.left) / room.width) * this.width;
    const distances = this.places.map((x) => Math.abs(this.x(x) - across));
    this.read(distances.length ? this.places[distances.indexOf(Math.min(...distances))] : null);
  }

  step(event) {
    if (event.key === "Escape") return this.read(null);
    if (!(event.key in KEYS) || !this.places.length) return;
    event.preventDefault();
    const last = this.places.length - 1;
    const now = this.reading.hidden ? (event.key === "ArrowRight" ? -1 : last + 1) : this.places.indexOf(this.at);
    this.read(this.places[Math.min(last, Math.max(0, now + KEYS[event.key]))]);
  }

  /** All curves at one place, or none. */
  read(place) {
    const isRead = place !== null && this.places.includes(place);
    this.reading.hidden = !isRead;
    this.cursor.setAttribute("visibility", isRead ? "visible" : "hidden");
    if (!isRead) return;
    this.at = place;
    const { top, bottom } = this.area;
    const x = this.x(place);
    const marks = [make("line", { x1: x, x2: x, y1: top, y2: bottom })];
    const head = Object.assign(document.createElement("b"), { textContent: this.placeWords(place) });
    const rows = [];
    for (const curve of this.data.series) {
      const i = nearest(curve, place);
      if (i < 0) continue;
      const row = entry(curve);
      row.append(Object.assign(document.createElement("span"), { className: "value", textContent: curve.words[i] }));
      rows.push(row);
      if (curve.kind !== "bar") {
        const mark = make("circle", { cx: this.x(curve.x[i]), cy: this.y(curve.y[i]), r: 4 });
        mark.style.color = curve.colour;
        marks.push(mark);
      }
    }
    this.cursor.replaceChildren(...marks);
    this.reading.replaceChildren(head, ...rows);
    const { width } = this.reading.getBoundingClientRect();
    const left = x + width + 14 < this.width ? x + 12 : Math.max(0, x - width - 12);
    this.reading.style.left = `${left}px`;
    this.reading.style.top = `${top}px`;
  }

  placeWords(x) {
    const axis = this.data.x;
    const named = axis.ticks.find(([at]) => at === x)?.[1];
    return `${axis.title} ${named ?? Number(x.toPrecision(6)).toLocaleString("en")}`;
  }
}

/** A curve's name beside its colour. */
function entry({ name, colour }) {
  const row = document.createElement("div");
  const swatch = document.createElement("i");
  if (colour) swatch.style.color = colour;
  row.append(swatch, Object.assign(document.createElement("span"), { textContent: name }));
  return row;
}

/** Which of a curve's values is of that place; -1 where none is nearer than its neighbours are to each other. */
function nearest({ x, y }, place) {
  let least = x.length > 1 ? (x.at(-1) - x[0]) / (x.length - 1) / 2 + 1e-9 : 1e-9;
  let closest = -1;
  x.forEach((at, i) => {
    if (y[i] !== null && Math.abs(at - place) <= least) [least, closest] = [Math.abs(at - place), i];
  });
  return closest;
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
