// An axis: where a value lies, and which round numbers stand beside it.

const TIMES = [1, 2, 5, 10];

/** (value) -> pixels, from `start` at the axis's low to `end` at its high. */
export function placed({ low, high, log }, start, end) {
  const share = log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low || 1);
  return (value) => start + (end - start) * share(value);
}

/** [[value, text], ...] of an axis that has room for about `count`. */
export function ticksOf(axis, count) {
  if (axis.ticks.length) {
    const step = Math.max(1, Math.ceil(axis.ticks.length / count));
    return axis.ticks.filter((_, i) => i % step === 0);
  }
  return axis.log ? powers(axis) : rounds(axis, count);
}

function rounds({ low, high, title }, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(title === "epoch" ? 1 : 0, power * TIMES.find((times) => times * power >= rough * (1 - 1e-9)));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    ticks.push([i * step, (i * step || 0).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })]);
  }
  return ticks;
}

function powers({ low, high }) {
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    if (power >= low) ticks.push([power, power.toLocaleString("en")]);
  }
  return ticks;
}
