// The live map: points that glide from frame to frame, what lies under and over them, and what the visitor does there.
//
// Three canvases on top of each other: `under` (axes, shades), `points` (WebGL2), `over` (components, marks), which
// takes the mouse. What the visitor did - zoom, hidden categories, chosen points - survives new points of the same run.
// Maps of the same `link` share it.

import { AWAY, SEEN, TEST, unpack } from "./frame.js";
import { Film } from "./film.js";
import { Gestures, within } from "./gestures.js";
import { Handles } from "./handles.js";
import { Legend } from "./legend.js";
import { add, EDGE, LEFT, over, under } from "./paint.js";
import { pointsOn } from "./points.js";
import { filmOf, imagesOf, latticeOf, maps } from "./store.js";

const NEAR = 9; // pixels at which the mouse finds a point
const GLIDE = 260; // milliseconds
const MOST_RINGED = 20_000; // more are not worth a ring
const STRIDE = 16; // the order in which many points are drawn: any first part of it is an even one
const AT_FIRST = 15_000; // points that are drawn while they move, before it is known what the machine can do
const LEAST = 3000; // points that are drawn of many while the map moves, however slow the machine
const SLOW = 22; // milliseconds between two frames above which fewer points are drawn while the map moves
const QUICK = 17.5; // and below which more are
const REST = 180; // milliseconds without a move after which all are drawn
const SETTLED = 300; // and after which the page is told what the map shows
const CELLS = 72; // of the grid that knows where data are, along the longer side
const MOST_TOLD = 20_000; // points of a region

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  root.map ??= new LiveMap(root);
  root.map.tell = (name, value) => setTriggerValue(name, value);
  root.map.show(unpack(data));
  return () => root.isConnected || root.map?.close();
}

class LiveMap {
  constructor(root) {
    this.root = root;
    this.view = null; // {x, y, scale} once the visitor has moved it; null follows the frame
    this.held = false; // the view is only held still for components that are moved
    this.pushed = false; // one was moved against the edge
    this.moves = 0; // the last move of a component that was told
    this.moving = false; // one is made now
    this.pointed = -1;
    this.pace = null; // the share of points that this machine can draw while they move
    this.slowest = 0; // milliseconds between two frames of a movement, lately
    this.version = 0; // of what the points are, beside where they are seen from
    this.shown = ""; // what the page knows of the places that are shown
    this.room = add(root, "div", "room");
    this.under = add(this.room, "canvas");
    this.pointRoom = add(this.room, "div", "points");
    this.over = add(this.room, "canvas");
    this.over.setAttribute("role", "img");
    this.handles = new Handles(this, add(this.room, "div", "handles"));
    for (const inner of [this.pointRoom, this.handles.root]) inner.style.inset = `0 0 ${EDGE}px ${LEFT}px`;
    this.tip = add(this.room, "div", "tip");
    this.tipImage = add(this.tip, "canvas");
    this.tipWords = add(this.tip, "span");
    this.tip.hidden = true;
    this.note = add(this.room, "div", "note");
    this.gestures = new Gestures(this, this.over, add(this.room, "div", "tools"));
    this.legend = new Legend(this, add(root, "div", "legend"), add(root, "table", "table"));
    this.film = new Film(this, add(root, "div", "film"));
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.makePoints();
    new ResizeObserver(() => this.draw()).observe(this.room);
    maps.add(this);
  }

  /** Points by WebGL, or, where that is absent or was lost, on a canvas. */
  makePoints() {
    this.canvas?.remove();
    this.canvas = add(this.pointRoom, "canvas");
    this.points = pointsOn(this.canvas, () => {
      this.makePoints();
      this.points.show(this.frame);
      this.points.move(this.cloud, null);
      this.order();
    });
    this.over.dataset.drawnBy = this.points.by;
  }

  close() {
    this.closed = true;
    this.film.pause();
    maps.delete(this);
    this.points.close();
    delete this.root.map;
  }

