/** Text of any origin as signs that can be seen, and that change nothing around them. */

/** Characters of a text shown before it is cut off. */
export const LIMIT = 2000;

/** What is not drawn as it is: controls, spaces of all kinds, marks of direction, halves of surrogate pairs. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const UNSEEN =
  /[\u0000-\u0020\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** What running text needs: spaces, line ends, and what joins the parts of an emoji. */
const KEPT = ' \t\n\u00a0\u200d\u3000\ufe0f';

const NAMED: Record<string, string> = { ' ': '·', '\n': '⏎', '\t': '→', '\u00a0': '⍽', '\u007f': '␡' };

/** One unseen character: `·`, `⏎`, `→`, a control picture such as `␀`, else its number, `‹U+202E›`. */
function sign(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return (
    NAMED[character] ??
    (code < 0x20
      ? String.fromCharCode(0x2400 + code)
      : `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`)
  );
}

/** A piece of a text: as it is, or signs for what cannot be seen. */
export interface Piece {
  text: string;
  sign: boolean;
}

/** The text in pieces, neighbouring signs together. */
export function pieces(text: string): Piece[] {
  const made: Piece[] = [];
  const add = (part: string, isSign: boolean): void => {
    const last = made.at(-1);
    if (last && last.sign === isSign) {
      last.text += part;
    } else if (part) {
      made.push({ text: part, sign: isSign });
    }
  };
  let end = 0;
  for (const found of text.matchAll(UNSEEN)) {
    add(text.slice(end, found.index), false);
    add(sign(found[0]), true);
    end = found.index + found[0].length;
  }
  add(text.slice(end), false);
  return made;
}

/** The whole text with a sign for all that cannot be seen. */
export function visible(text: string): string {
  return text.replace(UNSEEN, sign);
}

/** Running text: lines and spaces stay what they are, all else that cannot be seen is a sign. */
export function readable(text: string): string {
  return text.replace(UNSEEN, character => (KEPT.includes(character) ? character : sign(character)));
}

/** At most `limit` characters of a text, and how many more there are. */
export function shortened(text: string, limit: number = LIMIT): string {
  return text.length > limit
    ? `${text.slice(0, limit)}… ${(text.length - limit).toLocaleString('en')} more`
    : text;
}
