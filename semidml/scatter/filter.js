// Which points are shown, and the search for one by its row. Conditions are of the visitor, not of a frame: they stay
// across epochs and planes of a run, and are shared by linked maps, each of which asks its own points. The page's address
// has them.

import { ownerOf, takePart, writeAddress } from "./address.js";
import { conditionsOf, FIELDS, SCORES, textOf } from "./conditions.js";
import { AWAY, NONE, TEST } from "./frame.js";
import { add } from "./paint.js";

/** A point's image by its split and row, as the page names it. */
export function rowWords(frame, i) {
  const kind = frame.flags[i] & TEST ? "test" : "training";
  return frame.row ? `${kind} image ${frame.row[i].toLocaleString("en")}` : `${kind} image`;
}

const MOST_SAID = 60; // characters of what the address asks for in vain

export class Filter {
  constructor(map, root) {
    this.map = map;
    this.root = root;
    root.hidden = true;
    root.setAttribute("role", "search");
    root.setAttribute("aria-label", "Filter and search the points");
    this.conditions = {}; // by the name of a field its value, by that of a score [least, most], null for an open end
    this.passes = null; // of each point whether it is shown; null: all are
    this.sought = -1; // a point that was searched for is shown in any case
    this.answer = ""; // what the last search has brought, until something else is asked
    this.fields = {};
    this.row = this.addLabel("Row");
    this.search = add(this.row, "input");
    this.search.setAttribute("aria-label", "Row");
    Object.assign(this.search, { type: "search", size: 9, placeholder: "test 12", title: "The number of an image: Enter goes there" });
    this.search.onkeydown = (event) => event.key === "Enter" && this.find(this.search.value);
    this.clearing = add(root, "button");
    Object.assign(this.clearing, { type: "button", textContent: "Clear", onclick: () => this.change({}) });
    this.count = add(root, "span", "count");
    this.count.setAttribute("role", "status");
    root.addEventListener("keydown", (event) => this.key(event));
  }

  addLabel(title) {
    const label = add(this.root, "label");
    add(label, "span").textContent = title;
    return label;
  }

  get isActive() {
    return Object.keys(this.conditions).length > 0;
  }

  key(event) {
    event.stopPropagation(); // neither the page nor the map has a key while one types
    if (event.key === "Escape") this.open(false);
  }

  /** Shows the bar or puts it away; what is filtered stays. */
  open(shown) {
    this.root.hidden = !shown;
    if (shown) this.offer(this.map.frame);
    this.map.gestures.mark("filter", shown || this.isActive);
    (shown ? (Object.values(this.fields)[0] ?? this.search) : this.map.over).focus();
  }

  /** What is filtered, as the address has it. */
  get text() {
    return textOf(this.conditions);
  }

  /** A frame's points have come: of another run every condition is dropped. */
  show(frame) {
    const owner = ownerOf(frame);
    if (owner !== this.owner) this.begin(frame);
    this.owner = owner;
    if (!frame.row) this.root.hidden = true;
    else if (!this.root.hidden || this.isActive) this.offer(frame); // else nobody needs the fields: it takes a look at each point
    this.choose();
    this.map.gestures.mark("filter", !this.root.hidden || this.isActive);
  }

  /** Begins with what the address says, if that is of these points; else with what a linked map is filtered by. */
  begin(frame) {
    [this.sought, this.answer] = [-1, ""];
    const asked = frame.row ? takePart(this.map, "filter") : "";
    const conditions = asked ? conditionsOf(asked, frame) : null;
    this.conditions = conditions ?? this.ofLinked(frame);
    if (conditions) this.map.others((map) => map.filter.change({ ...conditions }, true));
    else if (asked) {
      this.answer = `The link asks for a filter that these points do not have: ${asked.slice(0, MOST_SAID)}`;
      this.root.hidden = false;
    }
  }

  ofLinked(frame) {
    for (const map of this.map.linked(frame.link)) if (map.filter.owner) return { ...map.filter.conditions };
    return {};
  }

  /** A field for each thing that tells these points apart. */
  offer(frame) {
    const offered = [];
    for (const [name, field] of Object.entries(FIELDS)) {
      const values = new Set();
      for (let i = 0; i < frame.n; i++) if (!(frame.flags[i] & AWAY)) values.add(field.of(frame, i));
      values.delete(undefined);
      if (values.size < 2 && !(name in this.conditions)) continue;
      const names = values.size ? field.names(frame) : [];
      const known = [...values].filter((value) => value !== NONE).sort((a, b) => a - b);
      const options = known.map((value) => [value, names[value] ?? String(value)]);
      if (values.has(NONE)) options.push([NONE, field.none]);
      offered.push([name, field.title, options]);
    }
    const scores = Object.entries(SCORES).filter(([, score]) => score.of(frame));
    const state = JSON.stringify([offered, scores.map(([name]) => name)]);
    if (state !== this.offered) this.make(offered, scores);
    this.offered = state;
    this.fill();
  }

