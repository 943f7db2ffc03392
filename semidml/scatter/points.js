// The points: by WebGL2, or as copies of small pictures on a canvas, of more than 5,000 an even part.
//
// Both draw with the same calls: show(frame) for categories and colours, move(cloud, from) for where the points are,
// {x, y}, and where they glide from, or null; order(indices, large) for which are drawn, of which the last `large` are
// ringed; draw(window, style) for a drawing: window {left, top, scale, width, height} as LiveMap.window() gives it, style
// {part, size, ring, ringed, opacity, share, ink, ratio}: the part 0 to 1 of the glide, the share of points to draw.

export const SHAPES = ["circle", "diamond", "square", "triangle-up", "cross", "x"];
const MOST_ON_CANVAS = 5000;
const ROW = 1024; // categories in a row of the table of colours

const VERTEX = `#version 300 es
in float fromX, fromY, toX, toY, category, strength;
uniform vec2 corner, room;
uniform float scale, part, size, ratio, tiny;
uniform highp sampler2D looks;
flat out vec3 colour;
flat out float shape, radius;
void main() {
  vec2 at = mix(vec2(fromX, fromY), vec2(toX, toY), part);
  vec2 pixel = vec2(at.x - corner.x, corner.y - at.y) * scale;
  gl_Position = vec4(pixel.x / room.x * 2.0 - 1.0, 1.0 - pixel.y / room.y * 2.0, 0.0, 1.0);
  int number = int(category + 0.5);
  vec4 look = texelFetch(looks, ivec2(number % ${ROW}, number / ${ROW}), 0);
  colour = mix(vec3(0.55), look.rgb, strength);
  shape = look.a * 255.0;
  radius = size * ratio / 2.0;
  gl_PointSize = tiny > 0.5 ? size * ratio : size * ratio * 1.25 + 1.5;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
flat in vec3 colour;
flat in float shape, radius;
uniform vec4 ink;
uniform float opacity, ring, ratio, tiny;
out vec4 drawn;
float plus(vec2 q) {
  return min(max(q.x - 0.4, q.y - 1.2), max(q.x - 1.2, q.y - 0.4));
}
float outside(vec2 p) { // signed distance from the outline, in radii
  vec2 q = abs(p);
  if (shape < 0.5) return length(p) - 1.0;
  if (shape < 1.5) return (q.x + q.y - 1.2) * 0.707;
  if (shape < 2.5) return max(q.x, q.y) - 0.9;
  if (shape < 3.5) return max(p.y - 0.8, (2.0 * q.x - 1.1 * (p.y + 1.2)) / 2.283);
  if (shape < 4.5) return plus(q);
  return plus(abs(vec2(p.x + p.y, p.x - p.y)) * 0.707);
}
void main() {
  float full = opacity;
  vec3 shade = colour;
  if (tiny < 0.5) {
    float far = outside((gl_PointCoord - 0.5) * (radius * 2.5 + 1.5) / radius) * radius;
    full *= clamp(0.5 - far, 0.0, 1.0);
    if (full <= 0.0) discard;
    if (ring > 0.5) shade = mix(shade, ink.rgb, clamp(far + 2.0 * ratio, 0.0, 1.0));
  }
  drawn = vec4(shade * full, full);
}`;

/** One WebGL2 for all maps of a page, or null where there is none or it was lost: without a GPU its start and its
 * shaders take most of a second, and browsers allow only some sixteen. */
class Shared {
  static instance;

  static get() {
    if (Shared.instance === undefined) {
      const gl = new OffscreenCanvas(1, 1).getContext("webgl2", { antialias: false, premultipliedAlpha: true });
      Shared.instance = gl && new Shared(gl);
    }
    return Shared.instance;
  }

  constructor(gl) {
    this.gl = gl;
    this.users = new Set();
    this.program = linkProgram(gl, VERTEX, FRAGMENT);
    gl.useProgram(this.program);
    const names = ["corner", "room", "scale", "part", "size", "ratio", "ink", "opacity", "ring", "tiny"];
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(this.program, name)]));
    const attributes = ["fromX", "fromY", "toX", "toY", "category", "strength"];
    this.attributes = Object.fromEntries(attributes.map((name) => [name, gl.getAttribLocation(this.program, name)]));
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
    gl.canvas.addEventListener("webglcontextlost", () => {
      Shared.instance = null;
      for (const user of [...this.users]) user.lost();
    });
  }

  /** Room for a picture of this size. */
  room(width, height) {
    const { canvas } = this.gl;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    this.gl.viewport(0, 0, width, height);
  }
}

