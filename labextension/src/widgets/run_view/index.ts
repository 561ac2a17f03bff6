/** The live view of a run. What it shows comes from the messages of docs/reference/widget-messages.md alone. */

import type { RenderProps } from '@anywidget/types';

import { announcer } from '../shared/announcer';
import { element, setText } from '../shared/dom';
import { deliver, plotly } from '../shared/plotly';
import { followTheme } from '../shared/theme';
import { charts } from './charts';
import { controls } from './controls';
import { Recorder, last } from './curves';
import { header } from './header';
import { log } from './log';
import { notices } from './notices';
import type { FromKernel, News, ToKernel } from './protocol';
import { Feed, isOver } from './protocol';
import { samples } from './samples';
import { spoken } from './sentences';
import { tiles } from './tiles';
import { trackers } from './trackers';

/** What the kernel keeps for a page that opens later. */
interface Traits {
  run_name: string;
  /** Whether the run is over and nothing will change again. */
  frozen: boolean;
}

/** Milliseconds without an answer after which the page says what it waits for. */
export const PATIENCE = 3000;

function render({ model, el }: RenderProps<Traits>): () => void {
  const send = (message: ToKernel): void => model.send(message);
  const name = model.get('run_name');
  const root = element('section', { class: 'ft-root ft-run', 'aria-label': `run ${name}` });
  const head = header(name);
  const numbers = tiles();
  const notice = notices();
  const control = controls(name, send);
  const written = samples();
  const tail = log();
  const announce = announcer();
  const directory = element('span', { class: 'ft-run-directory' });
  const attach = element('code');
  const elsewhere = trackers();
  const foot = element(
    'footer',
    { class: 'ft-run-foot', hidden: true },
    directory,
    elsewhere.element,
    attach,
  );
  head.actions.append(...control.buttons);
  el.append(root);

  const recorder = new Recorder();
  const feed = new Feed(send);
  const curves = charts(root);
  root.append(
    head.element,
    control.element,
    notice.element,
    numbers.element,
    curves.element,
    written.element,
    tail.element,
    foot,
  );
  root.append(announce.element);

  let heard = performance.now();
  let stopped = false;
  const unanswered = setTimeout(() => head.wait(waitingFor(name)), PATIENCE);
  const clock = setInterval(() => head.tick((performance.now() - heard) / 1000), 1000);

  const draw = (news: News): void => {
    const { run, whole } = news;
    const fresh = recorder.take(news);
    head.draw(run);
    control.draw(run);
    if (model.get('frozen')) {
      control.freeze();
    }
    notice.draw(run);
    notice.warn(news.warnings, whole);
    numbers.draw(recorder.all);
    if (isOver(run.state)) {
      curves.explain('');
    }
    if (whole) {
      curves.replace(recorder.all);
      tail.replace(news.log);
    } else {
      curves.extend(fresh, recorder.all);
      tail.append(news.log);
    }
    written.add(news.samples, whole);
    curves.mark(run.restarts);
    elsewhere.draw(run.trackers);
    setText(directory, run.directory);
    setText(attach, run.attach);
    foot.hidden = false;
    announce.say(spoken(run, last(recorder.all.steps.smoothed)));
  };
  const receive = (message: FromKernel, buffers: DataView[]): void => {
    heard = performance.now();
    if (message.type === 'plotly') {
      const file = buffers[0];
      if (file) {
        deliver(new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, file.byteLength));
      }
      return;
    }
    const news = feed.take(message, buffers);
    if (news) {
      clearTimeout(unanswered);
      draw(news);
    }
  };
  const freeze = (): void => {
    if (model.get('frozen')) {
      control.freeze();
      clearInterval(clock);
    }
  };
  model.on('msg:custom', receive);
  model.on('change:frozen', freeze);
  const unfollow = followTheme(root, () => curves.replace(recorder.all));
  feed.hello();
  plotly(() => send({ type: 'plotly' })).then(
    library => {
      if (!stopped) {
        curves.use(library, recorder.all);
      }
    },
    (reason: unknown) =>
      curves.explain(`No curves here: ${reason instanceof Error ? reason.message : String(reason)}.`),
  );

  return () => {
    stopped = true;
    clearTimeout(unanswered);
    clearInterval(clock);
    announce.stop();
    curves.stop();
    unfollow();
    model.off('msg:custom', receive);
    model.off('change:frozen', freeze);
  };
}

function waitingFor(name: string): string {
  return `waiting for the kernel; the run goes on without it, and %ft attach ${name} opens it in any notebook`;
}

export default { render };
