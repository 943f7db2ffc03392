// Many runs at a glance: a heat map of a score over one or two knobs and, beside it, the little map of each cell's
// points. Both are ways in: a cell that is chosen, by mouse or keyboard, is told by `picked`, its number.

import { unpackSheet } from "./sheetdata.js";
import { Panel } from "./panel.js";

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".sheet");
  root.sheet ??= new Sheet(root);
  root.sheet.pick = (number) => setTriggerValue("picked", number);
  root.sheet.show(data);
}

class Sheet {
  constructor(root) {
    this.root = root;
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    this.panels = ["heat", "maps"].map((kind) => new Panel(this, kind));
    root.replaceChildren(...this.panels.map((panel) => panel.figure), this.tip);
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.leave());
    new ResizeObserver(() => this.sheet && root.clientWidth !== this.width && this.arrange()).observe(root);
  }

  show(data) {
    this.sheet = unpackSheet(data);
    this.current = Math.min(this.current ?? Math.max(0, this.sheet.chosen), this.sheet.cells.length - 1);
    for (const panel of this.panels) panel.show(this.sheet);
    this.arrange();
    if (this.pointed !== undefined && !this.tip.hidden) this.fillTip();
  }

  arrange() {
    this.width = this.root.clientWidth;
    for (const panel of this.panels) panel.arrange();
  }

  /** The mouse or the keyboard is at a cell of a panel: it is marked in both, and its words are shown. */
  point(number, button) {
    this.pointed = number;
    for (const panel of this.panels) panel.mark(number);
    this.fillTip();
    this.tip.hidden = false;
    const [room, cell] = [this.root.getBoundingClientRect(), button.getBoundingClientRect()];
    const { width, height } = this.tip.getBoundingClientRect();
    const left = Math.min(Math.max(0, cell.left + cell.width / 2 - width / 2 - room.left), room.width - width);
    const above = cell.top - room.top - height - 6;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${above > -room.top ? above : cell.bottom - room.top + 6}px`;
  }

  fillTip() {
    const { words } = this.sheet.cells[this.pointed] ?? { words: [] };
    const lines = words.map((line, i) => Object.assign(document.createElement(i ? "div" : "b"), { textContent: line }));
    this.tip.replaceChildren(...lines);
  }

  leave() {
    this.pointed = undefined;
    this.tip.hidden = true;
    for (const panel of this.panels) panel.mark(-1);
  }
}
