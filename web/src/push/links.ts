/** Where a click on a notification may lead. */

/**
 * The absolute URL of a link, or null where it must not be followed.
 *
 * A path or URL of this origin may always be followed, another origin's only over `https:`.
 * That keeps `javascript:`, `data:` and a foreign plain `http:` out.
 */
export function resolveLink(link: string | null, origin: string): string | null {
  try {
    const url = new URL(link ?? "", origin);
    return link !== null && (url.origin === origin || url.protocol === "https:") ? url.href : null;
  } catch {
    return null;
  }
}

/** An open tab, as far as choosing one needs it. */
export interface Tab {
  readonly url: string;
  readonly focused: boolean;
}

/**
 * The tab to bring to the front: one that has the link open; without a link any, the focused first.
 *
 * A tab whose URL differs by its fragment alone counts, after those that have the very link.
 */
export function chooseTab<T extends Tab>(tabs: readonly T[], link: string | null): T | undefined {
  if (link === null) return tabs.find((tab) => tab.focused) ?? tabs[0];
  return tabs.find((tab) => tab.url === link) ?? tabs.find((tab) => bare(tab.url) === bare(link));
}

function bare(url: string): string {
  return url.split("#", 1)[0] as string;
}
