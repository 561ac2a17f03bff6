import { describe, expect, it } from 'vitest';

import { Smoother, last, memory } from '../src/widgets/run_view/curves';

describe('Smoother', () => {
  it('begins at the first value and passes over missing ones', () => {
    const smoother = new Smoother(2); // each value weighs half of the one after it
    expect([4, NaN, 1, 1].map(value => smoother.next(value))).toEqual([4, NaN, 2, 10 / 7]);
  });

  it('looks back further the longer the run is', () => {
    expect([0, 60, 80, 400, 1000, 100_000].map(memory)).toEqual([4, 4, 4, 20, 50, 50]);
  });
});

describe('last', () => {
  it('is the last value there is', () => {
    expect(last([1, 2, NaN])).toBe(2);
    expect(last([])).toBeNaN();
  });
});
