// The scrubber: plays, steps and drags over the epochs of a run whose points at all of them the page has sent.

import { add } from "./paint.js";

const BEAT = 450; // milliseconds of an epoch while it plays
const REST = 350; // milliseconds of rest after which the page is told which epoch is shown

export class Film {
  constructor(map, root) {
    this.map = map;
    this.root = root;
    this.root.hidden = true;
    const addButton = (words, sign, act) => {
      const button = add(root, "button");
      button.type = "button";
      button.title = words;
      button.setAttribute("aria-label", words);
      button.textContent = sign;
      button.onclick = act;
      return button;
    };
    this.button = addButton("Play", "\u25b6", () => this.toggle());
    addButton("One epoch back", "\u2039", () => this.step(-1));
    addButton("One epoch on", "\u203a", () => this.step(1));
    this.slider = add(root, "input");
    this.slider.type = "range";
    this.slider.min = 0;
    this.slider.setAttribute("aria-label", "Epoch on the map");
    this.slider.oninput = () => {
      this.pause();
      this.go(Number(this.slider.value), 120);
    };
    this.words = add(root, "span");
    this.timer = this.teller = null;
  }

  /** The film of the map's run, at the frame's epoch. */
  show(film, epoch) {
    const known = film?.epochs.indexOf(epoch) ?? -1;
    this.film = known < 0 || film.n !== this.map.frame.n || film.epochs.length < 2 ? null : film;
    this.root.hidden = !this.film;
    if (!this.film) {
      clearTimeout(this.teller); // nothing is there to tell of
      this.teller = null;
      return this.pause();
    }
    this.slider.max = film.epochs.length - 1;
    if (this.teller === null && this.timer === null) this.at = known; // else the visitor is ahead of the page
    this.label();
  }

  label() {
    const { epochs, scores } = this.film;
    this.slider.value = this.at;
    const score = scores[this.at] ? ` \u00b7 ${scores[this.at]}` : "";
    this.words.textContent = `epoch ${epochs[this.at]} of ${epochs.at(-1)}${score}`;
    this.slider.setAttribute("aria-valuetext", this.words.textContent);
  }

  /** What the map shows before training: where the points are then. */
  get begin() {
    return this.film?.epochs[this.at] === 0 ? this.film.begin : null;
  }

  go(at, milliseconds) {
    if (!this.film) return;
    const from = this.map.view.window();
    this.at = Math.min(Math.max(at, 0), this.film.epochs.length - 1);
    this.label();
    this.map.cloud.glideTo(this.film.cloud(this.at), this.film.epochs[this.at], milliseconds);
    if (!this.map.view.chosen) this.map.view.glideFrom(from, milliseconds);
    clearTimeout(this.teller);
    this.teller = setTimeout(() => this.tell(), REST);
  }

  tell() {
    this.teller = null;
    if (this.timer !== null) return;
    if (this.map.frame.tools.includes("epoch")) this.map.tell("epoch", this.film.epochs[this.at]);
  }

  step(count) {
    this.pause();
    this.go(this.at + count, 250);
  }

  toggle() {
    if (this.timer !== null) {
      this.pause();
      this.tell();
      return;
    }
    if (this.at === this.film.epochs.length - 1) this.go(0, 0);
    this.timer = setInterval(() => {
      this.go(this.at + 1, BEAT);
      if (this.at < this.film.epochs.length - 1) return;
      this.pause();
    }, BEAT);
    this.button.textContent = "\u2016";
    this.button.title = "Pause";
    this.button.setAttribute("aria-label", "Pause");
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "\u25b6";
    this.button.title = "Play";
    this.button.setAttribute("aria-label", "Play");
  }
}
