/**
 * Sounds: one for each notification, in one tab of all that are open.
 *
 * A browser lets a page sound after somebody has touched it; before, it is silent and leaves it to a tab that may.
 */

const RUNG_KEY = "tocsin:rung";
const REMEMBERED = 30;
const NOTES = [
  [659.3, 0],
  [880, 0.12],
] as const;

let context: AudioContext | undefined;

/** A sound of a notification: a name that the page knows, a URL, or "default" for the chime. */
export async function ring(key: string, sound: string, sounds: Readonly<Record<string, string>>): Promise<void> {
  if (navigator.userActivation?.hasBeenActive === false) return;
  const url = sounds[sound] ?? (/^(https:|\/(?![/\\]))/.test(sound) ? sound : null);
  const isFirst = await alone(() => isNew(key));
  if (!isFirst) return;
  if (url === null) await chime();
  else await new Audio(url).play().catch(() => chime());
}

/** Two soft notes, made here: there is nothing to load. */
async function chime(): Promise<void> {
  context ??= new AudioContext();
  await context.resume();
  for (const [pitch, delay] of NOTES) {
    const at = context.currentTime + delay;
    const tone = new OscillatorNode(context, { type: "sine", frequency: pitch });
    const loudness = new GainNode(context, { gain: 0 });
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.16, at + 0.015);
    loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.7);
    tone.connect(loudness).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.75);
  }
}

/** Run while no other tab does; at once where there are no locks. */
async function alone<T>(run: () => T): Promise<T> {
  const { locks } = navigator;
  return locks === undefined ? run() : await locks.request(RUNG_KEY, async () => run());
}

/** Whether no tab has rung for it; from now on one has. */
function isNew(key: string): boolean {
  try {
    const rung = JSON.parse(localStorage.getItem(RUNG_KEY) ?? "[]") as string[];
    if (rung.includes(key)) return false;
    localStorage.setItem(RUNG_KEY, JSON.stringify([key, ...rung].slice(0, REMEMBERED)));
  } catch {
    // Nothing may be stored: each tab is the only one that it knows.
  }
  return true;
}