/** What draws the points of a map on its canvas; `lost` is called when they need another one. */
export function pointsOn(canvas, lost) {
  const shared = Shared.get();
  return shared ? new GlPoints(canvas, shared, lost) : new CanvasPoints(canvas);
}

class GlPoints {
  constructor(canvas, shared, lost) {
    const { gl } = shared;
    Object.assign(this, { canvas, shared, lost, gl, uniforms: shared.uniforms });
    shared.users.add(this);
    this.target = canvas.getContext("bitmaprenderer"); // takes the picture over, without a copy
    this.buffers = Object.fromEntries(Object.keys(shared.attributes).map((name) => [name, gl.createBuffer()]));
    this.indices = gl.createBuffer();
    this.table = gl.createTexture();
  }

  get renderer() {
    return "webgl";
  }

  show(frame) {
    const { gl } = this;
    this.fill("category", frame.category);
    if (frame.strength) this.fill("strength", frame.strength);
    this.strong = !frame.strength;
    const rows = Math.ceil(Math.max(1, frame.looks.length) / ROW);
    const table = new Uint8Array(4 * ROW * rows);
    frame.looks.forEach(([colour, shape], i) => {
      const number = parseInt(colour.slice(1), 16);
      table.set([number >> 16, (number >> 8) & 255, number & 255, Math.max(0, SHAPES.indexOf(shape))], 4 * i);
    });
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, ROW, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  move(cloud, from) {
    this.gliding = from !== null;
    this.fill("toX", cloud.x);
    this.fill("toY", cloud.y);
    if (!from) return;
    this.fill("fromX", from.x);
    this.fill("fromY", from.y);
  }

  fill(name, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  order(indices, large) {
    const { gl } = this;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.indices);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.DYNAMIC_DRAW);
    this.count = indices.length;
    this.large = large;
    return "";
  }

  draw(window, style) {
    const { gl, uniforms, target } = this;
    const { width, height } = this.canvas;
    if (!width || !height) return;
    this.shared.room(width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    const bind = (name, buffer, type, normalized = false) => {
      const at = this.shared.attributes[name];
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, 1, type, normalized, 0, 0);
    };
    const from = this.gliding && style.part < 1;
    bind("fromX", this.buffers[from ? "fromX" : "toX"], gl.FLOAT);
    bind("fromY", this.buffers[from ? "fromY" : "toY"], gl.FLOAT);
    bind("toX", this.buffers.toX, gl.FLOAT);
    bind("toY", this.buffers.toY, gl.FLOAT);
    bind("category", this.buffers.category, gl.UNSIGNED_SHORT);
    if (this.strong) {
      const at = this.shared.attributes.strength;
      gl.disableVertexAttribArray(at);
      gl.vertexAttrib1f(at, 1);
    } else bind("strength", this.buffers.strength, gl.UNSIGNED_BYTE, true);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.indices);
    gl.uniform2f(uniforms.corner, window.left, window.top);
    gl.uniform2f(uniforms.room, window.width, window.height);
    gl.uniform1f(uniforms.scale, window.scale);
    gl.uniform1f(uniforms.part, from ? style.part : 1);
    gl.uniform1f(uniforms.ratio, style.ratio);
    gl.uniform4f(uniforms.ink, ...style.ink.map((part) => part / 255), 1);
    const draws = [[style.size, 0, 0, this.count - this.large], [style.ring, 1, this.count - this.large, this.large]];
    for (const [size, ringed, first, count] of draws) {
      if (!count) continue;
      gl.uniform1f(uniforms.size, size);
      gl.uniform1f(uniforms.ring, ringed && style.ringed ? 1 : 0);
      gl.uniform1f(uniforms.opacity, ringed ? 1 : style.opacity);
      gl.uniform1f(uniforms.tiny, size * style.ratio <= 2 ? 1 : 0);
      gl.drawElements(gl.POINTS, ringed ? count : Math.ceil(count * style.share), gl.UNSIGNED_INT, 4 * first);
    }
    target.transferFromImageBitmap(gl.canvas.transferToImageBitmap());
  }

  close() {
    this.shared.users.delete(this);
    for (const buffer of [...Object.values(this.buffers), this.indices]) this.gl.deleteBuffer(buffer);
    this.gl.deleteTexture(this.table);
  }
}

