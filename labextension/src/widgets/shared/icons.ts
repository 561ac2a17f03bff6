/** Drawings of 16 by 16: what a state looks like where its colour cannot be seen. */

export const DOTS = 'M3 6.5h2v3H3zm4 0h2v3H7zm4 0h2v3h-2z';
export const PLAY = 'M4 2.5 13.5 8 4 13.5z';
export const PAUSE = 'M4 4h3v8H4zm5 0h3v8H9z';
export const SQUARE = 'M3.5 3.5h9v9h-9z';
export const CHECK = 'M6.4 12.6 2 8.2l1.5-1.5 2.9 2.9 6.1-6.2L14 4.9z';
export const CROSS = 'M8 6.5 12 2.4 13.6 4 9.5 8l4.1 4-1.6 1.6L8 9.5l-4 4.1L2.4 12 6.5 8 2.4 4 4 2.4z';
export const QUESTION =
  'M7 10.2h2v-.9c2-.6 3-1.8 3-3.4 0-2.2-1.7-3.7-4-3.7S4 3.7 4 5.9h2c0-1.1.8-1.8 2-1.8s2 .7 2 1.8c0 1.2-.8 1.6-2 1.9-.7.2-1 .5-1 1.1zm0 1.5h2v2H7z';
export const WARNING = 'M8 1.5 15 14H1zM7.2 6v4h1.6V6zm0 5.1v1.6h1.6v-1.6z';
