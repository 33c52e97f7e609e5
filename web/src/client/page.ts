/** The life of the page that the client lives in; outside a browser nothing happens. */

export interface PageHooks {
  /** The page is hidden or goes away, perhaps for good. */
  leave(): void;
  /** The page is looked at again, or the network is back. */
  comeBack(): void;
}

/** Watch the page as long as it exists. */
export function watchPage({ leave, comeBack }: PageHooks): void {
  if (typeof document === "undefined" || typeof addEventListener === "undefined") return;
  // On mobile systems a hidden page may be killed without any further event.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") leave();
    else comeBack();
  });
  addEventListener("pagehide", leave);
  addEventListener("online", comeBack);
}
