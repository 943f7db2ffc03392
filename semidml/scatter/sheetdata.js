// What `sheet.py` packs, unpacked.

const VERSION = 1;

/** Bytes -> the header's fields; `maps` has, by a cell's number, its `points`, x, y and class of each, and `rings`. */
export function unpackSheet(data) {
  const bytes = new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const sheet = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (sheet.version !== VERSION) throw new Error(`the sheet draws version ${VERSION}, got ${sheet.version}`);
  let offset = 4 + length;
  sheet.maps = new Map(
    sheet.maps.map(({ cell, count, rings }) => {
      const points = bytes.subarray(offset, offset + 3 * count);
      offset += 3 * count;
      return [cell, { points, rings }];
    }),
  );
  return sheet;
}
