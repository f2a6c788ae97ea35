// Small helpers for the document.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element; `attributes` with the value `null` are left out, `text` becomes its text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) continue;
    if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Adds `child` at the beginning and keeps at most `limit` children. */
export function prepend(parent, child, limit) {
  parent.prepend(child);
  while (parent.children.length > limit) parent.lastElementChild.remove();
}
