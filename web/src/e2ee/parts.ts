/** Elements made in one call; what users named goes in as text. */

/** A new element with properties and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: { className?: string },
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/** A button; the `key` tells it from others when all is drawn anew. */
export function button(key: string, label: string, press: () => void, className = ""): HTMLButtonElement {
  const made = element("button", { className }, label);
  made.type = "button";
  made.dataset.key = key;
  made.addEventListener("click", press);
  return made;
}
