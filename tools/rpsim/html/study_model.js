// Pictures of a study as numbers: what stands where, before anything is drawn.

/// The unit in which a value of that many picoseconds reads best, and how many picoseconds it has.
export function best_unit(ps) {
  for (const [size, unit] of [[1e12, "s"], [1e9, "ms"], [1e6, "µs"]]) if (ps >= size) return { size, unit };
  return { size: 1e3, unit: "ns" };
}

/// "variant, parameter=value": what sets a group apart.
export function group_name(group) {
  const parts = [group.variant, ...group.grid.map((g) => `${g.name}=${g.text}`)];
  return parts.filter((p) => p !== "" && p !== undefined).join(", ") || "all points";
}

/// Indices of the times that come after a pause which is long beside all that lies between two pauses.
export function burst_beginnings(times) {
  const gaps = times.slice(1).map((t, i) => t - times[i]);
  const long = Math.max(1, (times.at(-1) - times[0]) / 50);
  return [...(times.length ? [0] : []), ...gaps.flatMap((gap, i) => (gap >= long ? [i + 1] : []))];
}

/// Of the bursts, the largest first, the beginnings that stand at least so far apart from each other.
export function spread(begins, end, distance) {
  const size = (i) => (begins[i + 1] ?? end) - begins[i];
  const largest_first = begins.map((_, i) => i).sort((a, b) => size(b) - size(a));
  const taken = [];
  for (const i of largest_first) if (taken.every((t) => Math.abs(t - begins[i]) >= distance)) taken.push(begins[i]);
  return taken;
}

/// Bars of the mean phases: the two lanes from zero, what follows when both have ended from there.
export function lane_bars(group, lanes) {
  const bars = [];
  let joined = 0;
  for (const { lane, phases } of lanes) {
    let at = lane === "join" ? joined : 0;
    for (const { name, title } of phases) {
      const s = group.phases?.[name];
      if (!(s?.n > 0)) continue;
      const clean = title.replace(/^.*→\s*/, "");
      bars.push({ group: group.name, lane, title: clean, begin: at, end: at + s.mean_ps, mean: s.mean_ps, p99: s.p99_ps });
      at += s.mean_ps;
    }
    joined = Math.max(joined, at);
  }
  return bars;
}

/// The parameters that move the measure, the strongest first, each with its two sides.
export function tornado_bars(sensitivity) {
  return sensitivity.parameters
    .filter((p) => p.base_ps != null && (p.at_low_ps != null || p.at_high_ps != null))
    .map((p) => {
      const side = (which, ps, text) => ({ name: p.name, side: `at the ${which} end`, ps, text, base_ps: p.base_ps });
      const sides = [];
      if (p.at_low_ps != null) sides.push(side("low", p.at_low_ps, p.low_text));
      if (p.at_high_ps != null) sides.push(side("high", p.at_high_ps, p.high_text));
      const values = [p.base_ps, ...sides.map((s) => s.ps)];
      return { name: p.name, base_ps: p.base_ps, sides, high_ps: Math.max(...values), span: Math.max(...values) - Math.min(...values) };
    })
    .sort((a, b) => b.span - a.span);
}
