// Reads PNG pictures (ISO/IEC 15948) and writes them as one animation (APNG) with a palette and without what did not change.
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Index of the palette for pixels that are as in the frame before. */
const UNCHANGED = 255;
/** Channels of the color types that browsers write: RGB and RGBA. */
const CHANNELS = { 2: 3, 6: 4 };

/**
 * Decodes a picture of 8 bits per channel that is not interlaced, as browsers write screenshots.
 * @param {Buffer} png
 * @returns {{ width: number, height: number, pixels: Uint32Array }} pixels as 0xRRGGBB
 */
export function decodePng(png) {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const channels = CHANNELS[png[25]];
  if (channels === undefined || png[24] !== 8 || png[28] !== 0)
    throw new Error('Only RGB and RGBA with 8 bits per channel, not interlaced, can be read');
  const parts = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const bytes = inflateSync(Buffer.concat(parts));
  const rowBytes = width * channels;
  const pixels = new Uint32Array(width * height);
  let above = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y += 1) {
    const start = y * (rowBytes + 1);
    const row = bytes.subarray(start + 1, start + 1 + rowBytes);
    unfilter(bytes[start], row, above, channels);
    for (let x = 0, at = 0; x < width; x += 1, at += channels)
      pixels[y * width + x] = (row[at] << 16) | (row[at + 1] << 8) | row[at + 2];
    above = row;
  }
  return { width, height, pixels };
}

/** Reverses the filter of a row in place. */
function unfilter(type, row, above, channels) {
  for (let x = 0; x < row.length; x += 1) {
    const left = x < channels ? 0 : row[x - channels];
    const corner = x < channels ? 0 : above[x - channels];
    if (type === 1) row[x] += left;
    else if (type === 2) row[x] += above[x];
    else if (type === 3) row[x] += (left + above[x]) >> 1;
    else if (type === 4) row[x] += paeth(left, above[x], corner);
  }
}

function paeth(left, up, corner) {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/**
 * Encodes frames as an animation that repeats.
 * @param {{ width: number, height: number }} size
 * @param {readonly { pixels: Uint32Array, ms: number }[]} frames pixels as 0xRRGGBB, and how long they are shown
 * @returns {Buffer}
 */
export function encodeApng({ width, height }, frames) {
  const merged = [];
  for (const { pixels, ms } of frames) {
    const last = merged.at(-1);
    if (last?.pixels.every((color, at) => color === pixels[at])) last.ms += ms;
    else merged.push({ pixels, ms });
  }
  const { palette, indexOf } = paletteOf(merged.map(({ pixels }) => pixels));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  const animation = Buffer.alloc(8);
  animation.writeUInt32BE(merged.length, 0);
  const chunks = [
    chunk('IHDR', header),
    chunk('acTL', animation),
    chunk('PLTE', Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]))),
    chunk('tRNS', Buffer.alloc(256, 255).fill(0, UNCHANGED)),
  ];
  let sequence = 0;
  let shown;
  for (const { pixels, ms } of merged) {
    const indexes = Uint8Array.from(pixels, indexOf);
    const area = changedArea(shown, indexes, width, height);
    const control = Buffer.alloc(26);
    control.writeUInt32BE(sequence++, 0);
    [area.width, area.height, area.left, area.top].forEach((each, at) =>
      control.writeUInt32BE(each, 4 + at * 4),
    );
    control.writeUInt16BE(Math.min(65_535, Math.round(ms)), 20);
    control.writeUInt16BE(1_000, 22);
    // Leaves the frame, and draws the next one over it.
    control.set([0, 1], 24);
    chunks.push(chunk('fcTL', control));
    const data = smallest(shown, indexes, area, width);
    if (shown === undefined) chunks.push(chunk('IDAT', data));
    else {
      const number = Buffer.alloc(4);
      number.writeUInt32BE(sequence++, 0);
      chunks.push(chunk('fdAT', Buffer.concat([number, data])));
    }
    shown = indexes;
  }
  return Buffer.concat([SIGNATURE, ...chunks, chunk('IEND', Buffer.alloc(0))]);
}

/** Chooses at most 255 colors of which one is near every color of the frames, the frequent ones exactly. */
function paletteOf(frames) {
  const counts = new Map();
  frames.forEach((pixels, number) => {
    const before = frames[number - 1];
    for (let at = 0; at < pixels.length; at += 1)
      if (pixels[at] !== before?.[at]) counts.set(pixels[at], (counts.get(pixels[at]) ?? 0) + 1);
  });
  const colors = [...counts].sort(([, a], [, b]) => b - a).map(([color]) => color);
  for (let limit = 0; ; limit += 3) {
    const palette = [];
    const indexes = new Map();
    for (const color of colors) {
      let index = nearest(palette, color, limit);
      if (index === undefined) index = palette.push(color) - 1;
      if (palette.length > UNCHANGED) break;
      indexes.set(color, index);
    }
    if (palette.length > UNCHANGED) continue;
    while (palette.length < 256) palette.push(0);
    return { palette, indexOf: (color) => indexes.get(color) };
  }
}

/** Returns the index of the nearest color within a distance, or undefined. */
function nearest(palette, color, limit) {
  let found;
  let smallest = limit * limit;
  palette.forEach((each, index) => {
    const [red, green, blue] = [16, 8, 0].map((shift) => ((each >> shift) & 255) - ((color >> shift) & 255));
    const distance = red * red + green * green + blue * blue;
    if (distance > smallest) return;
    smallest = distance;
    found = index;
  });
  return found;
}

/** Returns the rectangle outside which nothing has changed. */
function changedArea(before, after, width, height) {
  if (before === undefined) return { left: 0, top: 0, width, height };
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let at = 0; at < after.length; at += 1) {
    if (before[at] === after[at]) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    [left, top, right, bottom] = [
      Math.min(left, x),
      Math.min(top, y),
      Math.max(right, x),
      Math.max(bottom, y),
    ];
  }
  // Colors that differ may have the same entry of the palette. A frame has at least one pixel.
  if (right < left) return { left: 0, top: 0, width: 1, height: 1 };
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Compresses an area, either with all of its pixels or with the changed ones alone. */
function smallest(before, after, area, width) {
  const encode = (pixelAt) => {
    const rows = Buffer.alloc(area.height * (area.width + 1));
    for (let y = 0; y < area.height; y += 1)
      for (let x = 0; x < area.width; x += 1)
        rows[y * (area.width + 1) + 1 + x] = pixelAt((area.top + y) * width + area.left + x);
    return deflateSync(rows, { level: 9, memLevel: 9 });
  };
  const all = encode((at) => after[at]);
  if (before === undefined) return all;
  const changed = encode((at) => (before[at] === after[at] ? UNCHANGED : after[at]));
  return changed.length < all.length ? changed : all;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
