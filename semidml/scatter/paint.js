// What lies under and over the points: axes, regions, decoded places; components, modes, marks and what is being drawn.

export const EDGE = 22; // pixels below and LEFT at the left, for the numbers of the axes
export const LEFT = 40;
const PICTURE = 26; // pixels across, before one looks nearer
const MODE = "#d55e00";
const MARK = "#d55e00";
const DOT = [1.2, 30, 6.5]; // pixels of the radius of a component's dot: the least, of the whole weight, and the most

/** The axes, within them the lattice, what holds no data, and the prior's regions. */
export function under(draw, map, width, height, font) {
  axes(draw, map, width, height, font);
  inside(draw, width, height, () => {
    if (map.lattice) lattice(draw, map);
    if (map.frame.shade) empty(draw, map);
    density(draw, map);
  });
}

/** Components, modes, trails, marked points, and the region or line that is drawn now. */
export function over(draw, map, width, height) {
  inside(draw, width, height, () => {
    if (!map.frame.rings) dots(draw, map);
    pictures(draw, map);
    components(draw, map);
    origins(draw, map);
    modes(draw, map);
    trails(draw, map);
    marks(draw, map);
    sketch(draw, map);
  });
}

function inside(draw, width, height, paint) {
  draw.save();
  draw.beginPath();
  draw.rect(LEFT, 0, width - LEFT, height - EDGE);
  draw.clip();
  paint();
  draw.restore();
}

/** The regions that hold shares of the prior's mass, one faint shade on the other; fainter where they are not those of
 * the components any more. */
function density(draw, map) {
  const { left, top, scale } = map.view.window();
  draw.save();
  draw.translate(LEFT - left * scale, top * scale);
  draw.scale(scale, -scale);
  draw.fillStyle = map.ink;
  draw.globalAlpha = map.handles.isAhead ? 0.02 : 0.06;
  for (const region of map.frame.regions) draw.fill(region);
  draw.restore();
}

/** Places far from every point, hatched: what is decoded there rests on nothing. */
function empty(draw, map) {
  const { left, top, scale } = map.view.window();
  const { x0, y0, side, columns, rows, near } = map.cloud.reach();
  draw.save();
  draw.beginPath();
  draw.rect(LEFT, 0, draw.canvas.width, draw.canvas.height);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) {
      if (!near[j * columns + i]) continue;
      let end = i;
      while (end + 1 < columns && near[j * columns + end + 1]) end++;
      const [right, down] = [(x0 + i * side - left) * scale + LEFT, (top - y0 - (j + 1) * side) * scale];
      draw.rect(right, down - 0.5, (end + 1 - i) * side * scale, side * scale + 1);
      i = end;
    }
  }
  draw.clip("evenodd");
  draw.strokeStyle = map.ink;
  draw.globalAlpha = 0.1;
  draw.lineWidth = 1;
  draw.beginPath();
  const { width, height } = map.view.window();
  for (let at = -height; at < width; at += 7) {
    draw.moveTo(LEFT + at, height);
    draw.lineTo(LEFT + at + height, 0);
  }
  draw.stroke();
  draw.restore();
}

