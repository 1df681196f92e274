const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const signed = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" });

/** A platform that does not tell a number answers null: a dash, never a zero. */
const told = (format: (value: number) => string) => (value: number | null | undefined) =>
  value == null ? "–" : format(value);

export const short = told((value) => compact.format(value));
export const long = told((value) => whole.format(value));
export const share = told((value) => percent.format(value));

/** Numbers of an axis, as short as still tells them apart. */
export function axis(steps: readonly number[]): string[] {
  for (const maximumFractionDigits of [1, 2, 3]) {
    const { format } = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits });
    const texts = steps.map((step) => format(step));
    if (new Set(texts).size === steps.length) return texts;
  }
  return steps.map((step) => whole.format(step));
}

export const change = (value: number) => signed.format(value);
export const date = (at: string | number) => day.format(new Date(at));
