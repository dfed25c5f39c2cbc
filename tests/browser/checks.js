// What WCAG 2.2 AA asks for and a program can see, on the page as it is now. The one argument is the window's width in
// CSS pixels; the answer is a list of what is wrong, each in a line that names the element.
const width = arguments[0];
const wrong = [];
const all = (css, within = document) => [...within.querySelectorAll(css)];

const named = (element) => {
  const id = element.id ? `#${element.id}` : "";
  const name = element.getAttribute("name") ? `[name=${element.getAttribute("name")}]` : "";
  const classes = [...element.classList].map((one) => `.${one}`).join("");
  const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
  return `<${element.tagName.toLowerCase()}${id}${classes}${name}> "${text}"`;
};
const say = (element, what) => wrong.push(`${named(element)}: ${what}`);

const shown = (element) =>
  element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true }) &&
  element.getClientRects().length > 0;

// Text that is only for ears (the usual clipped box of a pixel) is neither seen nor aimed at.
const clipped = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const box = at.getBoundingClientRect();
    const style = getComputedStyle(at);
    if (box.width <= 1 && box.height <= 1 && style.overflow !== "visible") return true;
  }
  return false;
};

const text_of = (ids) =>
  (ids || "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id)?.textContent || "").join(" ").trim();
const accessible_name = (element) =>
  text_of(element.getAttribute("aria-labelledby")) ||
  (element.getAttribute("aria-label") || "").trim() ||
  (element.labels ? [...element.labels].map((label) => label.textContent).join(" ").trim() : "") ||
  (["BUTTON", "A", "SUMMARY"].includes(element.tagName) ? element.textContent.trim() : "") ||
  (element.querySelector?.("img[alt]")?.getAttribute("alt") || "").trim() ||
  (element.querySelector?.(":scope > title, :scope > figcaption, :scope > caption")?.textContent || "").trim();

// The document as a whole.
if (!document.documentElement.lang) wrong.push("the page does not say its language");
if (!document.title.trim()) wrong.push("the page has no title");
const mains = all("main").length;
if (mains !== 1) wrong.push(`${mains} main parts instead of one`);
const tops = all("h1").filter(shown).length;
if (tops !== 1) wrong.push(`${tops} headings of the first level instead of one`);
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) say(heading, `a heading of level ${own} after one of level ${level}`);
  level = own;
}
const viewport = document.querySelector("meta[name=viewport]")?.content || "";
if (/user-scalable\s*=\s*no|maximum-scale/.test(viewport)) wrong.push("the page forbids zooming");

// References that lead nowhere, names that are there twice.
const ids = new Map();
for (const element of all("[id]")) ids.set(element.id, (ids.get(element.id) || 0) + 1);
for (const [id, times] of ids) if (times > 1) wrong.push(`the id ${id} is there ${times} times`);
for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for", "list"]) {
  for (const element of all(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/).filter(Boolean)) {
      if (!ids.has(id)) say(element, `${attribute} names ${id}, which is not there`);
    }
  }
}

// Names for everything that is operated or is no text.
for (const field of all("input:not([type=hidden]), select, textarea").filter(shown)) {
  if (!["submit", "button", "reset", "image"].includes(field.type) && !accessible_name(field)) say(field, "no label");
}
for (const element of all("button, a[href], summary").filter(shown)) {
  if (!accessible_name(element)) say(element, "nothing says what it does");
}
for (const image of all("img")) if (!image.hasAttribute("alt")) say(image, "no alternative text");
for (const drawing of all("svg, canvas").filter(shown)) {
  const hidden = drawing.closest("[aria-hidden=true]");
  const pictured = drawing.closest("[role=img]");
  if (!hidden && !(pictured && accessible_name(pictured))) say(drawing, "a drawing without text");
}
for (const table of all("table").filter(shown)) {
  if (!table.querySelector("th")) say(table, "a table without header cells");
  const titled = table.closest("section[aria-labelledby], section[aria-label], figure[aria-labelledby]");
  if (!accessible_name(table) && !titled) say(table, "a table without a caption or label");
}
for (const group of all("fieldset")) if (!group.querySelector(":scope > legend")) say(group, "a group without a legend");
for (const element of all("[tabindex]")) if (element.tabIndex > 0) say(element, "jumps the order of the keyboard");

