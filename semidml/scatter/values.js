// The values of a chart as a table, in the place of its drawing, and as a file.

export class Values {
  constructor(toggled) {
    const button = (text, title, act) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, title });
      made.addEventListener("click", act);
      return made;
    };
    this.switch = button("Table", "", () => {
      this.shown = !this.shown;
      toggled(this.shown);
      this.fill();
    });
    this.buttons = [this.switch, button("CSV", "These values as a file", () => this.download())];
    this.table = Object.assign(document.createElement("div"), { className: "values", tabIndex: 0 });
    this.table.setAttribute("role", "region");
    this.shown = false;
  }

  /** What there is: a row a place of the x axis, a column a curve, and further ones of what it is made of. */
  show({ title, x, series }, places, placeWords) {
    Object.assign(this, { title, places, placeWords });
    this.columns = series.flatMap(({ name, x, y, more }) => {
      const at = new Map(x.map((place, i) => [place, i]));
      const column = (head, values) => [head, (place) => (at.has(place) ? values[at.get(place)] : null)];
      return [column(name, y), ...Object.entries(more).map(([head, values]) => column(`${name}: ${head}`, values))];
    });
    this.isNamed = x.ticks.length > 0;
    this.head = x.title;
    this.fill();
  }

  fill() {
    this.switch.setAttribute("aria-pressed", String(this.shown));
    this.switch.title = this.shown ? "The curves again" : "These values as a table";
    this.table.setAttribute("aria-label", `${this.title}: its values`);
    if (!this.shown) return this.table.replaceChildren();
    const line = (cells, tag) => {
      const row = document.createElement("tr");
      row.append(...cells.map((text) => Object.assign(document.createElement(tag), { textContent: text })));
      return row;
    };
    const body = document.createElement("tbody");
    body.append(...this.rows().map((cells) => line(cells.map((cell) => (typeof cell === "number" ? Number(cell.toPrecision(5)) : (cell ?? "–"))), "td")));
    const head = document.createElement("thead");
    head.append(line(this.heads(), "th"));
    const table = document.createElement("table");
    table.append(Object.assign(document.createElement("caption"), { textContent: this.title }), head, body);
    const { scrollTop, scrollLeft } = this.table;
    this.table.replaceChildren(table);
    Object.assign(this.table, { scrollTop, scrollLeft });
  }

  heads() {
    return [this.head, ...this.columns.map(([head]) => head)];
  }

  rows() {
    return this.places.map((place) => [
      this.isNamed ? this.placeWords(place).slice(this.head.length + 1) : place,
      ...this.columns.map(([, value]) => value(place)),
    ]);
  }

  download() {
    const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
    const lines = [this.heads(), ...this.rows()].map((cells) => cells.map((cell) => quoted(String(cell ?? ""))).join(","));
    const address = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    const name = this.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    Object.assign(document.createElement("a"), { href: address, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }
}
