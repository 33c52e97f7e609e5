/** The package `@tocsin/client/elements`: the elements' classes, and what defines them. */

import { TocsinBell } from "./bell.js";
import { TocsinInbox } from "./inbox.js";
import { TocsinPreferences } from "./preferences.js";
import { TocsinToasts } from "./toasts.js";

export { TocsinBell, TocsinInbox, TocsinPreferences, TocsinToasts };

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-bell": TocsinBell;
    "tocsin-inbox": TocsinInbox;
    "tocsin-preferences": TocsinPreferences;
    "tocsin-toasts": TocsinToasts;
  }
}

/** Make the four elements known to the page; harmless when they are. */
export function defineElements(): void {
  const classes = {
    "tocsin-bell": TocsinBell,
    "tocsin-inbox": TocsinInbox,
    "tocsin-preferences": TocsinPreferences,
    "tocsin-toasts": TocsinToasts,
  };
  for (const [name, element] of Object.entries(classes))
    if (customElements.get(name) === undefined) customElements.define(name, element);
}
