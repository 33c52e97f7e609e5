/**
 * The page's only way to make elements: text goes in as text nodes, never as markup.
 *
 * There is deliberately no function here that takes HTML, so that a title such as
 * `<img src=x onerror=…>` can only ever be read, not run.
 */

type Value = string | number | boolean | null | undefined | ((event: never) => void);
export type Attributes = Record<string, Value>;
export type Child = Node | string | number | null | undefined | false;

/** Make an element; functions become listeners (`onclick`), `true` an empty attribute, `false` none. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else setAttribute(element, name, value);
  }
  element.append(...present(children));
  return element;
}

/** Set, or with `false`, `null` and `undefined` remove, an attribute. */
export function setAttribute(element: Element, name: string, value: Exclude<Value, (event: never) => void>): void {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Replace an element's text, touching the document only when it differs (a live region speaks on every touch). */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** What a list needs to draw its items and to know them again. */
export interface Keyed<Item> {
  key: (item: Item) => string;
  create: (item: Item) => HTMLElement;
  update?: (element: HTMLElement, item: Item) => void;
}

/**
 * Make the children of `parent` show `items`, in order.
 *
 * An item's element is kept as long as its key stays, so that focus, scroll position and a running
 * animation survive a redraw.
 */
export function renderList<Item>(parent: Element, items: readonly Item[], { key, create, update }: Keyed<Item>): void {
  const old = new Map<string, HTMLElement>();
  for (const child of parent.children) {
    if (child instanceof HTMLElement && child.dataset.key !== undefined) old.set(child.dataset.key, child);
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const itemKey = key(item);
    let element = old.get(itemKey);
    if (element === undefined) {
      element = create(item);
      element.dataset.key = itemKey;
    }
    old.delete(itemKey);
    update?.(element, item);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const gone of old.values()) gone.remove();
}

function present(children: Child[]): (Node | string)[] {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : child));
}
