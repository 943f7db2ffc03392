// The live map: points that glide from frame to frame, what lies under and over them, and what the visitor does there.
//
// Three canvases on top of each other: `under` (axes, shades), `points` (WebGL2), `over` (components, marks), which
// takes the mouse. What the visitor did - zoom, hidden categories, chosen points - survives new points of the same run.
// Maps of the same `link` share it.

import { writeAddress } from "./address.js";
import { Cloud } from "./cloud.js";
import { Cursor } from "./cursor.js";
import { Film } from "./film.js";
import { Filter, rowWords } from "./filter.js";
import { NONE, SEEN, TEST, unpack } from "./frame.js";
import { Gestures, within } from "./gestures.js";
import { Handles } from "./handles.js";
import { Legend } from "./legend.js";
import { add, decimals, EDGE, LEFT, over, under } from "./paint.js";
import { pointsOn } from "./points.js";
import { Present } from "./present.js";
import { filmOf, imagesOf, latticeOf, maps } from "./store.js";
import { View } from "./view.js";

const NEAR = 9; // pixels at which the mouse finds a point
const GLIDE = 260; // milliseconds
const MOST_TOLD = 20_000; // points of a region
const HELP =
  "Arrow keys go from point to point, Enter chooses one, Escape lets go, plus and minus zoom, Shift and arrow keys move the map, " +
  "0 shows everything, slash filters and searches, space plays the epochs, comma and full stop step through them, f fills the screen.";

