// The live map: points that glide from frame to frame, what lies under and over them, and what the visitor does there.
//
// Three canvases on top of each other: `under` (axes, shades), `points` (WebGL2), `over` (components, marks), which
// takes the mouse. What the visitor did - zoom, hidden categories, chosen points - survives new points of the same run.
// Maps of the same `link` share it.

import { Cloud } from "./cloud.js";
import { Film } from "./film.js";
import { SEEN, TEST, unpack } from "./frame.js";
import { Gestures, within } from "./gestures.js";
import { Handles } from "./handles.js";
import { Legend } from "./legend.js";
import { add, EDGE, LEFT, over, under } from "./paint.js";
import { pointsOn } from "./points.js";
import { filmOf, imagesOf, latticeOf, maps } from "./store.js";
import { View } from "./view.js";

const NEAR = 9; // pixels at which the mouse finds a point
const NONE = 65535; // in the place of a label or a prediction: there is none
const GLIDE = 260; // milliseconds
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
    this.path = window.location.pathname;
    this.pointed = -1;
    this.view = new View(this);
    this.cloud = new Cloud(this);
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
    new ResizeObserver(() => (this.view.resized(), this.draw())).observe(this.room);
    maps.add(this);
  }

  /** Points by WebGL, or, where that is absent or was lost, on a canvas. */
  makePoints() {
    this.canvas?.remove();
    this.canvas = add(this.pointRoom, "canvas");
    this.points = pointsOn(this.canvas, () => {
      this.makePoints();
      this.points.show(this.frame);
      this.points.move(this.cloud.target, null);
      this.cloud.order();
    });
    this.over.dataset.drawnBy = this.points.renderer;
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
    this.handles.hold(frame, before);
    if (!same || this.view.mayRelease(frame, before)) this.view.release();
    this.frame = frame;
    if (!same) this.view.begin(frame.start);
    const late = same && (this.film.teller !== null || this.film.timer !== null); // the visitor is at another epoch
    const keepsPlaces = late && before.n === frame.n;
    const target = keepsPlaces ? this.cloud.target : { x: frame.x, y: frame.y };
    const from = same && before.n === frame.n ? this.cloud.places() : null;
    if (!keepsPlaces) this.epoch = frame.epoch;
    this.points.show(frame);
    this.cloud.moveTo(target, from, keepsPlaces ? 0 : GLIDE);
    let seen = 0;
    for (let i = 0; i < frame.n; i++) seen += frame.flags[i] & SEEN;
    this.few = seen > 0 && seen <= frame.n / 4;
    this.region = frame.marked.length > 1 ? new Set(frame.marked) : null;
    if (!this.region && this.tool !== "line") this.sketch = null;
    this.handles.show(frame);
    this.gestures.show(frame);
    this.legend.show(frame);
    this.film.show(filmOf(frame.run), frame.epoch);
    this.cloud.order();
    this.over.setAttribute("aria-label", frame.words);
    this.point(-1);
    this.view.rested();
  }

  /** Something of a run has arrived that belongs to all its frames. */
  hears(kind, run) {
    if (!this.frame || run !== this.frame.run) return;
    if (kind === "film") this.film.show(filmOf(run), this.frame.epoch);
    this.draw();
  }

  hide(hidden, told = false) {
    this.legend.hidden = hidden;
    this.legend.mark();
    this.cloud.order();
    if (!told) this.others((map) => map.hide(new Set(hidden), true));
  }

  marked() {
    const rows = this.frame.marked.length === 1 ? [...this.frame.marked] : [];
    if (this.pointed >= 0) rows.push(this.pointed);
    return rows.filter((i) => i < this.frame.n && !this.cloud.isHidden(i));
  }

  get lattice() {
    return this.frame.lattice ? latticeOf(this.frame.run) : null;
  }

  // ---- drawing

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      this.cloud.keepPace(now);
      this.paint();
    });
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
    const { color, fontFamily } = getComputedStyle(this.root);
    this.ink = color;
    const part = this.cloud.part();
    const state = JSON.stringify([this.view.window(), width, height, ratio, this.ink]);
    if (!this.cloud.glide || part >= 1 || state !== this.painted) {
      sized(this.under, width, height);
      this.layer(this.under, ratio, (draw) => under(draw, this, width, height, fontFamily));
    }
    this.painted = state;
    sized(this.over, width, height);
    this.layer(this.over, ratio, (draw) => over(draw, this, width, height));
    sized(this.canvas, width - LEFT, height - EDGE);
    const style = this.pointStyle(part, ratio);
    const drawing = JSON.stringify([this.view.window(), style, this.cloud.version]);
    if (drawing !== this.drawing) this.points.draw(this.view.window(), style);
    this.drawing = drawing;
    this.handles.place();
    if (part >= 1) this.cloud.glide = null;
    else this.draw();
    this.say({
      drawn: frame.n - frame.left_out,
      shown: this.cloud.count,
      epoch: this.epoch,
      components: frame.ellipses.length,
      regions: frame.regions.length,
      pictures: frame.drawings.length,
      gliding: part < 1,
      ahead: this.handles.isAhead,
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
  pointStyle(part, ratio) {
    const { width, height, scale } = this.view.window();
    const nearer = Math.max(1, scale / this.view.fitted().scale) ** 0.4;
    const size = Math.min(Math.max(Math.sqrt((0.25 * width * height) / Math.max(1, this.cloud.count)), 1.6), 5.5);
    const channels = this.ink.match(/[\d.]+/g).slice(0, 3).map(Number);
    return {
      part,
      ratio,
      ink: channels,
      size: Math.min(8, size * nearer),
      ring: this.region ? Math.min(8, size * nearer) : Math.min(14, 2 * Math.max(size, 4) * nearer),
      ringed: !this.region,
      opacity: this.region ? 0.25 : Math.min(0.9, Math.max(0.5, size / 5)),
      share: part < 1 || this.view.busy ? this.cloud.pace : 1,
    };
  }

  // ---- what the visitor does

  others(act) {
    if (this.frame.link) for (const map of maps) if (map !== this && map.frame?.link === this.frame.link) act(map);
  }

  /** The point at the mouse, or -1. */
  nearest(event) {
    const [atX, atY] = this.view.at(event);
    const { x, y } = this.cloud;
    let [nearest, least] = [-1, (NEAR / this.view.window().scale) ** 2];
    for (let i = 0; i < x.length; i++) {
      const distance = (x[i] - atX) ** 2 + (y[i] - atY) ** 2;
      if (distance < least && !this.cloud.isHidden(i)) [nearest, least] = [i, distance];
    }
    return nearest;
  }

  pick(event) {
    if (!this.frame.tools.includes("pick")) return;
    const [x, y] = this.view.at(event);
    this.tell("asked", { x, y, point: this.nearest(event) });
  }

  /** A box or lasso chooses the points in it; a line asks for what lies along it. */
  sketched(points) {
    if (this.tool === "line") return this.tell("line", { ends: points });
    const drawn = [];
    for (let i = 0; i < this.frame.n; i++) if (!this.cloud.isHidden(i)) drawn.push(i);
    const chosen = within(points, this.cloud, drawn);
    this.choose(chosen);
    return this.tell("region", { points: chosen.slice(0, MOST_TOLD), count: chosen.length });
  }

  choose(points, told = false) {
    this.region = points.length ? new Set(points) : null;
    this.cloud.order();
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
    const parts = [frame.label[i] === NONE ? "no label" : frame.names_of_labels[frame.label[i]]];
    if (frame.prediction && frame.prediction[i] !== NONE) {
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
