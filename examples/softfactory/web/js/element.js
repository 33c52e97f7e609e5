/**
 * Makes elements out of text, never out of markup.
 *
 * The guide's bell writes `item.innerHTML = ...${notification.title}...`: a title such as `<img src=x onerror=…>`,
 * which may come from anybody who comments on a post, would run in the reader's session. A text node can't.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false).map(asNode));
  return element;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
