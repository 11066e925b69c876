// Pictures of a study as numbers: what stands where, before anything is drawn.

/// The unit in which a value of that many picoseconds reads best, and how many picoseconds it has.
export function best_unit(ps) {
  for (const [size, unit] of [[1e12, "s"], [1e9, "ms"], [1e6, "µs"]]) if (ps >= size) return { size, unit };
  return { size: 1e3, unit: "ns" };
}

/// "variant, parameter=value": what sets a group apart; parameters by the end of their name if no other ends so.
export function group_name(group) {
  const ends = group.grid.map((g) => g.name.split(".").at(-1));
  const short = (g, i) => (ends.indexOf(ends[i]) === ends.lastIndexOf(ends[i]) ? ends[i] : g.name);
  const parts = [group.variant, ...group.grid.map((g, i) => `${short(g, i)}=${g.text}`)];
  return parts.filter((p) => p !== "" && p !== undefined).join(", ") || "all points";
}

/// Edges of bins that all groups share: equal ones, or in equal ratios if the values lie far apart. The fewer values,
/// the fewer bins.
export function shared_edges(low, high, values) {
  const count = Math.max(24, Math.min(60, Math.ceil(4 * Math.sqrt(values))));
  if (!(high > low)) return { edges: [low * 0.99, low * 1.01 + 1], log: false };
  const log = low > 0 && high / low > 50;
  const at = (i) => (log ? low * (high / low) ** (i / count) : low + ((high - low) * i) / count);
  return { edges: Array.from({ length: count + 1 }, (_, i) => at(i)), log };
}

/// A histogram's counts in other bins: what falls into two is split as evenly as it was.
export function rebinned({ edges_ps, counts }, edges) {
  const to = new Array(edges.length - 1).fill(0);
  counts.forEach((count, i) => {
    const [low, high] = [edges_ps[i], edges_ps[i + 1]];
    for (let b = 0; b < to.length && count > 0; ++b) {
      const last = b === to.length - 1;
      if (high === low) {
        if (edges[b] <= low && (low < edges[b + 1] || last)) return void (to[b] += count);
      } else {
        to[b] += (count * Math.max(0, Math.min(high, edges[b + 1]) - Math.max(low, edges[b]))) / (high - low);
      }
    }
  });
  return to;
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
      bars.push({ group: group.name, lane, title: clean, begin: at, end: at + s.mean_ps, mean: s.mean_ps, p99: s.p99_ps, n: s.n });
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
