/** Who wants to hear of which event; knows nothing of sockets. */

export type Listener = (data: never) => void;

/** What a page gave as a callback; without one it would hear nothing and wonder why. */
export function asListener(callback: unknown): Listener {
  if (typeof callback !== "function") throw new TypeError("on(namespace, event, callback) needs a function to call");
  return callback as Listener;
}

/** Callbacks by namespace and event; one that throws does not keep the others from hearing. */
export class Listeners {
  private readonly callbacks = new Map<string, Set<Listener>>();

  /** Add a callback; adding the same one again changes nothing. Returns a function that removes it. */
  add(namespace: string, event: string, callback: Listener): () => void {
    const key = `${namespace} ${event}`;
    const known = this.callbacks.get(key) ?? new Set();
    this.callbacks.set(key, known.add(callback));
    return () => this.remove(namespace, event, callback);
  }

  /** Remove one callback, or with null all of the event. */
  remove(namespace: string, event: string, callback: Listener | null): void {
    const key = `${namespace} ${event}`;
    if (callback !== null) this.callbacks.get(key)?.delete(callback);
    if (callback === null || this.callbacks.get(key)?.size === 0) this.callbacks.delete(key);
  }

  /** Call those who listen at this moment, in the order in which they were added. */
  dispatch(namespace: string, event: string, data: unknown): void {
    for (const callback of [...(this.callbacks.get(`${namespace} ${event}`) ?? [])]) {
      try {
        (callback as (data: unknown) => void)(data);
      } catch (error) {
        report(error);
      }
    }
  }
}

function report(error: unknown): void {
  // As an uncaught error it reaches the page's own error tracking.
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
