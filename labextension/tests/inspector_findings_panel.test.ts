import { describe, expect, it, vi } from 'vitest';

import { adviceElement, parts, withCode } from '../src/widgets/inspector/advice';
import { SAID, copyButton } from '../src/widgets/inspector/copying';
import { findingsPanel } from '../src/widgets/inspector/findings';
import type { Finding } from '../src/widgets/inspector/protocol';
import { FakeInspector, aJob, show, someProgress, texts } from './a_panel';
import { aState } from './a_set';
import { buttons, one, press, text } from './fake_model';

function aFinding(name: string, change: Partial<Finding> = {}): Finding {
  return {
    name,
    title: `About ${name}`,
    severity: 'wrong',
    count: 12,
    share: 0.12,
    reason: 'It is so.',
    fix: '',
    places: [0, 4],
    flag: name,
    ...change,
  };
}

function open() {
  const inspector = new FakeInspector();
  const panel = show(findingsPanel(inspector));
  panel.showState(aState());
  return { inspector, panel, el: panel.element };
}

function clipboard(): { writeText: ReturnType<typeof vi.fn> } {
  const stub = { writeText: vi.fn(async (_text: string) => undefined) };
  vi.stubGlobal('navigator', { clipboard: stub });
  return stub;
}

describe('findings', () => {
  it('are listed as they come, worst first, each with its rows', () => {
    const { panel, el, inspector } = open();
    const findings = [
      aFinding('broken', { severity: 'broken', count: 1, share: 0.0001, places: [2] }),
      aFinding('stop', { places: [0, 1, 2, 3, 4, 5], count: 2500, share: 0.25 }),
      aFinding('set', { severity: 'notable', count: 0, flag: null, places: [] }),
    ];
    panel.showProgress(someProgress({ jobs: { scan: aJob('running', 50) }, findings }));
    expect(text(el, '.ft-findings-heading')).toBe('3 findings: 1 broken, 1 wrong, 1 notable');
    expect(texts(el, '.ft-finding-title')).toEqual(['About broken', 'About stop', 'About set']);
    expect(texts(el, '.ft-severity')).toEqual(['broken', 'wrong', 'notable']);
    expect(el.querySelectorAll('.ft-severity svg')).toHaveLength(3);
    expect(texts(el, '.ft-finding-count')).toEqual(['1 row · <0.1%', '2,500 rows · 25%', '']);
    expect(texts(el, '.ft-finding-places')).toEqual(['rows3', 'rows12345…']);
    expect(one(el, '.ft-findings-clean').hidden).toBe(true);
    el.querySelectorAll<HTMLElement>('.ft-finding')[1]?.querySelector('button')?.click();
    expect(inspector.filter).toHaveBeenCalledWith('stop');
    press(one(el, '.ft-finding:first-child'), '3');
    expect(inspector.open).toHaveBeenCalledWith(2);
    expect(buttons(one(el, '.ft-finding:last-child'))).toEqual([]);
  });

  it('keep their elements and the focus while their numbers and their order change', () => {
    const { panel, el } = open();
    panel.showProgress(someProgress({ findings: [aFinding('a'), aFinding('b')] }));
    const [a, b] = [...el.querySelectorAll<HTMLElement>('.ft-finding')];
    b?.querySelector('button')?.focus();
    panel.showProgress(
      someProgress({ findings: [aFinding('b', { count: 99 }), aFinding('a'), aFinding('c')] }),
    );
    const [first, second, third] = [...el.querySelectorAll<HTMLElement>('.ft-finding')];
    expect([first, second]).toEqual([b, a]);
    expect(third && text(third, '.ft-finding-title')).toBe('About c');
    expect(document.activeElement).toBe(first?.querySelector('button'));
    expect(first && text(first, '.ft-finding-count')).toBe('99 rows · 12%');
    panel.showProgress(someProgress({ findings: [aFinding('a')] }));
    expect([...el.querySelectorAll('.ft-finding')]).toEqual([a]);
  });

  it.each([
    [aJob('idle'), true, ''],
    [aJob('running', 40), false, 'Nothing is wrong with the 40 rows looked at so far.'],
    [aJob('done', 100), false, 'Nothing is wrong with the 100 rows of this set.'],
  ])('may be none: %j', (scan, hidden, words) => {
    const { panel, el } = open();
    panel.showProgress(someProgress({ jobs: { scan } }));
    expect(one(el, '.ft-findings-clean').hidden).toBe(hidden);
    if (!hidden) {
      expect(text(el, '.ft-findings-clean')).toBe(words);
    }
    expect(one(el, '.ft-findings-heading').hidden).toBe(true);
  });

  it('of other settings are forgotten', () => {
    const { panel, el } = open();
    panel.showProgress(someProgress({ findings: [aFinding('a')] }));
    panel.showState(aState({ generation: 2 }));
    expect(el.querySelectorAll('.ft-finding')).toHaveLength(0);
  });

  it('show hostile text as text', () => {
    const { panel, el } = open();
    const hostile = '<img src=x onerror=alert(1)>';
    panel.showProgress(
      someProgress({ findings: [aFinding('a', { title: hostile, reason: hostile, fix: hostile })] }),
    );
    expect(el.querySelectorAll('img')).toHaveLength(0);
    expect(text(el, '.ft-finding-title')).toBe(hostile);
    expect(text(el, '.ft-finding-reason')).toBe(hostile);
    expect(text(el, '.ft-advice')).toBe(hostile);
  });
});

