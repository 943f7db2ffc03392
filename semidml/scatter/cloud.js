// Where the points are: they glide from one place to the next, the pace that the machine can keep, which are drawn.

import { AWAY, SEEN } from "./frame.js";

const MOST_RINGED = 20_000; // more are not worth a ring
const STRIDE = 16; // the order in which many points are drawn: any first part of it is an even one
const AT_FIRST = 15_000; // points that are drawn while they move, before it is known what the machine can do
const LEAST = 3000; // points that are drawn of many while the map moves, however slow the machine
const SLOW = 22; // milliseconds between two frames above which fewer points are drawn while the map moves
const QUICK = 17.5; // and below which more are
const CELLS = 72; // of the grid that knows where data are, along the longer side

export class Cloud {
  constructor(map) {
    this.map = map;
    this.target = null; // {x, y} to which the points glide, or where they are
    this.glide = null; // {from, start, milliseconds}
    this.pace = null; // the share of points that this machine can draw while they move
    this.slowest = 0; // milliseconds between two frames of a movement, lately
    this.version = 0; // of what the points are, beside where they are seen from
  }

  get x() {
    return this.target.x;
  }

  get y() {
    return this.target.y;
  }

  /** To another place each, from where they are now. */
  moveTo(target, from, milliseconds) {
    this.target = target;
    this.grid = null;
    const glides = from && milliseconds > 0 && !this.map.calm.matches && differ(from, target);
    this.glide = glides ? { from, start: performance.now(), milliseconds } : null;
    this.map.points.move(target, glides ? from : null);
    this.version += 1;
    this.map.draw();
  }

  glideTo(target, epoch, milliseconds) {
    this.map.epoch = epoch;
    this.moveTo(target, this.places(), milliseconds);
  }

  /** The part of the glide that is done, 0 to 1. */
  part() {
    if (!this.glide) return 1;
    const part = Math.min(1, (performance.now() - this.glide.start) / this.glide.milliseconds);
    return part * part * (3 - 2 * part);
  }

  /** Where the points are at this moment. */
  places() {
    const part = this.part();
    if (part >= 1) return this.target;
    const { from } = this.glide;
    const between = (a, b) => {
      const values = new Float32Array(a.length);
      for (let i = 0; i < a.length; i++) values[i] = a[i] + part * (b[i] - a[i]);
      return values;
    };
    return { x: between(from.x, this.target.x), y: between(from.y, this.target.y) };
  }

  placeOf(i) {
    const part = this.part();
    const from = part < 1 ? this.glide.from : this.target;
    return [from.x[i] + part * (this.target.x[i] - from.x[i]), from.y[i] + part * (this.target.y[i] - from.y[i])];
  }

  isAway(i) {
    return (this.map.frame.flags[i] & AWAY) !== 0;
  }

  isHidden(i) {
    const { filter, legend, frame } = this.map;
    return this.isAway(i) || filter.passes?.[i] === 0 || legend.hidden.has(frame.category[i]);
  }

  /** Which points are drawn; those that matter come last and are ringed. */
  order() {
    const { frame, region, few, legend } = this.map;
    const { passes } = this.map.filter;
    const ringed = (i) => (region ? region.has(i) : few && (frame.flags[i] & SEEN) !== 0);
    const indices = new Uint32Array(frame.n);
    const large = [];
    const hide = legend.hidden.size > 0;
    const stride = frame.n > 2 * LEAST ? STRIDE : 1;
    const rings = region !== null || few;
    let count = 0;
    for (let first = 0; first < stride; first++) {
      for (let i = first; i < frame.n; i += stride) {
        if (frame.flags[i] & AWAY || passes?.[i] === 0 || (hide && legend.hidden.has(frame.category[i]))) continue;
        if (rings && large.length < MOST_RINGED && ringed(i)) large.push(i);
        else indices[count++] = i;
      }
    }
    indices.set(large, count);
    this.count = count + large.length;
    this.pace ??= Math.min(1, AT_FIRST / Math.max(1, this.count));
    this.version += 1;
    const words = [this.map.points.order(indices.subarray(0, this.count), large.length)];
    if (passes) words.push(`filtered: ${this.map.filter.words}`);
    if (frame.left_out) words.push(`${frame.left_out.toLocaleString("en")} points are not finite and not drawn`);
    this.map.note.textContent = words.filter(Boolean).join(" · ");
    this.map.draw();
  }

  /** The ways of the chosen point through the epochs until the one that is shown. */
  trails() {
    const { film, at } = this.map.film;
    const { marked } = this.map.frame;
    if (!film || marked.length !== 1 || marked[0] >= film.n) return [];
    return [Array.from({ length: at }, (_, k) => film.place(k, marked[0])).concat([this.placeOf(marked[0])])];
  }

  /** A grid over the points that knows which of its cells lie near one. */
  reach() {
    if (this.grid) return this.grid;
    const { x, y } = this.target;
    const [x0, y0, x1, y1] = this.map.frame.view;
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

  /** Fewer points while they move, or what is seen of them does, on a machine that cannot draw all in time, as one
   * without a GPU. */
  keepPace(now) {
    const moves = this.glide !== null || this.map.view.moves;
    const elapsed = now - this.beat;
    this.beat = moves ? now : NaN;
    this.slowest = Math.max(elapsed || 0, 0.9 * this.slowest);
    if (elapsed > SLOW) this.pace = Math.max(this.pace * Math.max(0.3, QUICK / elapsed), LEAST / Math.max(LEAST, this.count));
    else if (elapsed < QUICK) this.pace = Math.min(1, this.pace * 1.03);
  }
}

/** Whether two clouds differ. */
function differ(a, b) {
  if (a === b) return false;
  for (let i = 0; i < a.x.length; i++) if (a.x[i] !== b.x[i] || a.y[i] !== b.y[i]) return true;
  return false;
}
