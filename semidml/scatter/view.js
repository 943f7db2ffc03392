// Which part of the plane is seen: it follows the frame until the visitor moves it, and is told to the page at rest.

import { writeAddress } from "./address.js";
import { EDGE, LEFT } from "./paint.js";

const REST = 180; // milliseconds without a move after which all points are drawn
const GLIDE = 450; // milliseconds from one part to another
const SETTLED = 300; // and after which the page is told what the map shows

export class View {
  constructor(map) {
    this.map = map;
    this.chosen = null; // {x, y, scale} once the visitor has moved it; null follows the frame
    this.asked = null; // [x, y, span] that a link asks for, until the visitor moves it: whatever room the map has
    this.held = false; // it is only held still for components that are moved
    this.pushed = false; // one was moved against the edge
    this.busy = false; // it moves
    this.shown = ""; // what the page knows of the places that are shown
    this.glide = null; // {from, start, milliseconds} while it goes from one part to another
  }

  /** Pixels within the axes. */
  size() {
    const { clientWidth, clientHeight } = this.map.room;
    return { width: Math.max(1, clientWidth - LEFT), height: Math.max(1, clientHeight - EDGE) };
  }

  /** What the frame asks for: the middle, and pixels a unit. */
  fitted() {
    const { width, height } = this.size();
    const [x0, y0, x1, y1] = this.map.film.begin ?? this.map.frame.view;
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: Math.min(width / (x1 - x0), height / (y1 - y0)) };
  }

  /** What is shown once it has come there. */
  get aim() {
    return this.chosen ?? this.fitted();
  }

  /** Latent coordinates of the upper left corner, and pixels a unit. */
  window() {
    const { width, height } = this.size();
    if (this.asked && this.map.room.clientWidth) {
      const [x, y, span] = this.asked;
      this.chosen = { x, y, scale: Math.min(width, height) / span };
    }
    const { x, y, scale } = this.between(this.aim);
    return { left: x - width / 2 / scale, top: y + height / 2 / scale, width, height, scale, x, y };
  }

  /** Where it is on its way to this part. */
  between(part) {
    if (!this.glide) return part;
    const { from, start, milliseconds } = this.glide;
    const time = Math.min(1, (performance.now() - start) / milliseconds);
    if (time >= 1) this.glide = null;
    const share = time * time * (3 - 2 * time);
    const scale = from.scale * (part.scale / from.scale) ** share;
    // What is near grows evenly: the middle goes as far as the zoom has come.
    const way = Math.abs(part.scale / from.scale - 1) < 1e-3 ? share : (1 / scale - 1 / from.scale) / (1 / part.scale - 1 / from.scale);
    return { x: from.x + way * (part.x - from.x), y: from.y + way * (part.y - from.y), scale };
  }

  /** Goes from what was shown, a `window`, to what is to be shown now. */
  glideFrom({ x, y, scale }, milliseconds) {
    const to = this.aim;
    const differs = Math.hypot(to.x - x, to.y - y) * to.scale > 1 || Math.abs(to.scale / scale - 1) > 1e-3;
    const isClear = differs && scale > 0 && Number.isFinite(scale);
    this.glide = isClear && milliseconds > 0 && !this.map.calm.matches ? { from: { x, y, scale }, start: performance.now(), milliseconds } : null;
    if (this.glide) this.map.say({ gliding: true });
    this.map.draw();
  }

  /** Goes to this part of the plane, {x, y, scale}. */
  glideTo(part) {
    const from = this.window();
    this.showPart(part);
    this.glideFrom(from, GLIDE);
  }

  get moves() {
    return this.busy || this.glide !== null;
  }

  pan(right, down) {
    const { x, y, scale } = this.window();
    this.showPart({ x: x - right / scale, y: y + down / scale, scale });
  }

  /** Zooms by a factor; the place under these pixels stays. */
  zoom(factor, right, down) {
    const { left, top, width, height, scale } = this.window();
    const [x, y] = [left + (right - LEFT) / scale, top - down / scale];
    const fitted = this.fitted().scale;
    const next = Math.min(Math.max(scale * factor, fitted / 20), fitted * 100);
    const share = scale / next;
    this.showPart({
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
  showPart(part, told = false) {
    this.chosen = part;
    this.glide = this.asked = null;
    this.held = this.pushed = false;
    this.busy = true;
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => this.rested(), Math.max(REST, 3 * this.map.cloud.slowest)); // a slow frame is no rest
    this.map.draw();
    if (!told) this.tellOthers(part);
  }

  /** Linked maps show the same part of theirs. */
  tellOthers(part) {
    const whole = this.fitted();
    this.map.others(({ view }) => {
      const fitted = view.fitted();
      const { x, y, scale } = part ?? whole;
      const [right, up] = [(x - whole.x) * whole.scale, (y - whole.y) * whole.scale];
      const nearer = scale / whole.scale;
      const [x1, y1] = [fitted.x + right / fitted.scale, fitted.y + up / fitted.scale];
      view.showPart(part && { x: x1, y: y1, scale: fitted.scale * nearer }, true);
    });
  }

  rested() {
    this.busy = false;
    this.map.draw();
    writeAddress();
    clearTimeout(this.seenTimer);
    if (!this.map.frame.lattice) return (this.shown = "");
    this.seenTimer = setTimeout(() => {
      const { left, top, width, height, scale } = this.window();
      const box = [left, top - height / scale, left + width / scale, top];
      if (this.shown === String(box) || this.map.closed) return;
      this.shown = String(box);
      this.map.tell("seen", { box, width, height });
    }, SETTLED);
  }

  /** What is shown stays where it is while components are moved, or the next one would slip from under the mouse. */
  hold() {
    if (this.chosen) return;
    const { x, y, scale } = this.window();
    this.chosen = { x, y, scale };
    this.glide = null;
    this.held = true;
  }

  /** Whether it was held only until now: the page has answered a move against the edge, or shows another part for
   * another reason than a move. */
  mayRelease(frame, before) {
    if (!this.held || this.map.handles.isAhead) return false;
    return this.pushed || (before.moves === frame.moves && String(frame.view) !== String(before.view));
  }

  /** Begins with the part that the link asks for, [x, y, span], if it does; else with that of a linked map. */
  begin(asked) {
    this.asked = asked?.length === 3 ? asked : null;
    this.resized();
    let other = null;
    this.map.others(({ view }) => (other = view.chosen && !view.asked && !view.held ? view : other));
    if (!this.chosen && other) other.tellOthers(other.chosen);
  }

  /** The map has another room: what the link asks for, of this or a linked map, is seen in it. */
  resized() {
    const views = this.asked ? [this] : [];
    if (this.map.frame) this.map.others(({ view }) => view.asked && views.push(view));
    for (const view of views) {
      view.window();
      if (view.chosen) view.tellOthers(view.chosen);
    }
  }

  release() {
    this.chosen = this.glide = this.asked = null;
    this.held = this.pushed = false;
  }

  /** Latent coordinates of the mouse. */
  at({ offsetX, offsetY }) {
    const { left, top, scale } = this.window();
    return [left + (offsetX - LEFT) / scale, top - offsetY / scale];
  }
}
