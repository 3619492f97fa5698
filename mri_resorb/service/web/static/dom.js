/**
 * An element with attributes and children.
 *
 * @param {string} tag a name; `svg:path` and the like are made in the SVG namespace
 * @param {Object} attributes by name; `on...` is a listener, a name with a capital letter inside
 *   (`textContent`, `className`) is set as a property, true and false stand for a bare attribute
 * @param {...(Node|string|null)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && /[A-Z]/.test(name) && !tag.startsWith("svg:")) made[name] = value;
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Calls of one function within a frame of the screen become one. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
