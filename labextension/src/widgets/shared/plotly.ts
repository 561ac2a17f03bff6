/**
 * plotly.js, once a page.
 *
 * The kernel holds the library as a gzip file; the first view of a page asks for it, and all views of the page share
 * what arrives, so that no notebook stores it, nothing comes from the internet, and a second chart opens at once.
 */

export interface Plotly {
  version: string;
  react(chart: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  extendTraces(chart: HTMLElement, update: Points, traces: number[]): Promise<unknown>;
  purge(chart: HTMLElement): void;
  Plots: { resize(chart: HTMLElement): unknown };
}

/** New points of several traces: `x[i]` and `y[i]` belong to the i-th of them. */
export interface Points {
  x: number[][];
  y: number[][];
}

interface Library extends Promise<Plotly> {
  /** Hand in the gzip file; of several deliveries the first is used. */
  deliver(compressed: Uint8Array<ArrayBuffer>): void;
}

const KEY = Symbol.for('ft_jupyter.plotly');
const page = globalThis as { [KEY]?: Library; Plotly?: Plotly; moduleName?: unknown };

/** Milliseconds after which a view asks for itself: the view that asked first may have lost its kernel. */
export const PATIENCE = 3000;

/** The page's plotly.js. `ask` is called where the library has to be sent for. */
export function plotly(ask: () => void): Promise<Plotly> {
  const shared = page[KEY];
  if (shared) {
    const timer = setTimeout(ask, PATIENCE);
    return shared.finally(() => clearTimeout(timer));
  }
  const made = newLibrary();
  page[KEY] = made;
  if (!existing()) {
    ask();
  }
  return made;
}

/** The kernel's answer to a request: the library as a gzip file. */
export function deliver(compressed: Uint8Array<ArrayBuffer>): void {
  page[KEY]?.deliver(compressed);
}

/** A library that the page has loaded by itself, where it is new enough. */
function existing(): Plotly | undefined {
  return Number.parseInt(page.Plotly?.version ?? '0') >= 3 ? page.Plotly : undefined;
}

function newLibrary(): Library {
  let delivered = false;
  let settle!: (library: Plotly | Promise<Plotly>) => void;
  const promise = new Promise<Plotly>(resolve => (settle = resolve));
  const found = existing();
  if (found) {
    settle(found);
  }
  return Object.assign(promise, {
    deliver: (compressed: Uint8Array<ArrayBuffer>) => {
      if (!delivered) {
        delivered = true;
        settle(
          load(compressed).catch((reason: unknown) => {
            delete page[KEY]; // the next view may try again
            throw reason;
          }),
        );
      }
    },
  });
}

async function load(compressed: Uint8Array<ArrayBuffer>): Promise<Plotly> {
  const inflated = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const source = await new Response(inflated).blob();
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const before = { Plotly: page.Plotly, moduleName: page.moduleName };
  try {
    await runScript(address);
    const loaded = page.Plotly;
    if (!loaded) {
      throw new Error('plotly.js did not load');
    }
    return loaded;
  } finally {
    URL.revokeObjectURL(address);
    // The bundle sets two globals; another library of the same name stays what it was.
    Object.assign(page, before);
  }
}

function runScript(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = address;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error('the page does not allow scripts from the kernel'));
    document.head.append(script);
    script.remove();
  });
}