  make(offered, scores) {
    for (const field of this.root.querySelectorAll(".field")) field.remove();
    this.fields = {};
    for (const [name, title, options] of offered) {
      const label = this.addLabel(title);
      label.className = "field";
      const select = add(label, "select");
      select.setAttribute("aria-label", title);
      for (const [value, words] of [["", "any"], ...options]) Object.assign(add(select, "option"), { value, textContent: words });
      select.onchange = () => this.set(name, select.value === "" ? null : Number(select.value));
      this.fields[name] = select;
      this.row.before(label);
    }
    for (const [name, score] of scores) {
      const label = add(this.root, "span", "field");
      label.setAttribute("role", "group");
      label.setAttribute("aria-label", score.title);
      add(label, "span").textContent = score.title;
      const ends = ["at least", "at most"].map((words) => {
        const end = add(label, "input");
        Object.assign(end, { type: "number", step: "any", placeholder: words });
        end.setAttribute("aria-label", `${score.title}, ${words}`);
        end.oninput = () => this.set(name, ends.every(({ value }) => value === "") ? null : ends.map(({ value }) => (value === "" ? null : Number(value))));
        return end;
      });
      this.fields[name] = ends[0];
      ends[0].ends = ends;
      this.row.before(label);
    }
  }

  /** The fields say what is chosen. */
  fill() {
    const typed = this.root.getRootNode().activeElement;
    for (const [name, field] of Object.entries(this.fields)) {
      const value = this.conditions[name];
      for (const [k, end] of (field.ends ?? []).entries()) if (end !== typed) end.value = value?.[k] ?? "";
      if (!field.ends) field.value = value ?? "";
    }
  }

  set(name, value) {
    const { [name]: _, ...others } = this.conditions;
    this.change(value === null ? others : { ...others, [name]: value });
  }

  change(conditions, told = false) {
    this.conditions = conditions;
    [this.sought, this.answer] = [-1, ""];
    this.fill();
    this.choose();
    this.map.gestures.mark("filter", !this.root.hidden || this.isActive);
    this.map.cloud.order();
    if (told) return;
    this.map.others((map) => map.filter.change({ ...conditions }, true));
    writeAddress();
  }

  /** Asks each point, and says how many are shown. */
  choose() {
    const { frame } = this.map;
    const asked = Object.entries(this.conditions).flatMap(([name, value]) => this.question(frame, name, value));
    this.passes = asked.length ? new Uint8Array(frame.n) : null;
    let [all, shown] = [0, 0];
    for (let i = 0; i < frame.n; i++) {
      if (frame.flags[i] & AWAY) continue;
      all += 1;
      const passes = asked.every((ask) => ask(i)) || i === this.sought;
      shown += passes;
      if (this.passes) this.passes[i] = passes;
    }
    const [few, many] = [shown, all].map((count) => count.toLocaleString("en"));
    this.words = `${few} of ${many} shown`;
    this.count.textContent = this.answer || (this.passes ? this.words : `${many} points`);
    this.clearing.disabled = !this.isActive;
  }

  /** What a condition asks of a point; nothing where these points have no such thing. */
  question(frame, name, value) {
    if (name in SCORES) {
      const [{ of, unit }, [least, most]] = [SCORES[name], value];
      const values = of(frame);
      if (!values) return [];
      return [(i) => (least === null || values[i] * unit >= least) && (most === null || values[i] * unit <= most)];
    }
    const { of } = FIELDS[name];
    return frame.n && of(frame, 0) === undefined ? [] : [(i) => of(frame, i) === value];
  }

  /** Goes to the point of a row: `12`, `test 12`, `train 12`; once more to the next of that number. */
  find(text) {
    const { frame, cloud } = this.map;
    const match = /^\s*(train\w*|test\w*)?\D*([\d,.\s]+)\s*$/i.exec(text);
    if (!match) return this.say("Type the number of an image, as 12 or test 12.");
    const wanted = Number(match[2].replace(/\D/g, ""));
    const isTest = match[1] && /^test/i.test(match[1]);
    const rows = [];
    for (let i = 0; i < frame.n; i++) {
      if (frame.row[i] !== wanted || cloud.isAway(i)) continue;
      if (!match[1] || isTest === ((frame.flags[i] & TEST) !== 0)) rows.push(i);
    }
    if (!rows.length) return this.say(`${match[1] ? `${isTest ? "Test" : "Training"} row` : "Row"} ${wanted.toLocaleString("en")} is not among the points drawn.`);
    const next = rows[(rows.indexOf(this.sought) + 1) % rows.length];
    this.sought = next;
    if (this.passes) this.passes[next] = 1;
    this.map.cursor.goTo(next);
    const turn = rows.length > 1 ? ` (${rows.indexOf(next) + 1} of ${rows.length} with this number: Enter for the next)` : "";
    return this.say(`${this.map.wordsOf(next)}${turn}`);
  }

  say(words) {
    this.count.textContent = this.answer = words;
  }
}
