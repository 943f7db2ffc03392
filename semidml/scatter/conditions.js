// What points can be chosen by, and how the page's address tells what they are chosen by: `class:3,answer:wrong`.

import { NONE, SEEN, TEST } from "./frame.js";

/** `of` gives a point's value, `names` what the values are called; `words` are those of values that every run has. */
export const FIELDS = {
  class: { title: "Class", of: (frame, i) => frame.label[i], names: (frame) => [...frame.names_of_labels], none: "no label" },
  prediction: {
    title: "Prediction",
    of: (frame, i) => (frame.prediction ? frame.prediction[i] : undefined),
    names: (frame) => [...frame.names_of_labels],
    none: "no prediction",
  },
  answer: withWords("Answer", answerOf, ["right", "wrong"], "not known"),
  cluster: {
    title: "Cluster",
    of: (frame, i) => (frame.cluster ? frame.cluster[i] : undefined),
    names: (frame) => Array.from({ length: 1 + Math.max(...present(frame.cluster ?? [])) }, (_, k) => `cluster ${k + 1}`),
    none: "no cluster",
  },
  split: withWords("Images", (frame, i) => (frame.flags[i] & TEST ? 1 : 0), ["training", "test"]),
  seen: withWords("Label", (frame, i) => (frame.flags[i] & SEEN ? 0 : 1), ["seen", "not seen"]),
};

/** Scores of a point, of which a part is chosen by its ends. */
export const SCORES = {
  error: { title: "Error of reconstruction", of: (frame) => frame.error, unit: 1 },
  strength: { title: "Share of its component, %", of: (frame) => frame.strength, unit: 100 / 255 },
};

const NO_VALUE = "none";
const TO = ".."; // between the ends of a score

function withWords(title, of, words, none) {
  return { title, of, words, names: () => words, none };
}

function present(values) {
  return new Set(values.filter((value) => value !== NONE)).add(-1);
}

function answerOf(frame, i) {
  if (!frame.prediction) return undefined;
  if (frame.prediction[i] === NONE || frame.label[i] === NONE) return NONE;
  return frame.prediction[i] === frame.label[i] ? 0 : 1;
}

/** Conditions as the address has them; "" for none. */
export function textOf(conditions) {
  return Object.entries(conditions).map(([name, value]) => `${name}:${valueText(name, value)}`).join(",");
}

function valueText(name, value) {
  if (name in SCORES) return value.map((end) => end ?? "").join(TO);
  if (value === NONE) return NO_VALUE;
  return FIELDS[name].words?.[value].replace(" ", "-") ?? String(value);
}

/** The conditions that the address tells; null where it tells any that a frame's points cannot be asked. */
export function conditionsOf(text, frame) {
  const conditions = {};
  for (const part of text.split(",")) {
    const [, name, told] = /^(\w+):(.+)$/.exec(part) ?? [];
    const value = Object.hasOwn(SCORES, name) ? endsOf(told) : Object.hasOwn(FIELDS, name) ? codeOf(FIELDS[name], told, frame) : null;
    if (value === null) return null;
    conditions[name] = value;
  }
  return conditions;
}

/** [least, most] of a score, null for an open end. */
function endsOf(text) {
  const ends = text.split(TO).map((end) => (end === "" ? null : Number(end)));
  const isSane = ends.length === 2 && ends.some((end) => end !== null) && ends.every((end) => end === null || Number.isFinite(end));
  return isSane ? ends : null;
}

function codeOf(field, text, frame) {
  if (text === NO_VALUE && field.none) return NONE;
  const names = field.words?.map((words) => words.replace(" ", "-")) ?? field.names(frame).map((_, number) => String(number));
  const code = names.indexOf(text);
  return code < 0 ? null : code;
}
