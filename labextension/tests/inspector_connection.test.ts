import { describe, expect, it, vi } from 'vitest';

import { connection, int32s, sentences } from '../src/widgets/inspector/connection';
import type { ToKernel } from '../src/widgets/inspector/protocol';
import { aList, aProgress, aSample, aState, buffers } from './a_set';

function talk() {
  const sent: ToKernel[] = [];
  const news = { state: vi.fn(), progress: vi.fn(), plotly: vi.fn(), error: vi.fn() };
  const link = connection(message => void sent.push(message), news);
  const last = (): number => (sent.at(-1) as { request: number }).request;
  return { sent, news, link, last };
}

const LIST = { filter: null, search: false, start: 0, stop: 50 };

describe('a request', () => {
  it('gets the reply with its number and no other', async () => {
    const { link, sent, last } = talk();
    const reply = link.ask('list', LIST);
    expect(sent).toEqual([{ type: 'list', request: last(), ...LIST }]);
    link.receive({ type: 'list', request: last() + 1, ...aList(0, 2) }, []);
    link.receive({ type: 'list', request: last(), ...aList(0, 5) }, []);
    expect((await reply).message.rows).toHaveLength(5);
  });

  it('is refused with what the kernel says', async () => {
    const { link, news, last } = talk();
    const reply = link.ask('list', LIST);
    link.receive({ type: 'error', request: last(), message: 'Row 3 is broken.', fix: 'Mend it.' }, []);
    await expect(reply).rejects.toEqual({ message: 'Row 3 is broken.', fix: 'Mend it.' });
    expect(news.error).not.toHaveBeenCalled();
    link.receive({ type: 'error', request: 0, message: 'The disk is gone.', fix: '' }, []);
    expect(news.error).toHaveBeenCalledWith({ message: 'The disk is gone.', fix: '' });
  });

  it('for a sample takes the place of an earlier one', async () => {
    const { link, last } = talk();
    const taken: number[] = [];
    void link.ask('sample', { place: 1, sample: 0 }).then(({ message }) => taken.push(message.place));
    const first = last();
    void link.ask('sample', { place: 2, sample: 0 }).then(({ message }) => taken.push(message.place));
    link.receive({ type: 'sample', request: first, ...aSample([], [], { place: 1 }).message }, []);
    link.receive({ type: 'sample', request: last(), ...aSample([], [], { place: 2 }).message }, []);
    await Promise.resolve();
    expect(taken).toEqual([2]);
  });

  it('made before a new generation is forgotten, but for the one that made it new', async () => {
    const { link, news, last } = talk();
    link.receive({ type: 'state', ...aState() }, []);
    const settled = vi.fn();
    void link.ask('list', LIST).then(settled, settled);
    const old = last();
    const changed = link.ask('what_if', { changes: { sequence_len: 64 } });
    const after = aState({ generation: 2, sequence_len: 64 });
    link.receive({ type: 'state', ...after }, []);
    link.receive({ type: 'list', request: old, ...aList(0, 5) }, []);
    link.receive({ type: 'what_if', request: last(), ...after }, []);
    expect((await changed).message.sequence_len).toBe(64);
    expect(settled).not.toHaveBeenCalled();
    expect(news.state.mock.calls.map(([state, renewed]) => [state.generation, renewed])).toEqual([
      [1, true],
      [2, true],
      [2, false],
    ]);
  });
});

it('drops progress of another generation', () => {
  const { link, news } = talk();
  link.receive({ type: 'state', ...aState({ generation: 2 }) }, []);
  link.receive({ type: 'progress', ...aProgress() }, []);
  link.receive({ type: 'progress', ...aProgress({}, { generation: 2, found: 3 }) }, []);
  expect(news.progress.mock.calls.map(([progress]) => progress.found)).toEqual([3]);
});

it('reads int32 from any byte of a message', () => {
  expect([...int32s(buffers([1, -100, 2 ** 31 - 1])[0])]).toEqual([1, -100, 2147483647]);
  expect([...int32s(undefined)]).toEqual([]);
});

it.each([
  [{ message: 'It is broken.', fix: 'Mend it.' }, 'It is broken. Mend it.'],
  [{ message: 'It is broken.', fix: '' }, 'It is broken.'],
  [new Error('no tokens'), 'no tokens'],
])('says what went wrong: %o', (refusal, words) => expect(sentences(refusal)).toBe(words));