function lattice(draw, map) {
  const { left, top, scale } = map.view.window();
  const { box, picture } = map.lattice;
  draw.imageSmoothingEnabled = false;
  draw.globalAlpha = 0.6; // the points are the matter
  const [x0, y0, x1, y1] = box;
  draw.drawImage(picture, (x0 - left) * scale + LEFT, (top - y1) * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  draw.globalAlpha = 1;
}

/** The prior's components, at one and two sigma; a faint line is a small weight. Of many that one which is pointed at. */
function components(draw, map) {
  const { left, top, scale } = map.view.window();
  draw.strokeStyle = map.ink;
  map.frame.ellipses.forEach(([x, y, a, b, angle, weight], i) => {
    const isPointed = i === map.component;
    if (!map.frame.rings && !isPointed) return;
    for (const [sigmas, width] of [[1, 1.6], [2, 0.8]]) {
      draw.globalAlpha = isPointed ? 1 : 0.15 + 0.65 * weight;
      draw.lineWidth = isPointed ? width + 0.6 : width;
      draw.beginPath();
      draw.ellipse((x - left) * scale + LEFT, (top - y) * scale, sigmas * a * scale, sigmas * b * scale, -angle, 0, 2 * Math.PI);
      draw.stroke();
    }
  });
  draw.globalAlpha = 1;
}

/** The middles of many components: dots whose areas are their weights, with a thin edge, so that they are seen on points
 * of any colour. */
function dots(draw, map) {
  const { left, top, scale } = map.view.window();
  const whole = map.frame.ellipses.reduce((sum, [, , , , , weight]) => sum + weight, 0);
  const [least, all, most] = DOT;
  draw.fillStyle = map.ink;
  draw.strokeStyle = map.ground;
  draw.lineWidth = 1;
  draw.globalAlpha = 0.75;
  for (const [x, y, , , , weight] of map.frame.ellipses) {
    const radius = Math.min(most, Math.max(least, all * Math.sqrt(weight / whole)));
    draw.beginPath();
    draw.arc((x - left) * scale + LEFT, (top - y) * scale, radius, 0, 2 * Math.PI);
    draw.fill();
    draw.stroke();
  }
  draw.globalAlpha = 1;
}

/** Small pictures at the middles of components; larger when one looks nearer. One that would lie on that of a heavier
 * component waits until there is room. */
function pictures(draw, map) {
  const { left, top, scale } = map.view.window();
  const nearer = Math.max(1, scale / map.view.fitted().scale);
  const side = Math.min(72, PICTURE * Math.sqrt(nearer));
  draw.strokeStyle = map.ink;
  draw.lineWidth = 1;
  const { drawings, origins, ellipses } = map.frame;
  const taken = []; // places of pictures, in pixels
  const heaviest = drawings.map((_, i) => i).sort((i, j) => ellipses[j][5] - ellipses[i][5]);
  for (const i of heaviest) {
    const [picture, [x, y]] = [drawings[i], origins[i] ?? ellipses[i]];
    if (taken.some(([u, v]) => Math.max(Math.abs(x - u), Math.abs(y - v)) * scale < side)) continue;
    taken.push([x, y]);
    const times = side / Math.max(picture.width, picture.height);
    const [across, tall] = [times * picture.width, times * picture.height];
    const [right, down] = [(x - left) * scale + LEFT - across / 2, (top - y) * scale - tall / 2];
    draw.imageSmoothingEnabled = times < 1; // fewer pixels than it has are means, more are squares
    draw.drawImage(picture, right, down, across, tall);
    draw.strokeRect(right, down, across, tall);
  }
}

/** From where a component was to where it is now. */
function origins(draw, map) {
  const { left, top, scale } = map.view.window();
  draw.strokeStyle = MARK;
  draw.lineWidth = 1.5;
  map.frame.origins.forEach(([x, y], i) => {
    const [toX, toY] = map.frame.ellipses[i];
    if (Math.hypot(toX - x, toY - y) * scale < 2) return;
    const [right, down] = [(x - left) * scale + LEFT, (top - y) * scale];
    draw.beginPath();
    draw.arc(right, down, 4, 0, 2 * Math.PI);
    draw.setLineDash([4, 3]);
    draw.moveTo(right, down);
    draw.lineTo((toX - left) * scale + LEFT, (top - toY) * scale);
    draw.stroke();
    draw.setLineDash([]);
  });
}

function modes(draw, map) {
  const { left, top, scale } = map.view.window();
  if (map.handles.isAhead) return;
  for (const [x, y] of map.frame.modes) {
    const [right, down] = [(x - left) * scale + LEFT, (top - y) * scale];
    for (const [colour, width] of [["#ffffff", 5], [MODE, 2.5]]) {
      draw.strokeStyle = colour;
      draw.lineWidth = width;
      draw.beginPath();
      for (const slope of [-1, 1]) {
        draw.moveTo(right - 4, down - 4 * slope);
        draw.lineTo(right + 4, down + 4 * slope);
      }
      draw.stroke();
    }
  }
}

/** The ways of the marked points through the epochs, up to the one that is shown. */
function trails(draw, map) {
  const { left, top, scale } = map.view.window();
  draw.strokeStyle = MARK;
  draw.lineWidth = 1.5;
  draw.globalAlpha = 0.7;
  for (const way of map.cloud.trails()) {
    draw.beginPath();
    way.forEach(([x, y]) => draw.lineTo((x - left) * scale + LEFT, (top - y) * scale));
    draw.stroke();
  }
  draw.globalAlpha = 1;
}

function marks(draw, map) {
  const { left, top, scale } = map.view.window();
  const ring = (x, y, radius, colour, width) => {
    draw.strokeStyle = colour;
    draw.lineWidth = width;
    draw.beginPath();
    draw.arc((x - left) * scale + LEFT, (top - y) * scale, radius, 0, 2 * Math.PI);
    draw.stroke();
  };
  for (const i of map.marked()) {
    const [x, y] = map.cloud.placeOf(i);
    ring(x, y, 9, "#ffffff", 5);
    ring(x, y, 9, MARK, 2.5);
  }
  for (const [x, y] of map.frame.places) {
    for (const [colour, width] of [["#ffffff", 5], [MARK, 2.5]]) {
      ring(x, y, 6, colour, width);
      const [right, down] = [(x - left) * scale + LEFT, (top - y) * scale];
      draw.beginPath();
      for (const [a, b] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
        draw.moveTo(right + 6 * a, down + 6 * b);
        draw.lineTo(right + 13 * a, down + 13 * b);
      }
      draw.stroke();
    }
  }
}

/** The box, lasso or line as it is being drawn, or as it was drawn last. */
function sketch(draw, map) {
  const points = map.sketch ?? [];
  if (points.length < 2) return;
  const { left, top, scale } = map.view.window();
  draw.beginPath();
  for (const [x, y] of points) draw.lineTo((x - left) * scale + LEFT, (top - y) * scale);
  if (map.tool !== "line") draw.closePath();
  draw.strokeStyle = map.ink;
  draw.lineWidth = 1.5;
  draw.setLineDash(map.tool === "line" ? [] : [5, 4]);
  draw.stroke();
  draw.setLineDash([]);
  if (map.tool === "line") return;
  draw.globalAlpha = 0.06;
  draw.fillStyle = map.ink;
  draw.fill();
  draw.globalAlpha = 1;
}

function axes(draw, map, width, height, font) {
  const { left, top, scale } = map.view.window();
  const step = niceStep((map.present.isOn ? 110 : 70) / scale);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  draw.font = `${map.present.isOn ? 15 : 11}px ${font}`;
  draw.lineWidth = 1;
  draw.strokeStyle = draw.fillStyle = map.ink;
  const line = (x0, y0, x1, y1) => {
    draw.globalAlpha = 0.12;
    draw.beginPath();
    draw.moveTo(x0, y0);
    draw.lineTo(x1, y1);
    draw.stroke();
    draw.globalAlpha = 0.75;
  };
  draw.textAlign = "center";
  for (let at = Math.ceil(left / step) * step; (at - left) * scale < width - LEFT; at += step) {
    const pixel = Math.round((at - left) * scale + LEFT) + 0.5;
    line(pixel, 0, pixel, height - EDGE);
    draw.fillText(number(at, digits), pixel, height - 6);
  }
  draw.textAlign = "right";
  for (let at = Math.floor(top / step) * step; (top - at) * scale < height - EDGE; at -= step) {
    const pixel = Math.round((top - at) * scale) + 0.5;
    line(LEFT, pixel, width, pixel);
    if (pixel > 8) draw.fillText(number(at, digits), LEFT - 6, pixel + 4);
  }
  draw.globalAlpha = 1;
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
export function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least);
}

export function number(value, digits) {
  return Math.abs(value) < 1e-12 ? "0" : decimals(value, digits).replace("-", "\u2212");
}

/** A number with so many digits behind the point; what rounds to nothing is 0.00, never -0.00. */
export function decimals(value, digits) {
  const words = value.toFixed(digits);
  return Number(words) ? words : words.replace("-", "");
}

export function add(parent, tag, name = "") {
  const child = document.createElement(tag);
  child.className = name;
  parent.append(child);
  return child;
}
