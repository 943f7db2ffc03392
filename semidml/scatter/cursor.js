// The point that the keys are at: the arrow keys go from point to point, a search goes to one; it is ringed and said.

import { LEFT } from "./paint.js";

const STEP = 6; // pixels that an arrow key goes at least, so that one gets out of a heap
const NEARER = 4; // times as near as everything, at which a point that was searched for is shown

export class Cursor {
  constructor(map, live) {
    this.map = map;
    this.live = live; // read aloud when it changes
    this.at = -1;
  }

  get isOn() {
    return this.at >= 0;
  }

  /** To the nearest point in a direction of the screen, from where the keys are, or from the point that is chosen. */
  walk(right, down) {
    const { cloud, frame, view } = this.map;
    const from = [this.at, ...frame.marked].find((i) => i >= 0 && i < frame.n && !cloud.isHidden(i));
    const { width, height } = view.window();
    const [atX, atY] = from === undefined ? [LEFT + width / 2, height / 2] : this.pixel(from);
    let [nearest, least] = [-1, Infinity];
    for (let i = 0; i < frame.n; i++) {
      if (i === from || cloud.isHidden(i)) continue;
      const [x, y] = this.pixel(i);
      const [along, across] = [(x - atX) * right + (y - atY) * down, Math.abs((x - atX) * down - (y - atY) * right)];
      const length = from === undefined ? Math.hypot(along, across) : along + 2 * across;
      if (length < least && (from === undefined || (along >= STEP && across <= along))) [nearest, least] = [i, length];
    }
    if (nearest >= 0) this.moveTo(nearest);
    else this.live.textContent = "No point lies further that way.";
  }

  moveTo(i) {
    const { view, cloud } = this.map;
    this.at = i;
    const { width, height, scale } = view.window();
    const [right, down] = this.pixel(i);
    const [x, y] = cloud.placeOf(i);
    if (right < LEFT + STEP || right > LEFT + width - STEP || down < STEP || down > height - STEP) view.glideTo({ x, y, scale });
    this.tell();
  }

  /** What the keys are at is said, and drawn by `follow`. */
  tell() {
    const [offsetX, offsetY] = this.pixel(this.at);
    this.map.point(this.at, { offsetX, offsetY });
    this.live.textContent = this.map.wordsOf(this.at);
    this.map.draw();
  }

  /** A point that was searched for is chosen, and the view goes there. */
  goTo(i) {
    const { view, cloud, legend, frame } = this.map;
    if (legend.hidden.delete(frame.category[i])) legend.mark();
    cloud.order();
    this.at = i;
    const [x, y] = cloud.placeOf(i);
    view.glideTo({ x, y, scale: Math.max(view.window().scale, NEARER * view.fitted().scale) });
    this.tell();
    this.map.choosePoint(i);
  }

  /** The words at the point go with it, as far as it is seen. */
  follow() {
    if (!this.isOn) return;
    const [right, down] = this.pixel(this.at);
    const { width, height } = this.map.view.window();
    this.map.tip.hidden = right < LEFT || right > LEFT + width || down < 0 || down > height || this.map.cloud.isHidden(this.at);
    if (!this.map.tip.hidden) this.map.placeTip(right, down);
  }

  /** Where a point is drawn, in pixels of the map. */
  pixel(i) {
    const { left, top, scale } = this.map.view.window();
    const [x, y] = this.map.cloud.placeOf(i);
    return [(x - left) * scale + LEFT, (top - y) * scale];
  }
}
