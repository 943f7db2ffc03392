// One panel of a sheet: a field of cells between the labels of its rows and columns. The cells are buttons that stay
// while what they show changes; the arrow keys go from one to the next.

const LARGEST = 128; // pixels of a cell's side
const LEGIBLE = 38; // from which on its number is written in it
const LETTER = 6.4; // pixels of a letter of a label, about
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Panel {
  constructor(owner, kind) {
    this.owner = owner;
    this.kind = kind;
    this.figure = document.createElement("figure");
    this.figure.className = `panel ${kind}`;
    const part = (name, tag = "div") => {
      this[name] = Object.assign(document.createElement(tag), { className: name });
      return this[name];
    };
    const table = part("table");
    table.append(part("rowTitle"), part("rowLabels"), part("field"), part("columnLabels"), part("columnTitle"));
    this.figure.append(part("title", "figcaption"), table, part("scale"));
    this.canvas = document.createElement("canvas");
    this.field.setAttribute("role", "group");
    this.field.addEventListener("keydown", (event) => this.move(event));
    this.field.addEventListener("pointerleave", () => owner.leave());
    this.field.addEventListener("focusout", () => owner.leave());
    this.field.addEventListener("pointerover", (event) => this.hear(event));
    this.field.addEventListener("focusin", (event) => this.hear(event));
    this.field.addEventListener("click", (event) => this.choose(event));
  }

  show(sheet) {
    this.sheet = sheet;
    const [columns, rows] = [sheet.columns.values.length, sheet.rows.values.length];
    const shape = JSON.stringify([sheet.columns, sheet.rows]);
    const isMaps = this.kind === "maps";
    this.figure.hidden = isMaps && !sheet.draws_maps;
    this.title.textContent = isMaps ? sheet.maps_title : sheet.title;
    if (this.shape !== shape) {
      this.shape = shape;
      this.buttons = sheet.cells.map((_, number) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.number = number;
        button.style.gridArea = `${rows - Math.floor(number / columns)} / ${(number % columns) + 1}`;
        return button;
      });
      this.field.replaceChildren(...(isMaps ? [this.canvas] : []), ...this.buttons);
      this.field.style.gridTemplate = `repeat(${rows}, 1fr) / repeat(${columns}, 1fr)`;
      this.rowTitle.textContent = sheet.rows.title;
      this.columnTitle.textContent = sheet.columns.title;
      for (const [labels, { values }] of [[this.rowLabels, sheet.rows], [this.columnLabels, sheet.columns]]) {
        labels.replaceChildren(...values.map((value) => Object.assign(document.createElement("span"), { textContent: value })));
      }
    }
    this.field.setAttribute("aria-label", this.title.textContent);
    sheet.cells.forEach((cell, number) => {
      const button = this.buttons[number];
      button.setAttribute("aria-label", cell.words.join("; "));
      button.setAttribute("aria-pressed", String(number === sheet.chosen));
      button.tabIndex = number === this.owner.current ? 0 : -1;
      button.dataset.state = cell.state;
      if (isMaps) return;
      button.textContent = cell.text;
      button.style.backgroundColor = cell.colour ?? "";
      button.style.color = cell.ink ?? "";
      button.classList.toggle("floor", cell.at_floor);
    });
    if (!isMaps) this.drawScale(sheet.scale);
  }

  /** The scale of colours, with the floors on it. */
  drawScale(scale) {
    this.scale.hidden = !scale;
    if (!scale) return;
    const bar = Object.assign(document.createElement("div"), { className: "bar" });
    bar.style.background = `linear-gradient(to right, ${scale.colours.join(", ")})`;
    const marks = scale.marks.map(({ at, words }) => {
      const mark = Object.assign(document.createElement("i"), { title: words });
      mark.style.left = `${100 * at}%`;
      return mark;
    });
    bar.append(...marks);
    const word = (text) => Object.assign(document.createElement("span"), { textContent: text });
    const floors = scale.marks.map(({ words }) => Object.assign(word(`▲ ${words}`), { className: "mark" }));
    this.scale.replaceChildren(word(scale.low), bar, word(scale.high), ...floors);
  }

  /** Sizes, and what goes by them. */
  arrange() {
    if (this.figure.hidden || !this.buttons) return;
    const { columns, rows } = this.sheet;
    const longest = (values) => Math.max(...values.map((value) => value.length)) * LETTER;
    const left = Math.min(110, longest(rows.values)) + (rows.title ? 34 : 12);
    const side = Math.min(LARGEST, Math.floor((this.figure.clientWidth - left) / columns.values.length));
    this.side = Math.max(3, side);
    this.field.style.width = `${this.side * columns.values.length}px`;
    this.field.style.height = `${this.side * rows.values.length}px`;
    this.field.classList.toggle("small", this.side < LEGIBLE);
    const isNumeric = columns.values.every((value) => Number.isFinite(Number(value)));
    const fits = longest(columns.values) + 4 <= this.side;
    this.columnLabels.classList.toggle("upright", !fits && !isNumeric);
    this.thin(this.columnLabels, fits || !isNumeric ? (this.side < 13 ? 13 / this.side : 1) : (longest(columns.values) + 6) / this.side);
    this.thin(this.rowLabels, 13 / this.side);
    if (this.kind === "maps") this.paint();
  }

  /** Of labels that have too little room only every second, third, ... is shown. */
  thin(labels, times) {
    const step = Math.max(1, Math.ceil(times));
    [...labels.children].forEach((label, i) => label.classList.toggle("left-out", i % step !== 0));
  }

  /** All cells' points on one canvas, their prior's components as faint rings under them. */
  paint() {
    const { columns, rows, maps, looks } = this.sheet;
    const [wide, high, ratio] = [columns.values.length, rows.values.length, window.devicePixelRatio || 1];
    const [side, canvas] = [this.side * ratio, this.canvas];
    canvas.width = wide * side;
    canvas.height = high * side;
    const pen = canvas.getContext("2d");
    const dot = Math.max(0.9 * ratio, Math.min(2.2 * ratio, side / 55));
    const inner = side - 2 * Math.ceil(side / 16);
    for (const [cell, { points, rings }] of maps) {
      const x0 = (cell % wide) * side + (side - inner) / 2;
      const y0 = (high - Math.floor(cell / wide)) * side - (side - inner) / 2;
      pen.strokeStyle = getComputedStyle(this.owner.root).color;
      pen.globalAlpha = 0.22;
      pen.lineWidth = ratio;
      pen.save();
      pen.beginPath();
      pen.rect(x0, y0 - inner, inner, inner);
      pen.clip();
      for (const [x, y, a, b, angle] of rings) {
        pen.beginPath();
        pen.ellipse(x0 + x * inner, y0 - y * inner, a * inner, b * inner, -angle, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.restore();
      pen.globalAlpha = 0.85;
      for (let i = 0; i < points.length; i += 3) {
        pen.fillStyle = looks[Math.min(points[i + 2], looks.length - 1)];
        pen.fillRect(x0 + (points[i] / 255) * inner - dot / 2, y0 - (points[i + 1] / 255) * inner - dot / 2, dot, dot);
      }
    }
    pen.globalAlpha = 1;
  }

  hear(event) {
    const button = event.target.closest("button");
    if (button) this.owner.point(Number(button.dataset.number), button);
  }

  choose(event) {
    const button = event.target.closest("button");
    if (!button) return;
    this.owner.current = Number(button.dataset.number);
    this.owner.pick(this.owner.current);
  }

  /** The arrow keys go to the next cell. */
  move(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { columns, rows } = this.sheet;
    const wide = columns.values.length;
    const x = Math.min(wide - 1, Math.max(0, (this.owner.current % wide) + step[0]));
    const y = Math.min(rows.values.length - 1, Math.max(0, Math.floor(this.owner.current / wide) + step[1]));
    this.owner.current = y * wide + x;
    for (const panel of this.owner.panels) panel.buttons?.forEach((button, i) => (button.tabIndex = i === this.owner.current ? 0 : -1));
    this.buttons[this.owner.current].focus();
  }

  mark(number) {
    this.buttons?.forEach((button, i) => button.classList.toggle("near", i === number));
  }
}
