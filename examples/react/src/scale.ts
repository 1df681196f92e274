const DAY = 86_400_000;

/** Round numbers that enclose low … high: 3 to 6 of them, a step of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number): number[] {
  const span = high - low || Math.max(Math.abs(high) * 0.1, 2);
  const rough = span / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power);
  const first = Math.floor((high === low ? low - span / 2 : low) / step) * step;
  const last = Math.ceil((high === low ? high + span / 2 : high) / step) * step;
  return Array.from({ length: Math.round((last - first) / step) + 1 }, (_, n) => first + n * step);
}

/** Midnights (UTC) to write below the axis, at most `most`, evenly apart and with the last day among them. */
export function days(from: number, to: number, most: number): number[] {
  const apart = Math.max(1, Math.ceil((to - from) / DAY / Math.max(1, most - 1)));
  const found: number[] = [];
  for (let at = to; at >= from; at -= apart * DAY) found.unshift(at);
  return found;
}

/** Maps one range onto another. */
export function linear([a, b]: [number, number], [from, to]: [number, number]) {
  return (value: number) => (a === b ? (from + to) / 2 : from + ((value - a) / (b - a)) * (to - from));
}
