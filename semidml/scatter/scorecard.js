// Scores that change in place: the first two large, the others on a quiet line, each with its help at the mouse, at the
// keyboard and under a finger; below them a sentence. The card keeps the height that it once had.

import { Help } from "./help.js";

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".scorecard");
  root.card ??= new Card(root);
  root.card.show(data);
  return () => root.isConnected || root.card?.close();
}

class Card {
  constructor(root) {
    this.root = root;
    this.scores = new Map(); // the element of each, by name
    const part = (name, tag = "div") => Object.assign(document.createElement(tag), { className: name });
    [this.headlines, this.others, this.note] = [part("headlines"), part("others"), part("note", "p")];
    this.help = new Help(root, (button) => this.helpOf(button));
    root.replaceChildren(this.headlines, this.others, this.note, this.help.element);
    this.observer = new ResizeObserver(() => this.data && this.root.clientWidth !== this.width && this.reserve());
    this.observer.observe(root);
  }

  close() {
    this.observer.disconnect();
    delete this.root.card;
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    [this.state, this.data] = [state, data];
    if (data.of !== this.of) [this.of, this.width] = [data.of, null]; // another run's: it may be lower
    this.fill(this.headlines, data.headlines);
    this.fill(this.others, data.others);
    this.note.textContent = data.words;
    this.note.hidden = !data.words;
    this.reserve();
    this.help.renew();
  }

  /** A button a score: what it tells, it tells whoever asks. They stay while their values change. */
  fill(place, scores) {
    const buttons = scores.map(({ name, title, value, before }) => {
      if (!this.scores.has(name)) this.scores.set(name, scoreButton(name));
      const button = this.scores.get(name);
      const texts = { title, value, before };
      button.setAttribute("aria-label", `${title}: ${[value, before].filter(Boolean).join(", ")}`);
      for (const [part, text] of Object.entries(texts)) {
        const element = button.querySelector(`.${part}`);
        if (element.textContent !== text) element.textContent = text;
      }
      return button;
    });
    if (buttons.length !== place.children.length || buttons.some((button, i) => button !== place.children[i])) place.replaceChildren(...buttons);
  }

  /** What grows once, stays so high: what lies below does not move. */
  reserve() {
    const width = this.root.clientWidth;
    const isKnown = width === this.width;
    for (const part of [this.headlines, this.others, this.note]) {
      const before = isKnown ? parseFloat(part.style.minHeight) || 0 : 0;
      part.style.minHeight = "";
      part.style.minHeight = `${Math.max(before, part.offsetHeight)}px`;
    }
    this.width = width;
  }

  helpOf(button) {
    const { headlines, others } = this.data;
    return [...headlines, ...others].find(({ name }) => name === button.dataset.score)?.help ?? "";
  }
}

function scoreButton(name) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.dataset.score = name;
  button.setAttribute("aria-describedby", "help");
  button.append(...["title", "value", "before"].map((part) => Object.assign(document.createElement("span"), { className: part })));
  return button;
}
