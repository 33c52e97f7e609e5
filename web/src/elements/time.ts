/** Times as people read them, by the language of the page. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago, in words as short as the language has; a date where that is more than a week. */
export function ago(at: Date, now: number, lang: string): string {
  const passed = now - at.getTime();
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "narrow" });
  if (passed < MINUTE) return relative.format(0, "second");
  if (passed < HOUR) return relative.format(-Math.floor(passed / MINUTE), "minute");
  if (passed < DAY) return relative.format(-Math.floor(passed / HOUR), "hour");
  if (passed < 7 * DAY) return relative.format(-Math.max(1, daysBetween(at, new Date(now))), "day");
  return at.toLocaleDateString(lang, { month: "short", day: "numeric" });
}

/** The day that a notification stands under: today, yesterday, or its date. */
export function dayOf(at: Date, now: number, lang: string): string {
  const days = daysBetween(at, new Date(now));
  if (days === 0 || days === 1) {
    const word = new Intl.RelativeTimeFormat(lang, { numeric: "auto" }).format(-days, "day");
    return word.charAt(0).toLocaleUpperCase(lang) + word.slice(1);
  }
  const isThisYear = at.getFullYear() === new Date(now).getFullYear();
  return at.toLocaleDateString(lang, {
    ...{ weekday: "long", month: "long", day: "numeric" },
    ...(isThisYear ? {} : { year: "numeric" }),
  } as Intl.DateTimeFormatOptions);
}

/** A moment to come: its time, and its day where that is another one. */
export function moment(at: Date, now: number, lang: string): string {
  const isToday = daysBetween(at, new Date(now)) === 0;
  return at.toLocaleString(lang, {
    ...{ hour: "numeric", minute: "2-digit" },
    ...(isToday ? {} : { weekday: "short", month: "short", day: "numeric" }),
  } as Intl.DateTimeFormatOptions);
}

/** The whole date and time, for who points at a short one. */
export function whole(at: Date, lang: string): string {
  return at.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
}

/** When one may want to see it again; this evening only while that is to come. */
export function snoozeTimes(now: Date): { name: "inAnHour" | "thisEvening" | "tomorrow" | "nextWeek"; at: Date }[] {
  const at = (days: number, hour: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const evening = at(0, 18);
  return [
    { name: "inAnHour", at: new Date(now.getTime() + HOUR) },
    ...(evening.getTime() - now.getTime() > HOUR ? [{ name: "thisEvening" as const, at: evening }] : []),
    { name: "tomorrow", at: at(1, 9) },
    { name: "nextWeek", at: at((8 - now.getDay()) % 7 || 7, 9) },
  ];
}

function daysBetween(from: Date, to: Date): number {
  const day = (at: Date) => Date.UTC(at.getFullYear(), at.getMonth(), at.getDate());
  return (day(to) - day(from)) / DAY;
}
