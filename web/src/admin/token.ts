/** The operator's token: typed in or taken from the fragment, which no server sees, and kept for this tab alone. */

const KEY = "tocsin_admin_token";

/** Take a token out of the page's address, so that it stands in no history and no bookmark. */
export function takeFromFragment(): void {
  const found = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (found?.[1] === undefined) return;
  keep(decoded(found[1]));
  const rest = location.hash.replace(/&?token=[^&]+/, "").replace(/^#&/, "#");
  history.replaceState(null, "", `${location.pathname}${rest === "#" ? "" : rest}`);
}

/** A part of an address; as it stands where it is none. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const token = (): string | null => sessionStorage.getItem(KEY);

export const keep = (value: string): void => sessionStorage.setItem(KEY, value.trim());

export const forget = (): void => sessionStorage.removeItem(KEY);
