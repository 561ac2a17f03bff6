/** Two rows of tokens, side by side. */

/** What stands in one column: an index into each row, null where the row has nothing there. */
export interface Column {
  left: number | null;
  right: number | null;
  equal: boolean;
}

/**
 * The columns of two rows of ids, with as many equal ids as possible one above the other (their longest common
 * subsequence). What only one row has stands alone; a pair of ids that differ shares a column.
 */
export function align(left: number[], right: number[]): Column[] {
  const common = lengths(left, right);
  const at = (row: number, column: number): number => common[row]?.[column] ?? 0;
  const columns: Column[] = [];
  let [a, b] = [0, 0];
  while (a < left.length || b < right.length) {
    if (a < left.length && b < right.length && left[a] === right[b]) {
      columns.push({ left: a++, right: b++, equal: true });
    } else if (a < left.length && b < right.length && at(a + 1, b + 1) === at(a, b)) {
      columns.push({ left: a++, right: b++, equal: false });
    } else if (b >= right.length || (a < left.length && at(a + 1, b) >= at(a, b + 1))) {
      columns.push({ left: a++, right: null, equal: false });
    } else {
      columns.push({ left: null, right: b++, equal: false });
    }
  }
  return columns;
}

/** For each pair of places, how long the longest common subsequence of the rest is. */
function lengths(left: number[], right: number[]): number[][] {
  const common = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0));
  const at = (row: number, column: number): number => common[row]?.[column] ?? 0;
  for (let a = left.length - 1; a >= 0; a -= 1) {
    for (let b = right.length - 1; b >= 0; b -= 1) {
      const row = common[a];
      if (row) {
        row[b] = left[a] === right[b] ? at(a + 1, b + 1) + 1 : Math.max(at(a + 1, b), at(a, b + 1));
      }
    }
  }
  return common;
}
