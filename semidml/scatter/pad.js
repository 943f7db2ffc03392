// A pad on which a visitor draws an image of the data set's size, light on dark; each stroke that ends is told.

import { add } from "./paint.js";

const SIDE = 224; // CSS pixels
const BRUSH = 0.055; // radius, of the image's side
const EDGE = 0.75; // pixels over which a stroke fades

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".pad");
  if (root.pad?.height !== data.height || root.pad?.width !== data.width) root.pad = new Pad(root, data);
  root.pad.tell = (pixels) => setTriggerValue("drawn", { pixels });
}

class Pad {
  constructor(root, { height, width }) {
    [this.height, this.width] = [height, width];
    root.replaceChildren();
    this.canvas = add(root, "canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `a pad of ${height} by ${width} pixels to draw on`);
    [this.canvas.width, this.canvas.height] = [width, height];
    this.canvas.style.width = `${SIDE}px`;
    this.canvas.style.height = `${(SIDE * height) / width}px`;
    const clear = add(root, "button");
    clear.type = "button";
    clear.textContent = "Clear the pad";
    clear.onclick = () => {
      this.pixels.fill(0);
      this.draw();
    };
    this.pixels = new Float32Array(height * width);
    this.last = null;
    this.canvas.onpointerdown = (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.last = this.at(event);
      this.stroke(this.last);
    };
    this.canvas.onpointermove = (event) => this.last && this.stroke(this.at(event));
    this.canvas.onpointerup = this.canvas.onpointercancel = () => {
      if (this.last) this.tell(Array.from(this.pixels, Math.round));
      this.last = null;
    };
    this.draw();
  }

  /** In the image's pixels. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.x) / box.width) * this.width, ((event.clientY - box.y) / box.height) * this.height];
  }

  /** A line from the last place to this one. */
  stroke([x, y]) {
    const [x0, y0] = this.last;
    const radius = Math.max(0.45, BRUSH * this.width);
    const reach = Math.ceil(radius + EDGE);
    const squared = (x - x0) ** 2 + (y - y0) ** 2;
    for (let v = Math.floor(Math.min(y, y0)) - reach; v <= Math.max(y, y0) + reach; v++) {
      for (let u = Math.floor(Math.min(x, x0)) - reach; u <= Math.max(x, x0) + reach; u++) {
        if (u < 0 || v < 0 || u >= this.width || v >= this.height) continue;
        const along = squared ? ((u + 0.5 - x0) * (x - x0) + (v + 0.5 - y0) * (y - y0)) / squared : 0;
        const t = Math.min(1, Math.max(0, along));
        const distance = Math.hypot(u + 0.5 - x0 - t * (x - x0), v + 0.5 - y0 - t * (y - y0));
        const light = 255 * Math.min(1, Math.max(0, (radius + EDGE - distance) / EDGE));
        const i = v * this.width + u;
        this.pixels[i] = Math.max(this.pixels[i], light);
      }
    }
    this.last = [x, y];
    this.draw();
  }

  draw() {
    const image = new ImageData(this.width, this.height);
    this.pixels.forEach((light, i) => image.data.set([light, light, light, 255], 4 * i));
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }
}
