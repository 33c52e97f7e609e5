/** Take what a page has set on an element before its script came: it hides the accessors. */
export function takeEarly<T extends object>(element: object, names: readonly (keyof T & string)[]): Partial<T> {
  const early: Partial<T> = {};
  for (const name of names) {
    const value = Object.getOwnPropertyDescriptor(element, name)?.value;
    if (value === undefined) continue;
    delete (element as Partial<T>)[name];
    early[name] = value;
  }
  return early;
}