  show(frame) {
    const before = this.frame;
    const same = before?.run === frame.run;
    this.hold(frame, before);
    if (!same || (this.held && this.mayRelease(frame, before))) this.release();
    this.frame = frame;
    const late = same && (this.film.teller !== null || this.film.timer !== null); // the visitor is at another epoch
    const kept = late && before.n === frame.n;
    const cloud = kept ? this.cloud : { x: frame.x, y: frame.y };
    const from = same && before.n === frame.n ? this.now() : null;
    if (!kept) this.epoch = frame.epoch;
    this.points.show(frame);
    this.to(cloud, from, kept ? 0 : GLIDE);
    let seen = 0;
    for (let i = 0; i < frame.n; i++) seen += frame.flags[i] & SEEN;
    this.few = seen > 0 && seen <= frame.n / 4;
    this.region = frame.marked.length > 1 ? new Set(frame.marked) : null;
    if (!this.region && this.tool !== "line") this.sketch = null;
    this.handles.show(frame);
    this.gestures.show(frame);
    this.legend.show(frame);
    this.film.show(filmOf(frame.run), frame.epoch);
    this.order();
    this.over.setAttribute("aria-label", frame.words);
    this.point(-1);
    this.rested();
  }

  /** Components stay where the visitor has put them until the page has seen the last move. */
  hold(frame, before) {
    const alike = before?.ellipses.length === frame.ellipses.length && frame.movable;
    this.ahead = alike && (this.moving || frame.moves < this.moves);
    if (this.ahead) frame.ellipses.forEach((ellipse, i) => ellipse.splice(0, 2, ...before.ellipses[i].slice(0, 2)));
    else this.moves = frame.moves;
  }

  /** What is shown stays where it is while components are moved, or the next one would slip from under the mouse. */
  holdView() {
    if (this.view) return;
    const { x, y, scale } = this.window();
    this.view = { x, y, scale };
    this.held = true;
  }

  /** Whether the page has answered a move against the edge, or shows another part for another reason than a move. */
  mayRelease(frame, before) {
    if (this.ahead || this.moving) return false;
    return this.pushed || (before.moves === frame.moves && String(frame.view) !== String(before.view));
  }

  release() {
    this.view = null;
    this.held = this.pushed = false;
  }

  /** Something of a run has arrived that belongs to all its frames. */
  hears(kind, run) {
    if (!this.frame || run !== this.frame.run) return;
    if (kind === "film") this.film.show(filmOf(run), this.frame.epoch);
    this.draw();
  }

  // ---- where the points are

  /** To another cloud, from where they are now. */
  to(cloud, from, milliseconds) {
    this.cloud = cloud;
    this.grid = null;
    const glides = from && milliseconds > 0 && !this.calm.matches && differ(from, cloud);
    this.glide = glides ? { from, start: performance.now(), milliseconds } : null;
    this.points.move(cloud, glides ? from : null);
    this.version += 1;
    this.draw();
  }

  glideTo(cloud, epoch, milliseconds) {
    this.epoch = epoch;
    this.to(cloud, this.now(), milliseconds);
  }

  /** The part of the glide that is done, 0 to 1. */
  part() {
    if (!this.glide) return 1;
    const part = Math.min(1, (performance.now() - this.glide.start) / this.glide.milliseconds);
    return part * part * (3 - 2 * part);
  }

  /** Where the points are at this moment. */
  now() {
    const part = this.part();
    if (part >= 1) return this.cloud;
    const { from } = this.glide;
    const between = (a, b) => {
      const values = new Float32Array(a.length);
      for (let i = 0; i < a.length; i++) values[i] = a[i] + part * (b[i] - a[i]);
      return values;
    };
    return { x: between(from.x, this.cloud.x), y: between(from.y, this.cloud.y) };
  }

  placeOf(i) {
    const part = this.part();
    const from = part < 1 ? this.glide.from : this.cloud;
    return [from.x[i] + part * (this.cloud.x[i] - from.x[i]), from.y[i] + part * (this.cloud.y[i] - from.y[i])];
  }

  isAway(i) {
    return (this.frame.flags[i] & AWAY) !== 0;
  }

  isHidden(i) {
    return this.isAway(i) || this.legend.hidden.has(this.frame.category[i]);
  }

