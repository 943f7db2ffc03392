// What belongs to a run and not to one frame of it: its images, its points at all epochs. It is sent once, by a
// component that draws nothing, and every map of that run on the page finds it here.

import { along, picture, pixels, VERSION } from "./frame.js";

const MOST = 8; // of each kind; the oldest goes
const kept = (globalThis.semidmlKept ??= { images: new Map(), film: new Map(), lattice: new Map(), maps: new Set() });

export const maps = kept.maps;
export const imagesOf = (run) => kept.images.get(run);
export const filmOf = (run) => kept.film.get(run);
export const latticeOf = (run) => kept.lattice.get(run);

/** Bytes of `pack_images`, `pack_film` or `pack_lattice`: kept under their run; the maps are told. */
export function keep(data) {
  const bytes = new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (header.version !== VERSION) throw new Error(`the map reads version ${VERSION}, got ${header.version}`);
  const shelf = kept[header.kind];
  shelf.delete(header.run);
  shelf.set(header.run, { film, images, lattice }[header.kind](header, bytes.subarray(4 + length)));
  if (shelf.size > MOST) shelf.delete(shelf.keys().next().value);
  for (const map of maps) map.hears(header.kind, header.run);
}

/** {epochs, scores, cloud(k) -> {x, y} of the k-th epoch}. */
function film(header, bytes) {
  const { n, bounds } = header;
  const shorts = new Uint16Array(bytes.slice(0, 4 * n * header.epochs.length).buffer);
  const [x0, y0, x1, y1] = bounds;
  const cloud = (k) => {
    const start = 2 * n * k;
    return { x: along(shorts.subarray(start, start + n), x0, x1), y: along(shorts.subarray(start + n, start + 2 * n), y0, y1) };
  };
  const place = (k, i) => {
    const index = 2 * n * k + i;
    return [x0 + (shorts[index] / 65535) * (x1 - x0), y0 + (shorts[index + n] / 65535) * (y1 - y0)];
  };
  return { ...header, cloud, place };
}

/** {width, height, paint(canvas, i): the image of point i}. */
function images(header, bytes) {
  const { width, height, channels } = header;
  const size = width * height * channels;
  const paint = (canvas, i) => {
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(pixels(bytes.subarray(i * size, (i + 1) * size), width, height, channels), 0, 0);
    canvas.dataset.row = header.rows ? header.rows[i] : i;
  };
  return { ...header, paint };
}

/** {box, picture}: one picture of all decoded places. */
function lattice(header, bytes) {
  return { ...header, picture: picture(bytes, header.width, header.height, header.channels) };
}

/** The component that draws nothing. */
export default function store({ data }) {
  keep(data);
}
