import { describe, expect, it } from 'vitest';

import { digits, duration, float32s } from '../src/widgets/shared/numbers';

describe('float32s', () => {
  it.each([0, 1, 2, 3, 5])('reads a buffer that starts at byte %i of a larger one', offset => {
    const whole = new Uint8Array(offset + 8 + 3);
    whole.set(new Uint8Array(new Float32Array([1.5, -2]).buffer), offset);
    expect(float32s(new DataView(whole.buffer, offset, 8))).toEqual([1.5, -2]);
  });

  it('keeps a missing value', () => {
    expect(float32s(new DataView(new Float32Array([NaN, 3]).buffer))).toEqual([NaN, 3]);
  });
});

describe('digits', () => {
  it.each([
    [12345.6, '12,346'],
    [123.456, '123.5'],
    [2.34567, '2.346'],
    [0.0123456, '0.0123'],
    [0.0000205, '2.05e-5'],
    [-0.5, '-0.500'],
    [0, '0'],
    [NaN, '–'],
    [Infinity, '–'],
  ])('writes %d as %s', (value, written) => {
    expect(digits(value)).toBe(written);
  });
});

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [185, '3 min 05 s'],
    [3599.6, '1 h 00 min'],
    [7620, '2 h 07 min'],
    [-3, '0 s'],
  ])('writes %d seconds as %s', (seconds, written) => {
    expect(duration(seconds)).toBe(written);
  });
});