  /** Which points are drawn; those that matter come last and are ringed. */
  order() {
    const { frame } = this;
    const ringed = (i) => (this.region ? this.region.has(i) : this.few && (frame.flags[i] & SEEN) !== 0);
    const indices = new Uint32Array(frame.n);
    const large = [];
    const hide = this.legend.hidden.size > 0;
    const stride = frame.n > 2 * LEAST ? STRIDE : 1;
    const rings = this.region !== null || this.few;
    let count = 0;
    for (let first = 0; first < stride; first++) {
      for (let i = first; i < frame.n; i += stride) {
        if (frame.flags[i] & AWAY || (hide && this.legend.hidden.has(frame.category[i]))) continue;
        if (rings && large.length < MOST_RINGED && ringed(i)) large.push(i);
        else indices[count++] = i;
      }
    }
    indices.set(large, count);
    this.count = count + large.length;
    this.pace ??= Math.min(1, AT_FIRST / Math.max(1, this.count));
    this.version += 1;
    const words = [this.points.order(indices.subarray(0, this.count), large.length)];
    if (frame.left_out) words.push(`${frame.left_out.toLocaleString("en")} points are not finite and not drawn`);
    this.note.textContent = words.filter(Boolean).join(" · ");
    this.draw();
  }

  hide(hidden, told = false) {
    this.legend.hidden = hidden;
    this.legend.mark();
    this.order();
    if (!told) this.others((map) => map.hide(new Set(hidden), true));
  }

  marked() {
    const its = this.frame.marked.length === 1 ? [...this.frame.marked] : [];
    if (this.pointed >= 0) its.push(this.pointed);
    return its.filter((i) => i < this.frame.n && !this.isHidden(i));
  }

  /** The ways of the chosen point through the epochs until the one that is shown. */
  trails() {
    const { film } = this.film;
    if (!film || this.frame.marked.length !== 1) return [];
    const i = this.frame.marked[0];
    if (i >= film.n) return [];
    return [Array.from({ length: this.film.at }, (_, k) => film.place(k, i)).concat([this.placeOf(i)])];
  }

  get lattice() {
    return this.frame.lattice ? latticeOf(this.frame.run) : null;
  }

  /** A grid over the points that knows which of its cells lie near one. */
  reach() {
    if (this.grid) return this.grid;
    const { x, y } = this.cloud;
    const [x0, y0, x1, y1] = this.frame.view;
    const side = Math.max(x1 - x0, y1 - y0) / CELLS;
    const margin = 2 * CELLS; // cells around what the frame shows at first
    const [columns, rows] = [x1 - x0, y1 - y0].map((length) => Math.ceil(length / side) + 2 * margin);
    const [left, low] = [x0 - margin * side, y0 - margin * side];
    const near = new Uint8Array(columns * rows);
    for (let i = 0; i < x.length; i++) {
      if (this.isAway(i)) continue;
      const [a, b] = [Math.floor((x[i] - left) / side), Math.floor((y[i] - low) / side)];
      for (let v = Math.max(0, b - 2); v <= Math.min(rows - 1, b + 2); v++) {
        for (let u = Math.max(0, a - 2); u <= Math.min(columns - 1, a + 2); u++) {
          if ((u - a) ** 2 + (v - b) ** 2 <= 5) near[v * columns + u] = 1;
        }
      }
    }
    this.grid = { x0: left, y0: low, side, columns, rows, near };
    return this.grid;
  }

