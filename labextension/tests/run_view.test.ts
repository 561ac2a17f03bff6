import { describe, expect, it, vi } from 'vitest';

import view, { PATIENCE } from '../src/widgets/run_view';
import type { ToKernel } from '../src/widgets/run_view/protocol';
import { LIMIT as SAMPLES } from '../src/widgets/run_view/samples';
import { PAUSE } from '../src/widgets/shared/announcer';
import { aRun, columns, delta, snapshot } from './a_run';
import { FakeModel, buttons, one, press, show, text } from './fake_model';

const HELLO = { type: 'hello', have: 0 };

function open(traits: Record<string, unknown> = {}) {
  const model = new FakeModel<ToKernel>({ run_name: 'cynic', frozen: false, ...traits });
  return { model, ...show(view, model) };
}

/** plotly.js as a page has it that loaded it by itself; it remembers what it was told. */
function stubPlotly() {
  const stub = {
    version: '4.1.1',
    react: vi.fn(async (_chart: HTMLElement, _traces: unknown[], _layout?: unknown) => undefined),
    extendTraces: vi.fn(async (_chart: HTMLElement, _update: object, _traces: number[]) => undefined),
    purge: vi.fn(),
    Plots: { resize: vi.fn() },
  };
  vi.stubGlobal('Plotly', stub);
  return stub;
}

function tiles(el: HTMLElement): string[][] {
  return [...el.querySelectorAll('.ft-tile')].map(tile =>
    [...tile.children].map(part => part.textContent ?? ''),
  );
}

describe('before the kernel answers', () => {
  it('asks for everything and for the library, and shows the run by name', () => {
    const { model, el } = open();
    expect(model.sent).toEqual([HELLO, { type: 'plotly' }]);
    expect(text(el, '.ft-run-name')).toBe('cynic');
    expect(text(el, '.ft-chip')).toBe('connecting');
    expect(buttons(el)).toEqual([]);
  });

  it('says after 3 seconds what it waits for, until it is answered', () => {
    const { model, el } = open();
    vi.advanceTimersByTime(PATIENCE - 1);
    expect(text(el, '.ft-run-doing')).toBe('');
    vi.advanceTimersByTime(1);
    expect(text(el, '.ft-run-doing')).toBe(
      'waiting for the kernel; the run goes on without it, and %ft attach cynic opens it in any notebook',
    );
    model.say(snapshot(1, aRun()), columns([]));
    expect(text(el, '.ft-run-doing')).toBe('step 2 of 60');
  });

  it('does not say so when the answer was quick', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([]));
    vi.advanceTimersByTime(PATIENCE);
    expect(text(el, '.ft-run-doing')).toBe('step 2 of 60');
  });

  it('asks for the library again when another view asked in vain', () => {
    open();
    const { model } = open();
    expect(model.sent).toEqual([HELLO]);
    vi.advanceTimersByTime(3000);
    expect(model.sent).toEqual([HELLO, { type: 'plotly' }]);
  });
});

