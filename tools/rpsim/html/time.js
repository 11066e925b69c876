// Simulated time: picoseconds as numbers (exact up to 2^53 ps, 2.5 h), read by people as ns, us, ms, s; and the axis
// that lays time out either to scale or one row an event.

const UNITS = [
  [1e12, "s"],
  [1e9, "ms"],
  [1e6, "µs"],
  [1e3, "ns"],
  [1, "ps"],
];

/// "871.663 µs": a span of time in the unit that gives it one to three digits before the point.
export function duration(ps, digits = 3, trim = true) {
  if (ps === 0) return "0";
  const [size, unit] = UNITS.find(([size]) => Math.abs(ps) >= size) ?? UNITS.at(-1);
  const text = (ps / size).toFixed(digits);
  return `${trim ? trimmed(text) : text} ${unit}`;
}

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/// "100.476292 ms": a point of time, as the timeline on the terminal writes it.
export const timestamp = (ps, digits = 6) => `${(ps / 1e9).toFixed(digits)} ms`;

/// The text of a tick, with as many digits as ticks that far apart need.
export function tick_text(ps, step) {
  const [size, unit] = ps >= 1e12 && step >= 1e9 ? UNITS[0] : UNITS[1];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  return `${(ps / size).toFixed(Math.min(digits, 9))} ${unit}`;
}

/// Places on the axis: `at(i)` of an event by its index in `times`, `of(ps)` of any time; `time(u)` is the way back.
/// To scale, places are picoseconds.
export function scaled_axis(times, end) {
  return { at: (i) => times[i], of: (ps) => ps, time: (u) => u, length: Math.max(end, 1), gap: () => 0 };
}

/// One row an event, so that every label has room; a longer pause takes more room than a shorter one, but only
/// logarithmically. Places are rows.
export function event_axis(times, end) {
  const places = new Float64Array(times.length);
  const gap = (i) => {
    const pause = i === 0 ? 0 : times[i] - times[i - 1];
    return pause < 1e7 ? 0 : Math.min(1.8, 0.75 + 0.15 * Math.log10(pause / 1e6));
  };
  let u = 0.5;
  for (let i = 0; i < times.length; ++i) places[i] = u += 1 + gap(i);
  const length = u + 1.5;
  const of = (ps) => {
    const after = upper_bound(times, ps);
    if (after === 0) return times.length === 0 || times[0] === 0 ? 0 : (ps / times[0]) * places[0];
    const from = times[after - 1];
    const to = after < times.length ? times[after] : Math.max(end, from + 1);
    const place = after < times.length ? places[after] : length;
    return places[after - 1] + (place - places[after - 1]) * Math.min(1, (ps - from) / (to - from));
  };
  const time = (u) => {
    const after = upper_bound(places, u);
    if (after === 0) return times.length === 0 ? 0 : times[0] * Math.max(0, u / places[0]);
    if (after === times.length) return times[after - 1];
    const part = (u - places[after - 1]) / (places[after] - places[after - 1]);
    return times[after - 1] + part * (times[after] - times[after - 1]);
  };
  return { at: (i) => places[i], of, time, length, gap };
}

/// Index of the first element greater than `value` in an ascending array.
export function upper_bound(sorted, value) {
  let low = 0,
    high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
