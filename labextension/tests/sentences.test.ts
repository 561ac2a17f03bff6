import { describe, expect, it } from 'vitest';

import type { Run } from '../src/widgets/run_view/protocol';
import { activity, share, times } from '../src/widgets/run_view/sentences';
import { aRun } from './a_run';

const cases: [Partial<Run>, string, number | null][] = [
  [{ state: 'starting', phase: 'loading model', total_steps: 0 }, 'loading model', null],
  [
    { state: 'starting', phase: 'tokenizing', phase_done: 340, phase_total: 850, total_steps: 0 },
    'tokenizing 340 of 850',
    0.4,
  ],
  [{ state: 'running', step: 0 }, 'step 0 of 60', 0],
  [{ state: 'running', step: 12 }, 'step 12 of 60', 0.2],
  [{ state: 'running', step: 1200, total_steps: 6000 }, 'step 1,200 of 6,000', 0.2],
  [{ state: 'running', step: 60, phase: 'saving' }, 'saving', 1],
  [{ state: 'stopping', step: 12 }, 'step 12 of 60, then it saves and exits', 0.2],
  [{ state: 'completed', step: 60, phase: 'done' }, '60 steps', 1],
  [{ state: 'completed', step: 1, total_steps: 1, phase: 'done' }, '1 step', 1],
  [{ state: 'stopped', step: 12, phase: 'done' }, 'after step 12 of 60', 0.2],
  [{ state: 'failed', step: 12 }, 'at step 12 of 60', 0.2],
  [{ state: 'failed', phase: 'loading model', step: 0, total_steps: 0 }, 'before the first step', 0],
  [{ state: 'lost', step: 12 }, 'its process is gone; last seen at step 12 of 60', 0.2],
];

describe('a run in words', () => {
  it.each(cases)('%o', (change, words, done) => {
    const run = aRun(change);
    expect(activity(run)).toBe(words);
    expect(share(run)).toBe(done);
  });

  it('tells the time left only while there is some', () => {
    expect(times(aRun({ eta: 190 }), 62)).toBe('1 min 02 s, about 3 min 10 s left');
    expect(times(aRun({ eta: null }), 62)).toBe('1 min 02 s');
    expect(times(aRun({ eta: 190 }), null)).toBe('about 3 min 10 s left');
    expect(times(aRun({ state: 'stopped', eta: 190 }), 62)).toBe('1 min 02 s');
  });
});
