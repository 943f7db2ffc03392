// The words of the field, one press away on each page: what `ui.glossary` sends. A dialog with a search, in which each
// word has a link of its own.

import { copy } from "./clipboard.js";

const BOOK = '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M12 6c-2-1.6-5-2-9-2v14c4 0 7 .4 9 2 2-1.6 5-2 9-2V4c-4 0-7 .4-9 2zm0 0v14"/></svg>';
const TOLD = 2500; // milliseconds for which it says that a link was copied

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".glossary");
  root.glossary ??= new Glossary(root);
  root.glossary.show(data);
}

const create = (tag, facts = {}) => Object.assign(document.createElement(tag), facts);

class Glossary {
  constructor(root) {
    this.opener = create("button", { type: "button", title: "What the words mean", innerHTML: `${BOOK}<span>Glossary</span>` });
    this.opener.addEventListener("click", () => this.open());
    this.dialog = create("dialog");
    this.dialog.setAttribute("aria-label", "Glossary");
    this.search = create("input", { type: "search", placeholder: "Search: nats, AMI, margin …" });
    this.search.setAttribute("aria-label", "Search the glossary");
    this.search.addEventListener("input", () => this.list());
    const close = create("button", { type: "button", textContent: "Close", className: "close" });
    close.addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    for (const kind of ["keydown", "keyup", "keypress"]) this.dialog.addEventListener(kind, (event) => event.stopPropagation());
    this.said = create("p", { className: "said" });
    this.said.setAttribute("role", "status");
    this.words = create("div", { className: "words", tabIndex: 0 });
    this.words.setAttribute("role", "region");
    this.words.setAttribute("aria-label", "The words");
    const head = create("div", { className: "head" });
    head.append(create("h2", { textContent: "Glossary" }), close, this.search);
    this.dialog.append(head, this.said, this.words);
    root.replaceChildren(this.opener, this.dialog);
  }

  show({ words, open }) {
    if (this.entries?.length !== words.length) {
      this.entries = words.map((word) => ({ ...word, found: [word.title, ...word.also].join(" ").toLowerCase(), text: word.meaning.toLowerCase() }));
      this.elements = null;
    }
    if (open && open.number !== this.opened) {
      this.opened = open.number;
      this.open(open.word);
    }
  }

  /** Opens it, at a word if one is named; of what is no word it shows what is like it. */
  open(name = "") {
    this.elements ??= new Map(this.entries.map((entry) => [entry.name, this.element(entry)]));
    const element = this.elements.get(name);
    this.search.value = element ? "" : name;
    if (!this.dialog.open) this.dialog.showModal();
    this.list();
    if (!element) return this.search.focus();
    for (const other of this.elements.values()) other.classList.toggle("meant", other === element);
    element.scrollIntoView({ block: "start" });
    element.focus({ preventScroll: true });
    return undefined;
  }

  /** Those that have every word of the search, named so before those that only speak of it. */
  list() {
    const asked = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rank = ({ title, found, text }) => {
      if (!asked.every((part) => found.includes(part) || text.includes(part))) return 9;
      if (!asked.length) return 0;
      const whole = asked.join(" ");
      if (title.toLowerCase() === whole) return 0;
      return title.toLowerCase().startsWith(whole) ? 1 : asked.every((part) => found.includes(part)) ? 2 : 3;
    };
    const ranked = this.entries.map((entry) => [rank(entry), entry]).filter(([at]) => at < 9);
    ranked.sort(([a], [b]) => a - b);
    this.words.replaceChildren(...ranked.map(([, { name }]) => this.elements.get(name)));
    this.words.scrollTop = 0;
    const count = ranked.length;
    this.said.textContent = !count ? `Nothing here is called “${this.search.value}”.` : asked.length ? `${count} of ${this.entries.length}` : `${count} words, scores and knobs`;
  }

  element({ name, title, kind, meaning, see }) {
    const element = create("article", { tabIndex: -1 });
    const head = create("h3", { textContent: title });
    const link = create("button", { type: "button", className: "copy", textContent: "Copy link" });
    link.setAttribute("aria-label", `Copy the link to ${title}`);
    link.addEventListener("click", async () => {
      const url = new URL(window.location.href);
      url.searchParams.set("word", name);
      link.textContent = (await copy(url.href, this.dialog)) ? "Copied" : url.href;
      setTimeout(() => (link.textContent = "Copy link"), TOLD);
    });
    const line = create("div", { className: "line" });
    line.append(head, create("span", { className: "kind", textContent: kind }), link);
    element.append(line, create("p", { textContent: meaning }));
    const others = see.map((other) => this.entries.find((entry) => entry.name === other)).filter(Boolean);
    if (others.length) {
      const row = create("p", { className: "see", textContent: "See " });
      for (const other of others) {
        const button = create("button", { type: "button", textContent: other.title });
        button.addEventListener("click", () => this.open(other.name));
        row.append(button);
      }
      element.append(row);
    }
    return element;
  }
}