  // ---- drawing

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      this.keepPace(now);
      this.paint();
    });
  }

  /** Fewer points while they move on a machine that cannot draw them all in time, as one without a GPU. */
  keepPace(now) {
    const moves = this.glide !== null || this.busy;
    const took = now - this.beat;
    this.beat = moves ? now : NaN;
    this.slowest = Math.max(took || 0, 0.9 * this.slowest);
    if (took > SLOW) this.pace = Math.max(this.pace * Math.max(0.3, QUICK / took), LEAST / Math.max(LEAST, this.count));
    else if (took < QUICK) this.pace = Math.min(1, this.pace * 1.03);
  }

  paint() {
    const { frame } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.room.clientWidth, this.room.clientHeight];
    if (!frame || !width || this.closed) return;
    const sized = (canvas, across, down) => {
      if (canvas.width !== Math.round(across * ratio)) canvas.width = Math.round(across * ratio);
      if (canvas.height !== Math.round(down * ratio)) canvas.height = Math.round(down * ratio);
    };
    const style = getComputedStyle(this.root);
    this.ink = style.color;
    const part = this.part();
    const state = JSON.stringify([this.window(), width, height, ratio, this.ink]);
    if (!this.glide || part >= 1 || state !== this.painted) {
      sized(this.under, width, height);
      this.layer(this.under, ratio, (draw) => under(draw, this, width, height, style.fontFamily));
    }
    this.painted = state;
    sized(this.over, width, height);
    this.layer(this.over, ratio, (draw) => over(draw, this, width, height));
    sized(this.canvas, width - LEFT, height - EDGE);
    const look = this.looks(part, ratio);
    const seen = JSON.stringify([this.window(), look, this.version]);
    if (seen !== this.seen) this.points.draw(this.window(), look);
    this.seen = seen;
    this.handles.place();
    if (part >= 1) this.glide = null;
    else this.draw();
    this.say({
      drawn: frame.n - frame.left_out,
      shown: this.count,
      epoch: this.epoch,
      components: frame.ellipses.length,
      regions: frame.regions.length,
      pictures: frame.drawings.length,
      gliding: part < 1,
      ahead: this.ahead || this.moving,
    });
  }

  /** What is drawn, for whoever looks at the page's elements. */
  say(state) {
    for (const [name, value] of Object.entries(state)) {
      if (this.over.dataset[name] !== String(value)) this.over.dataset[name] = value;
    }
  }

  layer(canvas, ratio, paint) {
    const draw = canvas.getContext("2d");
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.clearRect(0, 0, canvas.width, canvas.height);
    paint(draw);
  }

  /** Size and opacity that suit how many points there are; the nearer one looks, the larger. */
  looks(part, ratio) {
    const { width, height, scale } = this.window();
    const nearer = Math.max(1, scale / this.fitted().scale) ** 0.4;
    const size = Math.min(Math.max(Math.sqrt((0.25 * width * height) / Math.max(1, this.count)), 1.6), 5.5);
    const channels = this.ink.match(/[\d.]+/g).slice(0, 3).map(Number);
    return {
      part,
      ratio,
      ink: channels,
      size: Math.min(8, size * nearer),
      ring: this.region ? Math.min(8, size * nearer) : Math.min(14, 2 * Math.max(size, 4) * nearer),
      ringed: !this.region,
      opacity: this.region ? 0.25 : Math.min(0.9, Math.max(0.5, size / 5)),
      share: part < 1 || this.busy ? this.pace : 1,
    };
  }

  fitted() {
    const width = Math.max(1, this.room.clientWidth - LEFT);
    const height = Math.max(1, this.room.clientHeight - EDGE);
    const [x0, y0, x1, y1] = this.frame.view;
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: Math.min(width / (x1 - x0), height / (y1 - y0)) };
  }

  /** Latent coordinates of the upper left corner, and pixels a unit. */
  window() {
    const width = Math.max(1, this.room.clientWidth - LEFT);
    const height = Math.max(1, this.room.clientHeight - EDGE);
    const { x, y, scale } = this.view ?? this.fitted();
    return { left: x - width / 2 / scale, top: y + height / 2 / scale, width, height, scale, x, y };
  }

  // ---- what the visitor does

  pan(right, down) {
    const { x, y, scale } = this.window();
    this.look({ x: x - right / scale, y: y + down / scale, scale });
  }

  /** Zooms by a factor; the place under these pixels stays. */
  zoom(factor, right, down) {
    const { left, top, width, height, scale } = this.window();
    const [x, y] = [left + (right - LEFT) / scale, top - down / scale];
    const fitted = this.fitted().scale;
    const next = Math.min(Math.max(scale * factor, fitted / 20), fitted * 100);
    const share = scale / next;
    this.look({
      x: x + (left + width / 2 / scale - x) * share,
      y: y + (top - height / 2 / scale - y) * share,
      scale: next,
    });
  }

  zoomMiddle(factor) {
    const { width, height } = this.window();
    this.zoom(factor, LEFT + width / 2, height / 2);
  }

  /** Shows this part of the plane, {x, y, scale}, or everything again; linked maps the same part of theirs. */
  look(view, told = false) {
    this.view = view;
    this.held = this.pushed = false;
    this.busy = true;
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => this.rested(), Math.max(REST, 3 * this.slowest)); // a slow frame is no rest
    this.draw();
    if (told) return;
    const whole = this.fitted();
    this.others((map) => {
      const its = map.fitted();
      const { x, y, scale } = view ?? whole;
      const [right, up] = [(x - whole.x) * whole.scale, (y - whole.y) * whole.scale];
      const nearer = scale / whole.scale;
      map.look(view && { x: its.x + right / its.scale, y: its.y + up / its.scale, scale: its.scale * nearer }, true);
    });
  }

  rested() {
    this.busy = false;
    this.draw();
    clearTimeout(this.seenTimer);
    if (!this.frame.lattice) return (this.shown = "");
    this.seenTimer = setTimeout(() => {
      const { left, top, width, height, scale } = this.window();
      const box = [left, top - height / scale, left + width / scale, top];
      if (this.shown === String(box) || this.closed) return;
      this.shown = String(box);
      this.tell("seen", { box, width, height });
    }, SETTLED);
  }

  others(act) {
    if (this.frame.link) for (const map of maps) if (map !== this && map.frame?.link === this.frame.link) act(map);
  }

  /** Latent coordinates of the mouse. */
  at({ offsetX, offsetY }) {
    const { left, top, scale } = this.window();
    return [left + (offsetX - LEFT) / scale, top - offsetY / scale];
  }

  /** The point at the mouse, or -1. */
  nearest(event) {
    const [atX, atY] = this.at(event);
    const { x, y } = this.cloud;
    let [found, least] = [-1, (NEAR / this.window().scale) ** 2];
    for (let i = 0; i < x.length; i++) {
      const distance = (x[i] - atX) ** 2 + (y[i] - atY) ** 2;
      if (distance < least && !this.isHidden(i)) [found, least] = [i, distance];
    }
    return found;
  }

  pick(event) {
    if (!this.frame.tools.includes("pick")) return;
    const [x, y] = this.at(event);
    this.tell("asked", { x, y, point: this.nearest(event) });
  }

  /** A box or lasso chooses the points in it; a line asks for what lies along it. */
  sketched(points) {
    if (this.tool === "line") return this.tell("line", { ends: points });
    const drawn = [];
    for (let i = 0; i < this.frame.n; i++) if (!this.isHidden(i)) drawn.push(i);
    const chosen = within(points, this.cloud, drawn);
    this.choose(chosen);
    return this.tell("region", { points: chosen.slice(0, MOST_TOLD), count: chosen.length });
  }

  choose(points, told = false) {
    this.region = points.length ? new Set(points) : null;
    this.order();
    if (!told) this.others((map) => map.choose(points, true));
  }

  letGo() {
    this.sketch = null;
    this.choose([]);
    if (this.frame.tools.includes("region")) this.tell("region", { points: [], count: 0 });
  }

  /** The point under the mouse, or -1: its image and what is known of it; a ring around it on linked maps. */
  point(i, event) {
    if (i !== this.pointed || i >= 0) this.others((map) => map.ring(i));
    this.tip.hidden = i < 0;
    this.over.dataset.pointed = i;
    if (i < 0) return;
    const { frame } = this;
    const parts = [frame.names_of_labels[frame.label[i]]];
    if (frame.prediction) {
      const right = frame.prediction[i] === frame.label[i];
      parts.push(right ? "predicted right" : `predicted ${frame.names_of_labels[frame.prediction[i]]}`);
    }
    if (frame.images) {
      const flags = frame.flags[i];
      parts.push(flags & TEST ? "test image" : flags & SEEN ? "training image, label seen" : "training image, label not seen");
    }
    if (frame.error) parts.push(`error ${((frame.error[i] / 255) * frame.error_unit).toFixed(3)}`);
    this.tipWords.textContent = parts.join(" · ");
    const images = imagesOf(frame.images_of);
    this.tipImage.hidden = !images;
    images?.paint(this.tipImage, i);
    const room = this.room.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(room, event.offsetX + 12))}px`;
    const above = event.offsetY - this.tip.offsetHeight - 8;
    this.tip.style.top = `${above >= 0 ? above : event.offsetY + 14}px`;
  }

  ring(i) {
    this.pointed = i;
    this.draw();
  }
}

/** Whether two clouds differ. */
function differ(a, b) {
  if (a === b) return false;
  for (let i = 0; i < a.x.length; i++) if (a.x[i] !== b.x[i] || a.y[i] !== b.y[i]) return true;
  return false;
}