describe('an advice', () => {
  it.each([
    ['Mend the rows.', [{ kind: 'sentence', text: 'Mend the rows.' }]],
    [
      'Name it:\ndatasets:\n  - path: rows.jsonl\n    roles_to_train:\n      - user\nThen look again.',
      [
        { kind: 'sentence', text: 'Name it:' },
        { kind: 'yaml', text: 'datasets:\n  - path: rows.jsonl\n    roles_to_train:\n      - user' },
        { kind: 'sentence', text: 'Then look again.' },
      ],
    ],
    ['Note: this has words', [{ kind: 'sentence', text: 'Note: this has words' }]],
  ])('has parts: %j', (advice, found) => {
    // A key alone on its line opens a block; "Name it:" is two words.
    expect(parts(advice)).toEqual(found);
  });

  it.each([
    ['Set train_on_eos: turn, and name the token.', ['train_on_eos: turn']],
    ['Set `train_on_eos: turn` for it.', ['train_on_eos: turn']],
    [
      'Set train_on_inputs: false and roles_to_train: [assistant].',
      ['train_on_inputs: false', 'roles_to_train: [assistant]'],
    ],
    ['Give it a lower weight, such as weight: 0.1.', ['weight: 0.1']],
    ['Name them: roles: {assistant: [bot, gpt]}', ['roles: {assistant: [bot, gpt]}']],
    ['The first: line 3 is no JSON.', []],
  ])('names settings: %s', (advice, settings) => {
    const paragraph = document.createElement('p');
    paragraph.append(...withCode(advice));
    expect(texts(paragraph, 'code')).toEqual(settings);
    expect(paragraph.textContent).toBe(advice.replaceAll('`', ''));
  });

  it('copies the settings of a sentence, one a line', async () => {
    const stub = clipboard();
    const inspector = new FakeInspector();
    const advice = adviceElement('Set a_b: 1 and c_d: [x].', inspector.announcer);
    press(advice, 'Copy');
    await vi.advanceTimersByTimeAsync(0);
    expect(stub.writeText).toHaveBeenCalledWith('a_b: 1\nc_d: [x]');
    expect(inspector.said).toEqual(['Copied']);
  });

  it('copies lines as they stand', async () => {
    const stub = clipboard();
    const advice = adviceElement('Write:\na:\n  - b: c', new FakeInspector().announcer);
    press(advice, 'Copy');
    await vi.advanceTimersByTimeAsync(0);
    expect(stub.writeText).toHaveBeenCalledWith('a:\n  - b: c');
  });
});

describe('copying', () => {
  it('says so on the button for a moment', async () => {
    clipboard();
    const made = copyButton('Copy', 'Copy it', new FakeInspector().announcer, () => 'it');
    made.click();
    await vi.advanceTimersByTimeAsync(0);
    expect(made.textContent).toBe('Copied');
    vi.advanceTimersByTime(SAID);
    expect(made.textContent).toBe('Copy');
  });

  it.each([
    [true, 'Copied'],
    [false, 'The page may not copy'],
  ])('goes by a selection where the page has no clipboard: %s', async (allowed, words) => {
    vi.stubGlobal('navigator', {});
    const selected: string[] = [];
    document.execCommand = () => {
      selected.push((document.activeElement as HTMLTextAreaElement).value);
      return allowed;
    };
    const inspector = new FakeInspector();
    const made = copyButton('Copy', 'Copy it', inspector.announcer, () => 'two\nlines');
    document.body.append(made);
    made.focus();
    made.click();
    await vi.advanceTimersByTimeAsync(0);
    expect(selected).toEqual(['two\nlines']);
    expect(inspector.said).toEqual([words]);
    expect(document.querySelectorAll('textarea')).toHaveLength(0);
    expect(document.activeElement).toBe(made);
  });
});
