/**
 * The rows of a list, kept by key: only what has changed is drawn again, so that the focus stays where it is and a
 * screen reader tells nothing twice.
 */

interface Row {
  element: HTMLElement;
  shown: object;
  lang: string;
}

export interface Drawing {
  /** Put a row after the one before; `draw` is called where something else is shown than before. */
  place: (key: string, shown: object, draw: (element: HTMLElement) => void) => void;
  /** Take away what was not placed. */
  end: () => void;
}

export class Rows {
  private readonly rows = new Map<string, Row>();

  /** Draw the list anew, after an element that stands before it. */
  begin(before: Element, lang: string): Drawing {
    const wanted = new Set<string>();
    let last = before;
    return {
      place: (key, shown, draw) => {
        wanted.add(key);
        const known = this.rows.get(key);
        const element = known?.element ?? document.createElement("div");
        if (known?.shown !== shown || known.lang !== lang) {
          draw(element);
          this.rows.set(key, { element, shown, lang });
        }
        if (last.nextElementSibling !== element) last.after(element);
        last = element;
      },
      end: () => {
        for (const [key, { element }] of this.rows) {
          if (wanted.has(key)) continue;
          element.remove();
          this.rows.delete(key);
        }
      },
    };
  }
}

/** A new element that a page can style by the name of its part. */
export function part(tag: string, name: string): HTMLElement {
  const element = document.createElement(tag);
  element.setAttribute("part", name);
  return element;
}