describe('a snapshot', () => {
  it('is shown whole', () => {
    const { model, el } = open();
    model.say(
      snapshot(7, aRun({ world_size: 2 }), { log: 'one\ntwo\n' }),
      columns(
        [
          [1, 4, 0.001, 0.5, 400],
          [2, 3, 0.002, 2.5, 500],
        ],
        [[2, 3.5]],
      ),
    );
    expect(text(el, '.ft-chip')).toBe('running');
    expect(text(el, '.ft-run-doing')).toBe('step 2 of 60');
    expect(text(el, '.ft-run-ranks')).toBe('2 processes');
    expect(text(el, '.ft-run-times')).toBe('3%4 s, about 1 min 56 s left');
    expect(one(el, '[role=progressbar]').getAttribute('aria-valuenow')).toBe('3');
    expect(one(el, '[role=progressbar]').getAttribute('aria-valuetext')).toBe('step 2 of 60');
    expect(tiles(el)).toEqual([
      ['loss', '3.000', 'smoothed 3.429'],
      ['eval loss', '3.500', 'at step 2, best 3.500'],
      ['learning rate', '2.00e-3', 'peak 2.00e-3'],
      ['gradient norm', '2.500', 'highest 2.500'],
      ['tokens/s', '500', 'mean 450'],
    ]);
    expect(text(el, '.ft-log')).toBe('one\ntwo\n');
    expect(text(el, '.ft-run-directory')).toBe('/home/ana/runs/cynic');
    expect(text(el, '.ft-run-foot code')).toBe('%ft attach cynic');
    expect(buttons(el)).toEqual(['Inspect data', 'Checkpoint now', 'Stop']);
  });

  it('may know nothing yet', () => {
    const { model, el } = open();
    model.say(
      snapshot(1, aRun({ state: 'starting', phase: 'loading model', step: 0, total_steps: 0, eta: null })),
      columns([]),
    );
    expect(text(el, '.ft-run-doing')).toBe('loading model');
    expect(one(el, '[role=progressbar]').hasAttribute('aria-valuenow')).toBe(false);
    expect(tiles(el).map(tile => tile[1])).toEqual(['–', '–', '–', '–', '–']);
    expect(text(el, '.ft-charts-empty')).toBe('The curves begin with the first step.');
    expect(buttons(el)).toEqual(['Inspect data', 'Stop']);
  });

  it('takes the place of all that came before, asked or not', () => {
    const { model, el } = open();
    model.say(
      snapshot(1, aRun(), { log: 'old\n', warnings: [{ message: 'old', fix: '' }] }),
      columns([[1, 9]]),
    );
    model.say(snapshot(9, aRun(), { log: 'new\n' }), columns([[1, 2]]));
    expect(text(el, '.ft-log')).toBe('new\n');
    expect(one(el, '.ft-warnings').hidden).toBe(true);
    expect(tiles(el)[0]).toEqual(['loss', '2.000', 'smoothed 2.000']);
  });
});

describe('deltas', () => {
  it('add what is new', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun(), { log: 'one\n' }), columns([[1, 4]]));
    model.say(
      delta(2, aRun({ step: 3 }), { log_append: 'two\n', warnings: [{ message: 'Slow.', fix: 'Wait.' }] }),
      columns([[2, 3]], [[2, 3.25]]),
    );
    expect(text(el, '.ft-run-doing')).toBe('step 3 of 60');
    expect(text(el, '.ft-log')).toBe('one\ntwo\n');
    expect(text(el, '.ft-warnings summary')).toBe('1 warning');
    expect(text(el, '.ft-warnings li')).toBe('Slow.Wait.');
    expect(tiles(el)[0]).toEqual(['loss', '3.000', 'smoothed 3.429']);
    expect(tiles(el)[1]).toEqual(['eval loss', '3.250', 'at step 2, best 3.250']);
    expect(model.sent).toEqual([HELLO, { type: 'plotly' }]);
  });

  it('are dropped where one was missed, and everything is asked for once', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([[1, 4]]));
    model.sent.length = 0;
    model.say(delta(3, aRun({ step: 4 })), columns([[4, 1]]));
    model.say(delta(4, aRun({ step: 5 })), columns([[5, 1]]));
    expect(model.sent).toEqual([{ type: 'hello', have: 1 }]);
    expect(text(el, '.ft-run-doing')).toBe('step 2 of 60');
    model.say(snapshot(5, aRun({ step: 6 })), columns([[6, 2]]));
    model.say(delta(6, aRun({ step: 7 })), columns([[7, 1.5]]));
    expect(text(el, '.ft-run-doing')).toBe('step 7 of 60');
    expect(tiles(el)[0]?.[1]).toBe('1.500');
    expect(model.sent).toEqual([{ type: 'hello', have: 1 }]);
  });

  it('are dropped before the first snapshot', () => {
    const { model, el } = open();
    model.say(delta(1, aRun()), columns([[1, 4]]));
    expect(text(el, '.ft-chip')).toBe('connecting');
    expect(model.sent).toEqual([HELLO, { type: 'plotly' }]);
  });
});

