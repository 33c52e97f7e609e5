/**
 * "Is typing" in both directions.
 *
 * It is sent at most once, lost without harm, and must not outlive its truth:
 * a typist repeats it, and what is not repeated ends by itself on both sides.
 */

const REPEAT_MS = 3_000;
const IDLE_MS = 5_000;
const EXPIRY_MS = 8_000;

export type UserId = number | string;

interface Typist {
  sentAt: number;
  idle: ReturnType<typeof setTimeout>;
}

/** Turns a call per keystroke into one event per three seconds, and a stop when the typing stops. */
export class TypingOut {
  private readonly typists = new Map<string, Typist>();

  constructor(private readonly send: (to: UserId, isTyping: boolean) => void) {}

  /** Say whether this user is writing to another. */
  set(to: UserId, isTyping: boolean): void {
    const typist = this.typists.get(String(to));
    clearTimeout(typist?.idle);
    if (!isTyping) {
      if (this.typists.delete(String(to))) this.send(to, false);
      return;
    }
    const now = performance.now();
    const isDue = typist === undefined || now - typist.sentAt >= REPEAT_MS;
    this.typists.set(String(to), {
      sentAt: isDue ? now : typist.sentAt,
      idle: setTimeout(() => this.set(to, false), IDLE_MS),
    });
    if (isDue) this.send(to, true);
  }

  /** Forget everything, sending nothing: the connection is gone. */
  clear(): void {
    for (const typist of this.typists.values()) clearTimeout(typist.idle);
    this.typists.clear();
  }
}

/** Lets only changes through, so that a typist who is announced twice is listed once. */
export class TypingIn {
  private readonly typists = new Map<UserId, ReturnType<typeof setTimeout>>();

  constructor(private readonly show: (event: { user_id: UserId; is_typing: boolean }) => void) {}

  /** An announcement came; a typist who is not announced again is taken to have stopped. */
  receive(event: { user_id: UserId; is_typing: boolean }): void {
    const isKnown = this.typists.has(event.user_id);
    clearTimeout(this.typists.get(event.user_id));
    if (event.is_typing)
      this.typists.set(
        event.user_id,
        setTimeout(() => this.stop(event.user_id), EXPIRY_MS),
      );
    else this.typists.delete(event.user_id);
    if (isKnown !== event.is_typing) this.show(event);
  }

  /** This user has stopped, as a message from them or a lost connection tells. */
  stop(user: UserId): void {
    if (this.typists.has(user)) this.receive({ user_id: user, is_typing: false });
  }

  /** Everybody has stopped. */
  clear(): void {
    for (const user of [...this.typists.keys()]) this.stop(user);
  }
}