class CanvasPoints {
  constructor(canvas) {
    this.canvas = canvas;
    this.sprites = new Map();
  }

  get renderer() {
    return "canvas";
  }

  show(frame) {
    this.frame = frame;
    this.sprites.clear();
  }

  move(cloud, from) {
    this.cloud = cloud;
    this.from = from;
  }

  /** Keeps an even part of each category, every ringed point first; says so. */
  order(indices, large) {
    const small = indices.length - large;
    const room = Math.max(0, MOST_ON_CANVAS - large);
    this.large = large;
    this.indices = indices;
    if (small <= room) return "";
    const step = small / room;
    const taken = new Map();
    const kept = [];
    for (let k = 0; k < small; k++) {
      const category = this.frame.category[indices[k]];
      const before = taken.get(category) ?? 0;
      if (Math.floor((before + 1) / step) > Math.floor(before / step)) kept.push(indices[k]);
      taken.set(category, before + 1);
    }
    this.indices = Uint32Array.from([...kept, ...indices.subarray(small)]);
    return `${this.indices.length.toLocaleString("en")} of ${indices.length.toLocaleString("en")} points are drawn: there is no WebGL here`;
  }

  draw(window, style) {
    const { frame, cloud, from, indices } = this;
    const draw = this.canvas.getContext("2d", { willReadFrequently: true });
    draw.setTransform(style.ratio, 0, 0, style.ratio, 0, 0);
    draw.clearRect(0, 0, window.width, window.height);
    if (!frame) return;
    indices?.forEach((i, k) => {
      const strong = k >= indices.length - this.large;
      const sprite = this.sprite(frame.category[i], strong, style);
      const x = from && style.part < 1 ? from.x[i] + style.part * (cloud.x[i] - from.x[i]) : cloud.x[i];
      const y = from && style.part < 1 ? from.y[i] + style.part * (cloud.y[i] - from.y[i]) : cloud.y[i];
      draw.globalAlpha = (strong ? 1 : style.opacity) * (frame.strength ? 0.25 + (0.75 * frame.strength[i]) / 255 : 1);
      draw.drawImage(sprite, (x - window.left) * window.scale - sprite.half, (window.top - y) * window.scale - sprite.half, 2 * sprite.half, 2 * sprite.half);
    });
  }

  sprite(number, strong, style) {
    const key = `${number} ${strong} ${style.ringed} ${style.size} ${style.ratio} ${style.ink}`;
    if (!this.sprites.has(key)) {
      if (this.sprites.size > 4096) this.sprites.clear();
      const ink = strong && style.ringed ? `rgb(${style.ink.join(" ")})` : "";
      this.sprites.set(key, picture(this.frame.looks[number], strong ? style.ring : style.size, style.ratio, ink));
    }
    return this.sprites.get(key);
  }

  close() {}
}

/** A small canvas with one point on it; `ink` draws a ring around it. `half` is half its width, in CSS pixels. */
export function picture([colour, shape], size, ratio, ink = "") {
  const half = size / 2 + 2;
  const sprite = document.createElement("canvas");
  sprite.width = sprite.height = Math.ceil(2 * half * ratio);
  sprite.half = half;
  const draw = sprite.getContext("2d", { willReadFrequently: true }); // in memory: a GPU would have to give it back
  draw.scale(sprite.width / (2 * half), sprite.height / (2 * half));
  draw.translate(half, half);
  outline(draw, shape, size / 2);
  draw.fillStyle = colour;
  draw.fill();
  if (ink) {
    draw.strokeStyle = ink;
    draw.lineWidth = 1.5;
    draw.stroke();
  }
  return sprite;
}

/** The outline of a shape around the origin, of that radius. */
function outline(draw, shape, radius) {
  const corners = {
    diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    "triangle-up": [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
    cross: [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
    x: [[0, -0.5], [0.8, -1.2], [1.2, -0.8], [0.5, 0], [1.2, 0.8], [0.8, 1.2], [0, 0.5], [-0.8, 1.2], [-1.2, 0.8], [-0.5, 0], [-1.2, -0.8], [-0.8, -1.2]],
  }[shape];
  draw.beginPath();
  if (!corners) return draw.arc(0, 0, radius, 0, 2 * Math.PI);
  corners.forEach(([right, down]) => draw.lineTo(right * radius, down * radius));
  return draw.closePath();
}

function linkProgram(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    const words = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(`the map's shaders do not link: ${gl.getProgramInfoLog(program)} ${words.join(" ")}`);
  }
  return program;
}