describe('the curves', () => {
  it('are drawn once and then extended', async () => {
    const plotly = stubPlotly();
    const { model, el } = open();
    expect(model.sent).toEqual([HELLO]); // the page has the library already
    model.say(
      snapshot(1, aRun()),
      columns(
        [
          [1, 4, 0.5],
          [2, 2, 0.25],
          [3, NaN, 0.125],
          [4, 2, 0.125],
        ],
        [[1, 5]],
      ),
    );
    await vi.advanceTimersByTimeAsync(0);
    const [loss, side] = el.querySelectorAll('.ft-chart');
    expect(plotly.react.mock.calls.map(call => call[0])).toEqual([loss, side]);
    expect(plotly.react.mock.calls[0]?.[1]).toMatchObject([
      { name: 'loss', x: [1, 2, 3, 4], y: [4, 2, NaN, 2] },
      {
        name: 'smoothed',
        x: [1, 2, 3, 4],
        y: [4, expect.closeTo(20 / 7, 6), NaN, expect.closeTo(2.486486, 5)],
      },
      { name: 'eval loss', x: [1], y: [5] },
    ]);
    expect(plotly.react.mock.calls[1]?.[1]).toMatchObject([
      { name: 'learning rate', x: [1, 2, 3, 4], y: [0.5, 0.25, 0.125, 0.125] },
    ]);

    model.say(delta(2, aRun()), columns([[5, 2, 0.0625]], [[5, 3]]));
    expect(plotly.react).toHaveBeenCalledTimes(2);
    expect(plotly.extendTraces.mock.calls).toEqual([
      [side, { x: [[5]], y: [[0.0625]] }, [0]],
      [loss, { x: [[5], [5], [5]], y: [[2], [expect.closeTo(2.308571, 5)], [3]] }, [0, 1, 2]],
    ]);

    press(el, 'gradient norm');
    expect(plotly.react.mock.calls[3]?.[1]).toMatchObject([{ name: 'gradient norm', x: [1, 2, 3, 4, 5] }]);
    model.say(delta(3, aRun()), columns([], []));
    expect(plotly.extendTraces).toHaveBeenCalledTimes(2); // nothing new, nothing drawn

    // A run on the CPU offers no chart of a GPU's memory.
    expect(buttons(el)).not.toContain('GPU memory (GiB)');
    model.say(snapshot(4, aRun()), columns([[1, 4, 0.5, 1, 100, 1.5]]));
    press(el, 'GPU memory (GiB)');
    expect(plotly.react.mock.calls.at(-1)?.[1]).toMatchObject([{ name: 'GPU memory (GiB)', y: [1.5] }]);
  });

  it('lose their markers with the fourth step, and name the evaluations with the first', async () => {
    const plotly = stubPlotly();
    const { model } = open();
    const drawn = () =>
      plotly.react.mock.calls
        .map(([, traces]) => traces as { mode: string; showlegend?: boolean }[])
        .filter(({ length }) => length === 3)
        .map(([loss, , evals]) => [loss?.mode, evals?.showlegend]);
    model.say(snapshot(1, aRun()), columns([]));
    await vi.advanceTimersByTimeAsync(0);
    expect(drawn()).toEqual([]);
    model.say(delta(2, aRun()), columns([[1, 4]]));
    model.say(
      delta(3, aRun()),
      columns([
        [2, 4],
        [3, 4],
      ]),
    );
    model.say(delta(4, aRun()), columns([[4, 4]]));
    model.say(delta(5, aRun()), columns([[5, 4]]));
    model.say(delta(6, aRun()), columns([[6, 4]], [[6, 4]]));
    model.say(delta(7, aRun()), columns([[7, 4]], [[7, 4]]));
    expect(drawn()).toEqual([
      ['lines+markers', false],
      ['lines+markers', false],
      ['lines', false],
      ['lines', true],
    ]);
    expect(plotly.extendTraces).toHaveBeenCalledTimes(4);
  });

  it('mark the steps after which the adapter was begun anew', async () => {
    const plotly = stubPlotly();
    const { model, el } = open();
    const lines = () =>
      (plotly.react.mock.calls.at(-2)?.[2] as { shapes: { x0: number }[] }).shapes.map(({ x0 }) => x0);
    model.say(snapshot(1, aRun()), columns([[1, 4]]));
    await vi.advanceTimersByTimeAsync(0);
    expect(lines()).toEqual([]);
    expect(one(el, '.ft-restarts').hidden).toBe(true);
    model.say(delta(2, aRun({ restarts: [40] })), columns([[41, 4]]));
    expect(lines()).toEqual([40]);
    expect(text(el, '.ft-restarts')).toBe('adapter begun anew once');
    model.say(delta(3, aRun({ restarts: [40, 80] })), columns([[81, 4]]));
    expect(lines()).toEqual([40, 80]);
    expect(text(el, '.ft-restarts')).toBe('adapter begun anew 2 times');
  });

  it('take the colours of a new theme, and are gone with the view', async () => {
    const plotly = stubPlotly();
    document.body.dataset.jpThemeLight = 'true';
    const { model, el, leave } = open();
    model.say(snapshot(1, aRun()), columns([[1, 4]]));
    await vi.advanceTimersByTimeAsync(0);
    expect(one(el, '.ft-root').dataset.ftTheme).toBe('light');
    document.body.dataset.jpThemeLight = 'false';
    await vi.advanceTimersByTimeAsync(0);
    expect(one(el, '.ft-root').dataset.ftTheme).toBe('dark');
    expect(plotly.react).toHaveBeenCalledTimes(4);
    leave();
    expect(plotly.purge).toHaveBeenCalledTimes(2);
    model.say(snapshot(2, aRun({ step: 9 })), columns([]));
    expect(text(el, '.ft-run-doing')).toBe('step 2 of 60');
    delete document.body.dataset.jpThemeLight;
  });
});

