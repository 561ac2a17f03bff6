/** Making and changing elements. Data becomes text nodes and attributes, never markup. */

type Attributes = Record<string, string | number | boolean | undefined>;

/** An element with attributes (`true` sets an empty one, `false` and `undefined` none) and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? '' : String(value));
    }
  }
  made.append(...children);
  return made;
}

/** Set an element's text where it differs, so that selections and live regions are left in peace. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

/** A 16 by 16 drawing in the colour of the text around it; decoration, hidden from screen readers. */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of Object.entries({
    viewBox: '0 0 16 16',
    class: 'ft-icon',
    'aria-hidden': 'true',
  })) {
    svg.setAttribute(name, value);
  }
  const shape = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  shape.setAttribute('d', path);
  svg.append(shape);
  return svg;
}

/** Run `change`, and keep `box` at its end if it was there: a reader who scrolled up stays where they read. */
export function keepingEnd(box: HTMLElement, change: () => void): void {
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
  change();
  if (atEnd) {
    box.scrollTop = box.scrollHeight;
  }
}

/** A button that shows `label`; `title` says what it does where there is room for a sentence. */
export function button(label: string, title: string, press: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', class: 'ft-button', title }, label);
  made.addEventListener('click', press);
  return made;
}
