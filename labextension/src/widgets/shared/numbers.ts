/** Numbers from the kernel, and numbers as people read them. */

/** A float32 buffer as numbers; NaN is a missing value. Buffers of widget messages may start at any byte. */
export function float32s(buffer: DataView): number[] {
  const { buffer: whole, byteOffset, byteLength } = buffer;
  return Array.from(new Float32Array(whole.slice(byteOffset, byteOffset + byteLength)));
}

/** A value of a chart with the digits that matter: `2.345`, `0.0123`, `1,234`, `2.0e-5`; `–` where there is none. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) {
    return '–';
  }
  if (size >= 1000) {
    return Math.round(value).toLocaleString('en');
  }
  if (size >= 100) {
    return value.toFixed(1);
  }
  if (size >= 1) {
    return value.toFixed(3);
  }
  if (size >= 0.001) {
    return value.toPrecision(3);
  }
  return size === 0 ? '0' : value.toExponential(2);
}

/** Seconds as `42 s`, `3 min 05 s` or `2 h 07 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (part: number): string => String(part).padStart(2, '0');
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  }
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}