describe('stopping', () => {
  it('is gentle first, and at once only after a question', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([]));
    model.sent.length = 0;
    press(el, 'Stop');
    expect(model.sent).toEqual([{ type: 'stop', now: false }]);
    expect(text(el, '.ft-stop-note')).toBe('It finishes the step, saves and exits.');
    expect(buttons(el)).toEqual(['Inspect data', 'Stop now']);
    press(el, 'Stop now');
    expect(text(el, '.ft-confirm span')).toBe(
      'End it now? What it learned since its last checkpoint is lost.',
    );
    press(el, 'Let it finish');
    expect(buttons(el)).toEqual(['Inspect data', 'Stop now']);
    press(el, 'Stop now');
    press(el, 'End it now');
    expect(model.sent).toEqual([
      { type: 'stop', now: false },
      { type: 'stop', now: true },
    ]);
    model.say(delta(2, aRun({ state: 'stopped', message: '' })), columns([]));
    expect(buttons(el)).toEqual([]);
    expect(text(el, '.ft-run-doing')).toBe('after step 2 of 60');
  });

  it('that came from elsewhere is known', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun({ state: 'stopping' })), columns([]));
    expect(buttons(el)).toEqual(['Inspect data', 'Stop now']);
  });

  it('is not offered by a frozen view', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([]));
    model.change('frozen', true);
    expect(buttons(el)).toEqual([]);
  });
});

describe('Inspect data', () => {
  it('asks for the inspector and says where it is', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([]));
    press(el, 'Inspect data');
    expect(model.sent.at(-1)).toEqual({ type: 'inspect' });
    expect(text(el, '.ft-inspect-note')).toBe(
      'The inspector opens below; %ft inspect cynic opens it in any cell.',
    );
  });
});

describe('Checkpoint now', () => {
  it('may be pressed again after the next step', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun({ step: 2 })), columns([]));
    model.sent.length = 0;
    press(el, 'Checkpoint now');
    expect(model.sent).toEqual([{ type: 'checkpoint' }]);
    expect(buttons(el)).toEqual(['Inspect data', 'Stop']);
    model.say(delta(2, aRun({ step: 2 })), columns([]));
    expect(buttons(el)).toEqual(['Inspect data', 'Stop']);
    model.say(delta(3, aRun({ step: 3 })), columns([]));
    expect(buttons(el)).toEqual(['Inspect data', 'Checkpoint now', 'Stop']);
  });
});

describe('a failed run', () => {
  it('says why and what to do, and shows hostile text as text', () => {
    const { model, el } = open();
    const hostile = '<img src=x onerror="document.title = 1"><script>document.title = 2</script>';
    model.say(
      snapshot(
        1,
        aRun({
          name: hostile,
          directory: hostile,
          state: 'failed',
          message: hostile,
          fix: hostile,
          traceback: hostile,
          phase: hostile,
          attach: hostile,
        }),
        { log: hostile, warnings: [{ message: hostile, fix: hostile }] },
      ),
      columns([]),
    );
    for (const place of [
      '.ft-run-name',
      '.ft-run-directory',
      '.ft-problem-message',
      '.ft-problem-fix',
      '.ft-problem pre',
      '.ft-log',
      '.ft-run-foot code',
    ]) {
      expect(text(el, place)).toBe(hostile);
    }
    expect(text(el, '.ft-warnings li')).toBe(hostile + hostile);
    expect(el.querySelectorAll('img, script')).toHaveLength(0);
    expect(one(el, '.ft-problem').hidden).toBe(false);
    expect(text(el, '.ft-charts-empty')).toBe('');
    expect(buttons(el)).toEqual([]);
  });

  it('has no traceback for a mistake of the user', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun({ state: 'failed', message: 'No such file.', fix: 'Check.' })), columns([]));
    expect(one(el, '.ft-problem details').hidden).toBe(true);
  });
});

