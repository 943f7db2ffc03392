// A dozen points that one drags, with an arrow for what each term of a loss does to them, and steps down their sum: what
// `forces.py` describes and `pull.js` computes. One element that stays while the page changes.

import { arrowOf, create, inWords, tableOf } from "./arrows.js";
import { logitsAt, prior, reconstruction, sigmoid, triplet } from "./pull.js";
import { make } from "./svg.js";

const REACH = 2.9; // latent units from the middle to the nearer edges
const GRID = 0.8; // units between two pictures of the decoder
const [NUDGE, LEAP] = [0.1, 0.5]; // units that an arrow key moves a point
const AT_ONCE = 50; // steps of a press of those who want less motion
const PACE = 60; // steps a second, whatever the browser draws; of one frame at most MOST_DUE
const MOST_DUE = 12;
const RESTED = 0.002; // units: a step that moves no point farther is the last
const MOST_STEPS = 1500; // until it rests by itself
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".forces");
  root.forces ??= new Forces(root);
  root.forces.show(data);
  return () => root.isConnected || root.forces?.close();
}

class Forces {
  constructor(root) {
    this.root = root;
    this.observer = new ResizeObserver(() => this.data && this.draw());
  }

  close() {
    this.rest();
    this.observer.disconnect();
    delete this.root.forces;
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    this.state = state;
    this.data = data;
    this.places = data.points.map(({ start }) => [...start]);
    this.on = Object.fromEntries(data.terms.map(({ name }) => [name, true]));
    Object.assign(this, { margin: data.margin, alpha: data.alpha, chosenPrior: 0, balanced: false });
    Object.assign(this, { reduction: data.reductions[0], chosen: 0, steps: 0, tabled: false });
    this.build();
    this.observer.disconnect();
    this.observer.observe(this.stage);
    this.draw();
  }

  // ---- what is computed

  /** {term: {value, gradient, weight}} of the terms that are on, at the points as they are. */
  terms() {
    const { points, decoder, priors } = this.data;
    const computed = {};
    const isAlone = !this.data.terms.some(({ name }) => name !== "triplet" && this.on[name]);
    if (this.on.triplet) {
      const labels = points.map(({ label, seen }) => (seen ? label : null));
      computed.triplet = { ...triplet(this.places, labels, this.margin), weight: isAlone ? 1 : 1 - this.alpha };
    }
    if (this.on.reconstruction) {
      const images = points.map(({ image }) => image);
      computed.reconstruction = { ...reconstruction(this.places, images, decoder, this.reduction), weight: this.alpha };
    }
    if (this.on.prior) computed.prior = { ...prior(this.places, priors[this.chosenPrior], this.balanced), weight: this.alpha };
    return computed;
  }

  /** A step down the gradient of the weighted sum, of each point but the one that is held; the farthest that one moved. */
  step() {
    const terms = Object.values(this.terms());
    let farthest = 0;
    this.places.forEach((place, i) => {
      if (i === this.held) return;
      const moves = [0, 1].map((axis) => -this.data.rate * this.places.length * terms.reduce((sum, { gradient, weight }) => sum + weight * gradient[i][axis], 0));
      place[0] += moves[0];
      place[1] += moves[1];
      farthest = Math.max(farthest, Math.hypot(...moves));
    });
    this.steps += 1;
    return farthest;
  }

