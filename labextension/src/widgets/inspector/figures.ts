/** Counts and shares as people read them. */

/** `1,234`. */
export function whole(count: number): string {
  return Math.round(count).toLocaleString('en');
}

/** `1 row`, `1,234 rows`. */
export function many(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A share as `12.3%`. Only nothing is `0%`, and only all is `100%`; `–` where there is nothing to share. */
export function percent(part: number, of: number): string {
  const share = part / of;
  if (!Number.isFinite(share)) {
    return '–';
  }
  if (share > 0 && share < 0.001) {
    return '<0.1%';
  }
  if (share > 0.999 && share < 1) {
    return '>99.9%';
  }
  return `${Number((share * 100).toFixed(1))}%`;
}