// Colours. Drawn on a canvas, every notation of CSS becomes red, green, blue and alpha.
const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const colours = new Map();
const colour = (text) => {
  if (!colours.has(text)) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = text;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    colours.set(text, [red, green, blue, alpha / 255]);
  }
  return colours.get(text);
};
const over = ([r, g, b, a], [br, bg, bb]) => [r * a + br * (1 - a), g * a + bg * (1 - a), b * a + bb * (1 - a), 1];
const behind = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const own = colour(getComputedStyle(at).backgroundColor);
    if (own[3] > 0) layers.push(own);
    if (own[3] === 1) break;
  }
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches &&
    getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [18, 18, 18, 1] : [255, 255, 255, 1];
  return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
};
const luminance = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
const rgb = (value) => `rgb(${value.slice(0, 3).map(Math.round).join(" ")})`;
const opacity = (element) => {
  let product = 1;
  for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
  return product;
};
const readable = (element, foreground, what) => {
  const style = getComputedStyle(element);
  const background = behind(element);
  const [r, g, b, alpha] = colour(foreground);
  const seen = over([r, g, b, alpha * opacity(element)], background);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const found = contrast(seen, background);
  const asked = large ? 3 : 4.5;
  if (found < asked) say(element, `${what} has contrast ${found.toFixed(2)}, less than ${asked}: ${rgb(seen)} on ${rgb(background)}`);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const read = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || read.has(element)) continue;
  if (["SCRIPT", "STYLE", "TEMPLATE", "NOSCRIPT", "OPTION", "TITLE"].includes(element.tagName)) continue;
  read.add(element);
  if (!shown(element) || clipped(element) || element.closest(":disabled, [aria-disabled=true]")) continue;
  readable(element, element.namespaceURI.endsWith("svg") ? getComputedStyle(element).fill : getComputedStyle(element).color, "the text");
}
for (const field of all("input:not([type=hidden]), select, textarea").filter(shown)) {
  if (field.disabled || clipped(field)) continue;
  readable(field, getComputedStyle(field).color, "what is written in it");
  if (field.placeholder) readable(field, getComputedStyle(field, "::placeholder").color, "its placeholder");
  // The edge that says where to click or write.
  if (["checkbox", "radio", "range", "color"].includes(field.type)) continue;
  const edge = colour(getComputedStyle(field).borderBottomColor);
  const found = contrast(over(edge, behind(field.parentElement)), behind(field.parentElement));
  if (found < 3) say(field, `its edge has contrast ${found.toFixed(2)}, less than 3`);
}

// What is operated can be hit with a thumb: 24 pixels each way, or so much room around it that a circle of 24 pixels
// meets nothing else that is operated. Links within sentences may be small. And it shows when the keyboard is on it.
const before = document.activeElement;
const [left, top] = [scrollX, scrollY];
const operated = all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")
  .filter((element) => shown(element) && !element.disabled);
const targets = operated.filter((element) => !clipped(element) && !["PRE", "DIV", "TABLE", "SECTION"].includes(element.tagName));
const crowded = (element) => {
  const box = element.getBoundingClientRect();
  if (box.width >= 24 && box.height >= 24) return false;
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  return targets.some((other) => {
    if (other === element) return false;
    const its = other.getBoundingClientRect();
    const across = Math.max(its.left - x, 0, x - its.right);
    const down = Math.max(its.top - y, 0, y - its.bottom);
    return Math.hypot(across, down) < 12;
  });
};
for (const element of targets) {
  const sentence = element.tagName === "A" && getComputedStyle(element).display === "inline" &&
    element.parentElement.textContent.trim().length > element.textContent.trim().length;
  if (!sentence && !element.closest("label") && crowded(element)) {
    const box = element.getBoundingClientRect();
    say(element, `${box.width.toFixed(0)} × ${box.height.toFixed(0)} pixels are too few to hit beside its neighbours`);
  }
}
for (const element of operated) {
  const plain = getComputedStyle(element);
  const rest = [plain.outlineStyle, plain.outlineWidth, plain.outlineColor, plain.boxShadow].join();
  element.focus({ focusVisible: true, preventScroll: true });
  if (document.activeElement !== element) continue;
  const style = getComputedStyle(element);
  const lit = [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow].join();
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  if (lit === rest || (!drawn && style.boxShadow === "none")) say(element, "does not show that it has the focus");
  else if (drawn && style.outlineStyle !== "auto") {
    const found = contrast(over(colour(style.outlineColor), behind(element.parentElement)), behind(element.parentElement));
    if (found < 3) say(element, `its focus ring has contrast ${found.toFixed(2)}, less than 3`);
  }
}
before?.focus?.({ preventScroll: true });
if (before === document.body) document.activeElement?.blur();
scrollTo(left, top);

// Nobody scrolls sideways to read a page; a wide table may scroll in a box of its own, which the keyboard must reach.
const wide = document.scrollingElement.scrollWidth;
if (wide > width) {
  wrong.push(`the page is ${wide} pixels wide in a window of ${width}`);
  for (const element of all("body *").filter(shown)) {
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 && ![...element.children].some((child) => child.getBoundingClientRect().right > width + 1)) {
      let scrolls = false;
      for (let at = element.parentElement; at; at = at.parentElement) {
        if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX) && at !== document.body) scrolls = true;
      }
      if (!scrolls) say(element, `reaches to ${box.right.toFixed(0)}`);
    }
  }
}
for (const element of all("body *").filter(shown)) {
  const style = getComputedStyle(element);
  if (["auto", "scroll"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1 &&
      element.tabIndex < 0 && !element.querySelector("a[href], button, input, select, textarea")) {
    say(element, "scrolls sideways, and the keyboard cannot reach it");
  }
}
return [...new Set(wrong)];
