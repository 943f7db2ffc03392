// A handle for each component that can be moved: drag it, or focus it and press the arrow keys (with Shift: far).

import { add, niceStep, number } from "./paint.js";

const STEP = 4; // pixels that an arrow key moves a component, at least; with Shift ten times as far
const PAUSE = 500; // milliseconds without an arrow key after which a move has ended

export class Handles {
  constructor(map, root) {
    this.map = map;
    this.root = root;
    this.timer = null;
    this.changed = false;
    this.moves = 0; // the last move of a component that was told
    this.moving = false; // one is made now
    this.ahead = false; // the page has not seen the last one yet
  }

  /** Whether a component may be elsewhere than the page knows. */
  get isAhead() {
    return this.ahead || this.moving;
  }

  /** Components stay where the visitor has put them until the page has seen the last move. */
  hold(frame, before) {
    const alike = before?.ellipses.length === frame.ellipses.length && frame.movable;
    this.ahead = alike && (this.moving || frame.moves < this.moves);
    if (this.ahead) frame.ellipses.forEach((ellipse, i) => ellipse.splice(0, 2, ...before.ellipses[i].slice(0, 2)));
    else this.moves = frame.moves;
  }

  /** As many handles as the frame has components to move. */
  show(frame) {
    const wanted = frame.movable ? frame.ellipses.length : 0;
    this.root.classList.toggle("many", !frame.rings);
    while (this.root.children.length > wanted) this.root.lastChild.remove();
    while (this.root.children.length < wanted) this.make(this.root.children.length);
  }

  make(which) {
    const handle = add(this.root, "button");
    handle.type = "button";
    handle.title = `component ${which + 1}: drag it, or move it with the arrow keys`;
    add(handle, "span").textContent = which + 1;
    let grip = null; // from the pointer to the middle, in pixels
    handle.onpointerdown = (event) => {
      handle.setPointerCapture(event.pointerId);
      const [right, down] = this.pixels(which);
      grip = [right - event.clientX, down - event.clientY];
      this.map.view.hold();
      this.moving = true;
    };
    handle.onpointermove = (event) => grip && this.move(which, event.clientX + grip[0], event.clientY + grip[1]);
    handle.onpointerup = handle.onpointercancel = () => {
      grip = null;
      this.drop();
    };
    handle.onkeydown = (event) => {
      const along = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!along) return;
      event.preventDefault(); // the page does not scroll
      const { scale } = this.map.view.window();
      const step = niceStep(STEP / scale) * scale * (event.shiftKey ? 10 : 1);
      const [right, down] = this.pixels(which);
      this.move(which, right + along[0] * step, down + along[1] * step);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.drop(), PAUSE);
    };
    handle.onfocus = handle.onpointerenter = () => this.map.pointComponent(which);
    handle.onpointerleave = () => this.map.pointComponent(-1);
    handle.onblur = () => {
      this.map.pointComponent(-1);
      if (this.timer) this.drop();
    };
  }

  /** Where a component's middle is drawn, in pixels from the upper left corner of what lies within the axes. */
  pixels(which) {
    const { left, top, scale } = this.map.view.window();
    const [x, y] = this.map.frame.ellipses[which];
    return [(x - left) * scale, (top - y) * scale];
  }

  /** A component's middle to these pixels, or as near to them as the map shows. */
  move(which, right, down) {
    this.map.view.hold();
    const { left, top, width, height, scale } = this.map.view.window();
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    const [across, along] = [within(right, width), within(down, height)];
    this.map.view.pushed = across !== right || along !== down;
    const ellipse = this.map.frame.ellipses[which];
    [ellipse[0], ellipse[1]] = [left + across / scale, top - along / scale];
    this.moving = this.changed = true;
    this.map.draw();
  }

  /** A move has ended: tell it, if anything moved. */
  drop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.moving = false;
    if (this.changed) {
      this.ahead = true;
      this.moves += 1;
      this.map.tell("moved", { move: this.moves, middles: this.map.frame.ellipses.map(([x, y]) => [x, y]) });
    }
    this.changed = false;
    this.map.draw();
  }

  place() {
    const digits = Math.max(0, Math.ceil(Math.log10(this.map.view.window().scale)));
    [...this.root.children].forEach((handle, i) => {
      const [right, down] = this.pixels(i);
      handle.style.transform = `translate(${right}px, ${down}px) translate(-50%, -50%)`;
      const [x, y] = this.map.frame.ellipses[i].map((value) => number(value, digits));
      handle.setAttribute("aria-label", `component ${i + 1} of ${this.map.frame.ellipses.length} at ${x}, ${y}`);
    });
  }
}
