// A page that plays without a server: maps of one to four runs from the bytes that the page itself holds. It writes what
// a run says as text only, never as HTML.

import { unpack, TEST } from "./frame.js";
import { drawMap } from "./map.js";
import { keep } from "./store.js";

const NONE = 65535; // in the place of a label or a prediction: there is none
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** The same frame with other fields of its header. */
function withFields(bytes, fields) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let text = JSON.stringify({ ...header, ...fields });
  let encoded = new TextEncoder().encode(text);
  while (encoded.length % 4) encoded = new TextEncoder().encode((text += " "));
  const whole = new Uint8Array(4 + encoded.length + bytes.length - 4 - length);
  new DataView(whole.buffer).setUint32(0, encoded.length, true);
  whole.set(encoded, 4);
  whole.set(bytes.subarray(4 + length), 4 + encoded.length);
  return whole;
}

/** A run of the page: its map, the words on the point at the mouse, its scores by epoch. */
class Player {
  constructor(root, run, players) {
    Object.assign(this, { root, run, players, epoch: run.epochs.at(-1), marked: [] });
    this.frames = new Map(run.epochs.map((epoch, k) => [epoch, bytesOf(run.frames[k])]));
    if (run.images) keep(bytesOf(run.images));
    if (run.film) keep(bytesOf(run.film));
    this.told = root.querySelector(".told");
    this.empty = this.told.textContent;
    this.show();
    const over = root.querySelector("canvas[data-drawn-by]");
    new MutationObserver(() => this.tell(Number(over.dataset.pointed))).observe(over, {
      attributeFilter: ["data-pointed"],
    });
    new MutationObserver(() => this.mark(Number(over.dataset.epoch))).observe(over, { attributeFilter: ["data-epoch"] });
  }

  show() {
    const bytes = withFields(this.frames.get(this.epoch), { marked: this.marked });
    this.frame = unpack(bytes);
    const setTriggerValue = (name, value) => this.hear(name, value);
    drawMap({ data: bytes, parentElement: this.root, setTriggerValue });
    this.root.dataset.frame = this.epoch;
    this.mark(this.epoch);
  }

  hear(name, value) {
    if (name === "epoch") this.epoch = value;
    if (name === "asked") {
      const linked = this.frame.link ? this.players : [this];
      for (const player of linked) {
        player.marked = value.point < 0 ? [] : [value.point];
        if (player !== this) player.show();
      }
    }
    this.show();
    this.tell(-1);
  }

  /** The row of the table that is of the map's epoch. */
  mark(epoch) {
    for (const row of this.root.querySelectorAll("tr[data-epoch]")) {
      row.classList.toggle("now", Number(row.dataset.epoch) === epoch);
    }
  }

  /** The point at the mouse, else the chosen one, in words. */
  tell(pointed) {
    const i = pointed >= 0 ? pointed : (this.marked[0] ?? -1);
    if (i < 0) return (this.told.textContent = this.empty);
    const { frame, run } = this;
    const name = (number) => (number === NONE ? "none" : frame.names_of_labels[number]);
    const split = frame.flags[i] & TEST ? "test" : "training";
    const parts = [`${split} row ${run.rows[i].toLocaleString("en")}`, `class ${name(frame.label[i])}`];
    if (frame.prediction) parts.push(`predicted ${name(frame.prediction[i])}`);
    this.told.textContent = parts.join(" \u00b7 ");
  }
}

/** A question that is asked before anything is shown. */
function ask(form) {
  const hidden = document.getElementById(form.dataset.reveals);
  const answer = form.querySelector(".answer");
  form.onsubmit = (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input:checked");
    if (!chosen) return;
    form.classList.add(chosen.value === form.dataset.right ? "right" : "other");
    for (const input of form.querySelectorAll("input, button")) input.disabled = true;
    answer.hidden = hidden.hidden = false;
    window.dispatchEvent(new Event("resize"));
  };
}

const players = [];
const runs = JSON.parse(document.getElementById("runs").textContent);
document.querySelectorAll(".run").forEach((root, k) => players.push(new Player(root, runs[k], players)));
document.querySelectorAll("form.predict").forEach(ask);
document.documentElement.dataset.plays = players.length;
