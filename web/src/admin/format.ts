/** Numbers and instants as people read them. */

export type Unit = "" | "/s" | "s" | "B";

/** A short form: `1.2 k/s`, `3.4 ms`, `12 MB`. */
export function short(value: number | null | undefined, unit: Unit = ""): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (unit === "s") return value < 1 ? `${digits(value * 1_000)} ms` : `${digits(value)} s`;
  for (const [size, name] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (Math.abs(value) >= size) return `${digits(value / size)} ${name}${unit}`;
  }
  return `${digits(value)}${unit === "/s" ? " /s" : unit === "B" ? " B" : ""}`;
}

function digits(value: number): string {
  const places = value === 0 || Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(places);
}

const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const TIME = new Intl.DateTimeFormat(undefined, CLOCK);
const EXACT = new Intl.DateTimeFormat(undefined, { ...CLOCK, fractionalSecondDigits: 3 });

/** The day, in the operator's language and zone. */
export const day = (instant: string): string => DAY.format(new Date(instant));

/** The time of day. */
export const time = (instant: string): string => TIME.format(new Date(instant));

/** The time of day with milliseconds: steps of one instant are told apart. */
export const exact = (instant: string): string => EXACT.format(new Date(instant));

/** A sentence of the server with its instants in the operator's zone. */
export const local = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (instant) => `${day(instant)} ${time(instant)}`);

/** How long ago, roughly. */
export function ago(instant: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(instant)) / 1_000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
