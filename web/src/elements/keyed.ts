/** Rows that keep their elements, and so the focus, as long as they are drawn. */

import { render, type TemplateResult } from "lit-html";

export class Keyed {
  private rows = new Map<string, HTMLElement>();

  /** Draw these rows in a parent, after an element of it or from its beginning, and take the others away. */
  draw<Row extends { readonly id: string }>(
    parent: Element | null,
    after: Element | null,
    all: readonly Row[],
    view: (row: Row, index: number) => TemplateResult,
  ): void {
    const kept = new Map(all.map(({ id }) => [id, this.rows.get(id) ?? document.createElement("div")]));
    // Before any is placed: an element that has the focus must not be moved for one that goes.
    for (const [id, element] of this.rows) if (!kept.has(id)) element.remove();
    this.rows = kept;
    let last = after;
    all.forEach((row, index) => {
      const element = kept.get(row.id) as HTMLElement;
      render(view(row, index), element);
      const next = last === null ? parent?.firstElementChild : last.nextElementSibling;
      if (next !== element) last === null ? parent?.prepend(element) : last.after(element);
      last = element;
    });
  }
}