describe('time', () => {
  it('goes on between messages, and stops when the kernel is silent', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun({ eta: null, elapsed: 10 })), columns([]));
    vi.advanceTimersByTime(3000);
    expect(text(el, '.ft-run-times')).toBe('3%13 s');
    vi.advanceTimersByTime(37_000);
    expect(text(el, '.ft-run-times')).toBe(
      '3%no word from the kernel for 40 s; the run does not depend on it',
    );
    model.say(delta(2, aRun({ eta: null, elapsed: 51 })), columns([]));
    expect(text(el, '.ft-run-times')).toBe('3%51 s');
  });

  it('is announced at most every 5 seconds', () => {
    const { model, el } = open();
    const said: string[] = [];
    const note = (): void => {
      const now = text(el, '[role=status]') ?? '';
      if (said.at(-1) !== now) {
        said.push(now);
      }
    };
    model.say(snapshot(1, aRun({ eta: null })), columns([[2, 3]]));
    note();
    for (let seq = 2; seq <= 9; seq += 1) {
      model.say(delta(seq, aRun({ step: seq + 1, eta: null })), columns([]));
      vi.advanceTimersByTime(PAUSE / 10);
      note();
    }
    expect(said).toEqual(['cynic: running, step 2 of 60, loss 3.000']);
    vi.advanceTimersByTime(PAUSE / 5);
    note();
    expect(said).toEqual([
      'cynic: running, step 2 of 60, loss 3.000',
      'cynic: running, step 10 of 60, loss 3.000',
    ]);
  });
});

describe('samples of the model', () => {
  const sample = (step: number, text: string) => ({ step, prompt: 'Why?', text, reference: 'So.' });

  it('are folded, the newest first, and shown as text whatever they hold', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun(), { samples: [sample(5, 'one'), sample(10, 'two')] }), columns([]));
    const box = one(el, '.ft-samples');
    expect(box.hasAttribute('open')).toBe(false);
    expect(text(box, 'summary')).toBe('2 samples of the model');
    model.say(delta(2, aRun(), { samples: [sample(15, '<img src=x onerror=alert(1)>')] }), columns([]));
    expect([...box.querySelectorAll('.ft-sample-step')].map(step => step.textContent)).toEqual([
      'after step 15',
      'after step 10',
      'after step 5',
    ]);
    expect(text(box, 'li:first-child pre.ft-sample-model')).toBe('<img src=x onerror=alert(1)>');
    expect(box.querySelector('img')).toBeNull();
    expect([...one(box, 'li:first-child').querySelectorAll('dt, pre')].map(part => part.textContent)).toEqual(
      ['prompt', 'Why?', 'model', '<img src=x onerror=alert(1)>', 'data', 'So.'],
    );
  });

  it('are not more than a page can hold, and none are no box', () => {
    const { model, el } = open();
    model.say(snapshot(1, aRun()), columns([]));
    const box = one(el, '.ft-samples');
    expect(box.hidden).toBe(true);
    const many = Array.from({ length: SAMPLES + 1 }, (_, index) => sample(index + 1, 'x'));
    model.say(delta(2, aRun(), { samples: many }), columns([]));
    expect(box.querySelectorAll('li').length).toBe(SAMPLES);
    expect(text(box, 'li:first-child .ft-sample-step')).toBe(`after step ${SAMPLES + 1}`);
    model.say(snapshot(3, aRun(), { samples: [sample(1, 'x')] }), columns([]));
    expect(text(box, 'summary')).toBe('1 sample of the model');
  });
});

describe('trackers', () => {
  it('are links where they are pages, and text else', () => {
    const { model, el } = open();
    const trackers = [
      { name: 'MLflow', address: 'https://host/#/runs/1' },
      { name: 'TensorBoard', address: '/runs/a/tensorboard' },
      { name: 'Odd', address: 'javascript:alert(1)' },
    ];
    model.say(snapshot(1, aRun({ trackers })), columns([]));
    const links = [...el.querySelectorAll<HTMLAnchorElement>('.ft-run-trackers a')];
    expect(links.map(link => [link.textContent, link.getAttribute('href'), link.rel])).toEqual([
      ['MLflow', 'https://host/#/runs/1', 'noopener noreferrer'],
    ]);
    expect(text(el, '.ft-run-trackers')).toBe(
      'MLflowTensorBoard: /runs/a/tensorboardOdd: javascript:alert(1)',
    );
  });
});
