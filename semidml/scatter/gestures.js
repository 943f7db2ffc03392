// What mouse, touch and keys do on the map: pan, zoom, pick, box, lasso, line.

import { add } from "./paint.js";

const STILL = 4; // pixels within which a press is a click
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN = 60; // pixels that an arrow key moves the map with Shift
const TOOLS = {
  move: ["\u2725", "Move the map by dragging"],
  box: ["\u25ad", "Box: drag over points to choose them"],
  lasso: ["\u223d", "Lasso: draw around points to choose them"],
  line: ["\u2571", "Line: drag from one place to another to see what lies between them"],
};

export class Gestures {
  constructor(map, canvas, bar) {
    this.map = map;
    this.canvas = canvas;
    this.bar = bar;
    this.pointers = new Map();
    canvas.tabIndex = 0;
    canvas.onpointerdown = (event) => this.down(event);
    canvas.onpointermove = (event) => this.moved(event);
    canvas.onpointerup = (event) => this.up(event, true);
    canvas.onpointercancel = (event) => this.up(event, false);
    canvas.onpointerleave = () => map.leave();
    canvas.onblur = () => map.leave();
    canvas.ondblclick = () => map.view.showPart(null);
    canvas.onkeydown = (event) => this.key(event);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** A button for each tool that the page listens to. */
  show(frame) {
    const known = JSON.stringify([frame.tools, frame.row !== undefined]);
    if (known === this.known) return;
    this.known = known;
    this.map.tool = "move";
    this.bar.replaceChildren();
    const offered = [...(frame.tools.includes("region") ? ["box", "lasso"] : []), ...(frame.tools.includes("line") ? ["line"] : [])];
    const addButton = (sign, words, act) => {
      const button = add(this.bar, "button");
      button.type = "button";
      button.textContent = sign;
      button.title = words;
      button.setAttribute("aria-label", words);
      button.onclick = act;
      return button;
    };
    for (const name of offered.length ? ["move", ...offered] : []) {
      addButton(...TOOLS[name], () => this.take(name)).tool = name;
    }
    addButton("+", "Zoom in", () => this.map.view.zoomMiddle(1.5));
    addButton("\u2212", "Zoom out", () => this.map.view.zoomMiddle(1 / 1.5));
    addButton("\u2922", "Show everything", () => this.map.view.showPart(null));
    const addSign = (name, words, act) => {
      const button = addButton("", words, act);
      add(button, "i", `sign ${name}`);
      button.switch = name;
    };
    if (frame.row) addSign("filter", "Filter and search the points (key /)", () => this.map.filter.open(this.map.filter.root.hidden));
    addSign("present", "Full screen, to present (key f)", () => this.map.present.toggle());
    this.take("move");
  }

  take(name) {
    this.map.tool = name;
    for (const button of this.bar.children) if (button.tool) button.setAttribute("aria-pressed", button.tool === name);
    this.canvas.dataset.tool = name;
  }

  /** A button that is on or off says so. */
  mark(name, isOn) {
    for (const button of this.bar.children) if (button.switch === name) button.setAttribute("aria-pressed", isOn);
  }

  down(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    this.canvas.setPointerCapture(event.pointerId);
    this.start = this.pointers.size === 1 ? event : null; // two fingers never click
    if (this.map.tool !== "move") this.map.sketch = this.pointers.size === 1 ? [this.map.view.at(event)] : null;
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.map.hover(event);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 1) {
      if (this.map.tool !== "move") return this.sketched(event);
      return this.map.view.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    }
    const other = [...this.pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    const distance = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY) || 1;
    return this.map.view.zoom(distance(event) / distance(before), event.offsetX, event.offsetY);
  }

  sketched(event) {
    const { sketch, tool } = this.map;
    if (!sketch) return;
    const place = this.map.view.at(event);
    const [x0, y0] = sketch[0];
    if (tool === "lasso") sketch.push(place);
    else this.map.sketch = tool === "line" ? [sketch[0], place] : [[x0, y0], [place[0], y0], place, [x0, place[1]]];
    this.map.draw();
  }

  up(event, meant) {
    this.pointers.delete(event.pointerId);
    const still = this.start && Math.hypot(event.clientX - this.start.clientX, event.clientY - this.start.clientY) < STILL;
    const drawn = this.map.sketch;
    if (meant && still) {
      this.map.sketch = null;
      this.map.pick(event);
    } else if (meant && this.map.tool !== "move" && drawn?.length > 1) this.map.sketched(drawn);
    this.start = null;
  }

  key(event) {
    const { film, filter, present } = this.map;
    const along = KEYS[event.key];
    const hasFilm = film.film !== null;
    const act = along
      ? () => this.go(along, event.shiftKey)
      : {
          " ": hasFilm && (() => film.toggle()),
          ",": hasFilm && (() => film.step(-1)),
          ".": hasFilm && (() => film.step(1)),
          "/": this.map.frame.row && (() => filter.open(true)),
          f: () => present.toggle(),
          Enter: this.map.cursor.isOn && (() => this.map.choosePoint(this.map.cursor.at)),
          "+": () => this.map.view.zoomMiddle(1.25),
          "=": () => this.map.view.zoomMiddle(1.25),
          "-": () => this.map.view.zoomMiddle(0.8),
          0: () => this.map.view.showPart(null),
          Escape: () => (present.isOn ? present.end() : this.map.letGo()),
        }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    act();
  }

  /** An arrow key: to the nearest point in that direction, while one presents to the next epoch; with Shift the map. */
  go([right, down], isFar) {
    if (isFar) this.map.view.pan(-PAN * right, -PAN * down);
    else if (this.map.present.isOn && this.map.film.film && right) this.map.film.step(right);
    else this.map.cursor.walk(right, down);
  }

  wheel(event) {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    this.map.view.zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
  }
}

/** The points among `candidates` that lie within a polygon: even-odd rule. */
export function within(polygon, cloud, candidates) {
  const chosen = [];
  const [low, high] = [0, 1].map((axis) => polygon.map((corner) => corner[axis])).map((values) => [Math.min(...values), Math.max(...values)]);
  for (const i of candidates) {
    const [x, y] = [cloud.x[i], cloud.y[i]];
    if (x < low[0] || x > low[1] || y < high[0] || y > high[1]) continue;
    let inside = false;
    for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
      const [[xa, ya], [xb, yb]] = [polygon[a], polygon[b]];
      if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) inside = !inside;
    }
    if (inside) chosen.push(i);
  }
  return chosen;
}
