/** The life of the page that the client lives in; outside a browser nothing happens. */

export interface PageHooks {
  /** The page is hidden or goes away, perhaps for good. */
  leave(): void;
  /** The page is looked at again, or the network is back. */
  comeBack(): void;
}

/** Watch the page until the function that is returned is called. */
export function watchPage({ leave, comeBack }: PageHooks): () => void {
  if (typeof document === "undefined" || typeof addEventListener === "undefined") return () => {};
  const watch = new AbortController();
  const { signal } = watch;
  // On mobile systems a hidden page may be killed without any further event.
  const look = () => (document.visibilityState === "hidden" ? leave() : comeBack());
  document.addEventListener("visibilitychange", look, { signal });
  addEventListener("pagehide", leave, { signal });
  addEventListener("online", comeBack, { signal });
  return () => watch.abort();
}
