// What `semidml/scatter/__init__.py` packs, unpacked: the header's fields and the points' columns.

export const VERSION = 5;
export const SEEN = 1; // flags of a point
export const TEST = 2;
export const AWAY = 4; // not drawn: not finite, or of rows that were filtered out
export const NONE = 65535; // in the place of a label, a prediction or a cluster: there is none
const FINE = 65535;
const TYPES = { u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };

/** Bytes -> the header's fields, each column by its name, x and y in latent units, `regions` as paths, `drawings` as
 * canvases. */
export function unpack(data) {
  const bytes = new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (frame.version !== VERSION) throw new Error(`the map draws version ${VERSION}, got ${frame.version}`);
  let offset = 4 + length;
  const take = (type, count) => {
    const size = count * TYPES[type].BYTES_PER_ELEMENT;
    const part = new TYPES[type](bytes.slice(offset, offset + size).buffer);
    offset += size;
    return part;
  };
  for (const [name, type] of frame.columns) frame[name] = take(type, frame.n);
  const [x0, y0, x1, y1] = frame.bounds;
  frame.x = along(frame.x, x0, x1);
  frame.y = along(frame.y, y0, y1);
  frame.label ??= frame.category;
  if (frame.error) frame.error = along(frame.error, 0, frame.error_unit);
  frame.regions = frame.density ? regions(frame.density, take("u1", frame.density.rows * frame.density.columns)) : [];
  frame.drawings = frame.pictures ? drawings(frame.pictures, (count) => take("u1", count)) : [];
  return frame;
}

/** The pictures of components, a small canvas each. */
function drawings({ count, height, width, channels }, take) {
  return Array.from({ length: count }, () => picture(take(height * width * channels), width, height, channels));
}

/** A picture's bytes, row by row, one or three a pixel, as a canvas. */
export function picture(bytes, width, height, channels) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(pixels(bytes, width, height, channels), 0, 0);
  return canvas;
}

export function pixels(bytes, width, height, channels) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[i * channels + (channels === 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** 65,535ths of a range as numbers in it. */
export function along(part, low, high) {
  const unit = (high - low) / FINE;
  const values = new Float32Array(part.length);
  for (let i = 0; i < part.length; i++) values[i] = low + part[i] * unit;
  return values;
}

/** Of each mass the region of a grid where the share is at most that, as a path in latent units: 7 ms for nine hills
 * (Chromium, two busy Xeon cores, n = 20, 2026-11-22). */
function regions(grid, shares) {
  const { columns, rows, masses } = grid;
  const [x0, y0, x1, y1] = grid.box;
  const [across, up] = [(x1 - x0) / (columns - 1), (y1 - y0) / (rows - 1)];
  return masses.map((mass) => {
    const path = new Path2D();
    const level = 255 * mass;
    const inside = (i, j) => shares[j * columns + i] <= level;
    for (let j = 0; j + 1 < rows; j++) {
      let first = -1; // the first of the cells side by side that lie inside whole: one rectangle
      for (let i = 0; i < columns; i++) {
        const corners = i + 1 < columns ? inside(i, j) + inside(i + 1, j) + inside(i, j + 1) + inside(i + 1, j + 1) : 0;
        if (corners === 4 && first < 0) first = i;
        if (corners === 4) continue;
        if (first >= 0) path.rect(x0 + first * across, y0 + j * up, (i - first) * across, up);
        first = -1;
        if (corners) border(i, j);
      }
    }
    return path;

    function border(i, j) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      let command = "moveTo";
      corners.forEach(([a, b], k) => {
        const [c, d] = corners[(k + 1) % 4];
        const [share, next] = [shares[b * columns + a], shares[d * columns + c]];
        const part = (level - share) / (next - share);
        const ends = share <= level ? [[a, b]] : [];
        if (share <= level !== next <= level) ends.push([a + part * (c - a), b + part * (d - b)]);
        for (const [x, y] of ends) path[command](x0 + x * across, y0 + y * up), (command = "lineTo");
      });
      path.closePath();
    }
  });
}