export function drawMap({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  root.map ??= new LiveMap(root);
  root.map.tell = (name, value) => setTriggerValue(name, value);
  root.map.show(unpack(data));
  return () => root.isConnected || root.map?.close();
}

export default drawMap;

class LiveMap {
  constructor(root) {
    this.root = root;
    this.pointed = -1; // at the mouse on a linked map
    this.component = -1; // of the prior, at the mouse or the keys
    this.path = window.location.pathname;
    this.view = new View(this);
    this.cloud = new Cloud(this);
    this.filter = new Filter(this, add(root, "div", "filter"));
    this.room = add(root, "div", "room");
    this.under = add(this.room, "canvas");
    this.pointRoom = add(this.room, "div", "points");
    this.over = add(this.room, "canvas");
    this.over.setAttribute("role", "application"); // it has keys of its own
    this.over.setAttribute("aria-roledescription", "map");
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
    this.present = new Present(this, add(root, "div", "keys"));
    this.cursor = new Cursor(this, add(root, "div", "unseen"));
    this.cursor.live.setAttribute("aria-live", "polite");
    const help = add(root, "div", "unseen");
    Object.assign(help, { textContent: HELP, id: `keys-${Math.random()}` });
    this.over.setAttribute("aria-describedby", help.id);
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
    if (this.present.isOn) this.present.end();
    maps.delete(this);
    this.points.close();
    delete this.root.map;
  }

  show(frame) {
    const before = this.frame;
    const same = before?.run === frame.run;
    const [shown, aim] = same ? [this.view.window(), JSON.stringify(this.view.aim)] : [null, null];
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
    this.filter.show(frame);
    this.film.show(filmOf(frame.run), frame.epoch);
    this.cloud.order();
    this.over.setAttribute("aria-label", frame.words);
    this.component = -1;
    if (!same || before.n !== frame.n) this.cursor.at = -1;
    if (!this.cursor.isOn) this.point(-1);
    if (shown && aim !== JSON.stringify(this.view.aim)) this.view.glideFrom(shown, 1.5 * GLIDE);
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
    if (told) return;
    this.others((map) => map.hide(new Set(hidden), true));
    writeAddress();
  }

  marked() {
    const rows = this.frame.marked.length === 1 ? [...this.frame.marked] : [];
    for (const i of [this.pointed, this.cursor.at]) if (i >= 0) rows.push(i);
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
    this.ground = getComputedStyle(this.note).backgroundColor;
    const part = this.cloud.part();
    const glides = this.view.glide !== null; // so that a last frame is drawn where it ends
    const state = JSON.stringify([this.view.window(), width, height, ratio, this.ink, this.present.isOn]);
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
    this.cursor.follow();
    if (part >= 1) this.cloud.glide = null;
    if (part < 1 || glides) this.draw();
    this.say({
      drawn: frame.n - frame.left_out,
      shown: this.cloud.count,
      epoch: this.epoch,
      components: frame.ellipses.length,
      regions: frame.regions.length,
      pictures: frame.drawings.length,
      gliding: part < 1 || glides,
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
    const most = this.present.isOn ? 8 : 5.5;
    const size = Math.min(Math.max(Math.sqrt((0.25 * width * height) / Math.max(1, this.cloud.count)), 1.6), most);
    const channels = this.ink.match(/[\d.]+/g).slice(0, 3).map(Number);
    return {
      part,
      ratio,
      ink: channels,
      size: Math.min(most + 2.5, size * nearer),
      ring: this.region ? Math.min(most + 2.5, size * nearer) : Math.min(14, 2 * Math.max(size, 4) * nearer),
      ringed: !this.region,
      opacity: this.region ? 0.25 : Math.min(0.9, Math.max(0.5, size / 5)),
      share: part < 1 || this.view.moves ? this.cloud.pace : 1,
    };
  }

  // ---- what the visitor does

  others(act) {
    for (const map of this.linked(this.frame.link)) act(map);
  }

  linked(link) {
    return link ? [...maps].filter((map) => map !== this && map.frame?.link === link) : [];
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

  /** Chooses a point: the page answers, or, where it does not listen, the point stands out, on linked maps too. */
  choosePoint(i) {
    const [x, y] = this.cloud.placeOf(i);
    if (this.frame.tools.includes("pick")) this.tell("asked", { x, y, point: i });
    else this.choose([i]);
  }

  /** The mouse is there: a point answers, else a component of the prior. */
  hover(event) {
    this.cursor.at = -1;
    const i = this.nearest(event);
    this.point(i, event);
    this.pointComponent(i < 0 ? this.nearestComponent(event) : -1, event);
  }

  leave() {
    this.cursor.at = -1;
    this.point(-1);
    this.pointComponent(-1);
  }

  nearestComponent(event) {
    const [atX, atY] = this.view.at(event);
    let [nearest, least] = [-1, NEAR / this.view.window().scale];
    this.frame.ellipses.forEach(([x, y], i) => {
      const distance = Math.hypot(x - atX, y - atY);
      if (distance < least) [nearest, least] = [i, distance];
    });
    return nearest;
  }

  /** The rings of a component, or of none, -1; with the mouse's event its words and its picture. */
  pointComponent(i, event) {
    if (i !== this.component) this.draw();
    this.component = i;
    if (i < 0 || !event) return;
    const weights = this.frame.ellipses.map((ellipse) => ellipse[5]);
    const share = weights[i] / weights.reduce((sum, weight) => sum + weight, 0);
    this.tipWords.textContent = `component ${i + 1} of ${weights.length} \u00b7 weight ${decimals(100 * share, 1)} %`;
    const drawing = this.frame.drawings[i];
    if (drawing) {
      Object.assign(this.tipImage, { width: drawing.width, height: drawing.height });
      this.tipImage.getContext("2d").drawImage(drawing, 0, 0);
    }
    this.tipImage.hidden = !drawing;
    this.tip.hidden = false;
    this.placeTip(event.offsetX, event.offsetY);
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
    this.tipWords.textContent = this.wordsOf(i);
    const images = imagesOf(this.frame.images_of);
    this.tipImage.hidden = !images || i >= images.n;
    if (!this.tipImage.hidden) images.paint(this.tipImage, i);
    this.placeTip(event.offsetX, event.offsetY);
  }

  placeTip(right, down) {
    const room = this.room.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(room, right + 12))}px`;
    const above = down - this.tip.offsetHeight - 8;
    this.tip.style.top = `${above >= 0 ? above : down + 14}px`;
  }

  /** What is known of a point: class, prediction, image, error. */
  wordsOf(i) {
    const { frame } = this;
    const parts = [frame.label[i] === NONE ? "no label" : frame.names_of_labels[frame.label[i]]];
    if (frame.prediction && frame.prediction[i] !== NONE) {
      const right = frame.prediction[i] === frame.label[i];
      parts.push(right ? "predicted right" : `predicted ${frame.names_of_labels[frame.prediction[i]]}`);
    }
    if (frame.images) {
      const flags = frame.flags[i];
      parts.push(`${rowWords(frame, i)}${flags & TEST ? "" : flags & SEEN ? ", label seen" : ", label not seen"}`);
    }
    if (frame.error) parts.push(`error ${decimals(frame.error[i], 3)}`);
    return parts.join(" \u00b7 ");
  }

  ring(i) {
    this.pointed = i;
    this.draw();
  }
}