  run() {
    if (this.running) return this.rest();
    const last = this.steps + MOST_STEPS;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      const end = this.steps + AT_ONCE;
      while (this.steps < end && this.step() > RESTED);
      this.draw();
      return this.tell();
    }
    let before = performance.now();
    const next = (now) => {
      const due = Math.min(MOST_DUE, Math.max(1, Math.round(((now - before) * PACE) / 1000)));
      before = now;
      let moved = 0;
      for (let k = 0; k < due; k++) moved = this.step();
      this.draw();
      if (moved < RESTED || this.steps >= last) this.rest();
      else this.running = requestAnimationFrame(next);
    };
    this.running = requestAnimationFrame(next);
    this.runButton.textContent = "Stop";
    return undefined;
  }

  rest() {
    if (!this.running) return;
    cancelAnimationFrame(this.running);
    this.running = null;
    this.runButton.textContent = this.runWords();
    this.tell();
  }

  runWords() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches ? `Take ${AT_ONCE} steps` : "Let it run";
  }

  again() {
    this.rest();
    this.places = this.data.points.map(({ start }) => [...start]);
    this.steps = 0;
    this.draw();
    this.tell();
  }

  // ---- what is built once

  build() {
    const { points, terms, priors, reductions } = this.data;
    this.stage = create("div", { className: "stage" });
    this.ground = create("canvas", { ariaHidden: "true" });
    this.svg = make("svg", { role: "group", "aria-label": `${points.length} points in the plane, each with an arrow for what a term of the loss does to it` });
    this.rings = make("g", { class: "rings" });
    this.arrows = make("g", { class: "arrows" });
    this.marks = points.map((point, i) => this.mark(point, i));
    this.svg.append(this.rings, ...this.marks, this.arrows);
    this.table = create("div", { className: "values", tabIndex: 0, hidden: true });
    this.table.setAttribute("role", "region");
    this.table.setAttribute("aria-label", "The points and what each term does to them");
    this.stage.append(this.ground, this.svg, this.table);

    const knobs = create("div", { className: "knobs" });
    const acts = create("div", { className: "acts" });
    const button = (text, act) => {
      const made = create("button", { type: "button", textContent: text });
      made.addEventListener("click", act);
      acts.append(made);
      return made;
    };
    this.runButton = button(this.runWords(), () => this.run());
    this.runButton.className = "primary";
    button("One step", () => {
      this.rest();
      this.step();
      this.draw();
      this.tell();
    });
    button("Start again", () => this.again());
    this.tableButton = button("Table", () => {
      this.tabled = !this.tabled;
      this.draw();
    });
    knobs.append(acts);
    this.values = {};
    for (const { name, title } of terms) {
      const line = create("label", { className: `term ${name}` });
      const box = create("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        this.on[name] = box.checked;
        this.draw();
      });
      this.values[name] = create("span", { className: "value" });
      line.append(box, create("i"), create("span", { textContent: title }), this.values[name]);
      knobs.append(line);
    }
    if (terms.some(({ name }) => name === "triplet")) this.slider(knobs, "margin", "Margin", this.data.margins);
    if (terms.length > 1) this.slider(knobs, "alpha", "Alpha", [0, 1]);
    if (reductions.length > 1) this.choice(knobs, "Reconstruction", reductions.map((name) => ({ sum: "summed over pixels", mean: "averaged over pixels" })[name]), (i) => (this.reduction = reductions[i]), "reconstruction");
    if (priors.length > 1) this.choice(knobs, "Prior", priors.map(({ title }) => title), (i) => (this.chosenPrior = i), "");
    if (priors.some(({ means }) => means.length > 1)) {
      const line = create("label", { className: "balanced", title: this.data.help.balance });
      const box = create("input", { type: "checkbox" });
      box.addEventListener("change", () => {
        this.balanced = box.checked;
        this.draw();
      });
      line.append(box, create("span", { textContent: "Share the points out evenly" }));
      knobs.append(line);
    }
    this.total = create("p", { className: "total" });
    this.said = create("p", { className: "unseen" });
    this.said.setAttribute("role", "status");
    this.hint = create("p", { className: "hint", id: "hint" });
    this.hint.textContent =
      `A full ${this.hasPictures() ? "frame" : "ring"}: its label is seen; a dashed one: hidden. Drag a point, or press the arrow keys on it ` +
      "(with Shift farther); Page Up and Page Down go to another. Here each point moves by itself; in a training one network moves all.";
    knobs.append(this.total, this.hint, this.said);
    this.root.setAttribute("role", "figure");
    this.root.setAttribute("aria-label", "What each term of the loss does to a point");
    this.root.replaceChildren(this.stage, knobs);
  }

  slider(knobs, name, title, [low, high]) {
    const line = create("label", { className: "slider", title: this.data.help[name] });
    const told = create("span", { className: "now", textContent: inWords(this[name]) });
    const input = create("input", { type: "range", min: low, max: high, step: 0.05, value: this[name] });
    input.addEventListener("input", () => {
      this[name] = Number(input.value);
      told.textContent = inWords(this[name]);
      this.draw();
    });
    line.append(create("span", { textContent: title }), input, told);
    knobs.append(line);
  }

  choice(knobs, title, names, choose, help) {
    const line = create("label", { className: "choice", title: this.data.help[help] ?? "" });
    const select = create("select");
    select.append(...names.map((text, i) => create("option", { textContent: text, value: i })));
    select.addEventListener("change", () => {
      choose(Number(select.value));
      this.draw();
    });
    line.append(create("span", { textContent: title }), select);
    knobs.append(line);
  }

  /** A point: its picture where there is a decoder, else a disc; a full frame where its label is seen. */
  mark({ label, colour, ink, seen, image }, i) {
    const group = make("g", { class: seen ? "point seen" : "point", role: "button", tabindex: i ? -1 : 0, "aria-describedby": "hint" });
    group.style.color = colour;
    if (this.hasPictures()) {
      const [side, pixel] = [this.data.side, 5];
      const half = (side * pixel) / 2;
      group.append(make("rect", { class: "sheet", x: -half - 3, y: -half - 3, width: 2 * half + 6, height: 2 * half + 6, rx: 4 }));
      image.forEach((light, k) => group.append(make("rect", { class: "pixel", x: (k % side) * pixel - half, y: Math.floor(k / side) * pixel - half, width: pixel, height: pixel, opacity: light })));
      group.append(make("rect", { class: "frame", x: -half - 3, y: -half - 3, width: 2 * half + 6, height: 2 * half + 6, rx: 4 }));
      if (seen) group.append(make("circle", { class: "badge", cx: half + 3, cy: -half - 3, r: 8 }), make("text", { x: half + 3, y: -half + 1, fill: ink }, label));
    } else {
      group.append(make("circle", { class: "frame sheet", r: 12 }), make("text", { y: 4.5 }, seen ? label : "?"));
    }
    group.addEventListener("pointerdown", (event) => this.hold(event, i));
    group.addEventListener("pointermove", (event) => this.held === i && this.drag(event, i));
    for (const end of ["pointerup", "pointercancel"]) {
      group.addEventListener(end, () => {
        if (this.held !== i) return;
        this.held = null;
        this.tell();
      });
    }
    group.addEventListener("keydown", (event) => this.press(event, i));
    group.addEventListener("focus", () => this.choose(i));
    return group;
  }

  hasPictures() {
    return this.data.terms.some(({ name }) => name === "reconstruction");
  }

  // ---- what a visitor does

  hold(event, i) {
    event.preventDefault();
    this.held = i;
    const [x, y] = this.under(event);
    this.grip = [this.places[i][0] - x, this.places[i][1] - y]; // it does not jump to the pointer
    this.marks[i].setPointerCapture(event.pointerId);
    this.marks[i].focus({ preventScroll: true });
  }

  drag(event, i) {
    this.put(i, this.under(event).map((x, axis) => x + this.grip[axis]));
  }

  /** The place under the pointer. */
  under(event) {
    const box = this.svg.getBoundingClientRect();
    return [(event.clientX - box.x - this.width / 2) / this.scale, (this.height / 2 - event.clientY + box.y) / this.scale];
  }

  /** A point to a place of the window. */
  put(i, place) {
    const most = [this.width / 2 / this.scale, this.height / 2 / this.scale];
    this.places[i] = place.map((x, axis) => Math.min(most[axis], Math.max(-most[axis], x)));
    this.draw();
  }

  press(event, i) {
    const far = event.shiftKey ? LEAP : NUDGE;
    if (event.key in MOVES) {
      this.put(i, this.places[i].map((x, axis) => x + far * MOVES[event.key][axis]));
      this.tell(i);
    } else if (["PageUp", "PageDown", "Home", "End"].includes(event.key)) {
      const n = this.places.length;
      this.marks[{ PageUp: (i + n - 1) % n, PageDown: (i + 1) % n, Home: 0, End: n - 1 }[event.key]].focus();
    } else return;
    event.preventDefault();
  }

  choose(i) {
    this.chosen = i;
    this.marks.forEach((mark, k) => mark.setAttribute("tabindex", k === i ? 0 : -1));
  }

  /** Says to a screen reader what came of it. */
  tell(i) {
    const moved = i === undefined ? "" : `${this.words(i)}. `;
    this.said.textContent = `${moved}${this.total.textContent}`;
  }

  words(i) {
    const { label, seen } = this.data.points[i];
    return `Point ${i + 1}, ${seen ? `class ${label}` : "its label hidden"}, at ${this.places[i].map(inWords).join(" and ")}`;
  }

  // ---- what is drawn at each step

  draw() {
    const box = this.stage.getBoundingClientRect();
    if (!box.width) return;
    const isResized = box.width !== this.width || box.height !== this.height;
    [this.width, this.height] = [box.width, box.height];
    this.scale = Math.min(this.width, this.height) / 2 / REACH;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const terms = this.terms();
    if (isResized || this.grounded !== this.on.reconstruction) this.drawGround();
    this.drawRings();
    this.places.forEach((place, i) => {
      const [x, y] = this.at(place);
      this.marks[i].setAttribute("transform", `translate(${x} ${y})`);
      this.marks[i].setAttribute("aria-label", this.words(i));
    });
    this.drawArrows(terms);
    const sums = Object.values(terms).map(({ value, weight }) => value * weight);
    for (const { name } of this.data.terms) {
      const term = terms[name];
      this.values[name].textContent = term ? `${inWords(term.weight)} × ${inWords(term.value)}` : "off";
    }
    this.total.textContent = `Step ${this.steps}: together ${inWords(sums.reduce((a, b) => a + b, 0))}`;
    this.tableButton.setAttribute("aria-pressed", String(this.tabled));
    this.table.hidden = !this.tabled;
    this.svg.style.visibility = this.ground.style.visibility = this.tabled ? "hidden" : "";
    if (this.tabled) this.fill(terms);
  }

  at([x, y]) {
    return [this.width / 2 + x * this.scale, this.height / 2 - y * this.scale];
  }

  /** What the decoder draws, place by place. */
  drawGround() {
    this.grounded = this.on.reconstruction;
    const dense = globalThis.devicePixelRatio || 1;
    [this.ground.width, this.ground.height] = [this.width * dense, this.height * dense];
    if (!this.grounded) return;
    const pen = this.ground.getContext("2d");
    pen.scale(dense, dense);
    pen.fillStyle = getComputedStyle(this.root).color;
    const { side, decoder } = this.data;
    const pixel = (GRID * this.scale * 0.56) / side;
    const [across, up] = [this.width, this.height].map((length) => Math.ceil(length / 2 / this.scale / GRID));
    for (let column = -across; column <= across; column++) {
      for (let row = -up; row <= up; row++) {
        const place = [column * GRID, row * GRID];
        const [x, y] = this.at(place);
        logitsAt(place, decoder).forEach((logit, k) => {
          pen.globalAlpha = 0.3 * sigmoid(logit);
          pen.fillRect(x + ((k % side) - side / 2) * pixel, y + (Math.floor(k / side) - side / 2) * pixel, pixel, pixel);
        });
      }
    }
  }

  /** The prior's components, at one and two sigma. */
  drawRings() {
    const { means, logVars } = this.data.priors[this.chosenPrior] ?? { means: [] };
    const state = `${this.on.prior} ${this.chosenPrior} ${this.width} ${this.height}`;
    if (state === this.ringed) return;
    this.ringed = state;
    const rings = !this.on.prior ? [] : means.flatMap((mean, k) => {
      const [cx, cy] = this.at(mean);
      const [rx, ry] = logVars[k].map((v) => Math.exp(v / 2) * this.scale);
      return [1, 2].map((sigmas) => make("ellipse", { cx, cy, rx: sigmas * rx, ry: sigmas * ry }));
    });
    this.rings.replaceChildren(...rings);
  }

  drawArrows(terms) {
    const n = this.places.length;
    const parts = Object.entries(terms).flatMap(([name, { gradient, weight }]) =>
      gradient.flatMap((pair, i) => {
        const arrow = arrowOf(name, this.at(this.places[i]), pair.map((x) => x * weight * n));
        return arrow ? [arrow] : [];
      }),
    );
    this.arrows.replaceChildren(...parts);
  }

  fill(terms) {
    const shown = this.data.terms.filter(({ name }) => terms[name]);
    const head = ["Point", "Class", "Label", "x", "y", ...shown.flatMap(({ title }) => [`${title}: pull in x`, "in y"])];
    const rows = this.data.points.map(({ label, seen }, i) => {
      const pulls = shown.flatMap(({ name }) => terms[name].gradient[i].map((x) => -x * terms[name].weight * this.places.length));
      return [i + 1, label, seen ? "seen" : "hidden", ...[...this.places[i], ...pulls].map(inWords)];
    });
    const table = tableOf(`${this.total.textContent}. A pull is a point's own gradient, downward, times its weight.`, head, rows);
    const { scrollTop, scrollLeft } = this.table;
    this.table.replaceChildren(table);
    Object.assign(this.table, { scrollTop, scrollLeft });
  }
}
