/** Light or dark, wherever the page runs; and the page's colours as numbers a chart can take. */

/** Whether the page is dark: JupyterLab says so, or VS Code, or Colab, or else the system. */
function isDark(): boolean {
  const { body, documentElement } = document;
  if (body.dataset.jpThemeLight !== undefined) {
    return body.dataset.jpThemeLight === 'false';
  }
  if (/\bvscode-(dark|light|high-contrast)/.test(body.className)) {
    return !/\bvscode-(light|high-contrast-light)\b/.test(body.className);
  }
  const named = documentElement.getAttribute('theme') ?? documentElement.dataset.theme;
  return named === undefined ? systemIsDark()?.matches === true : named === 'dark';
}

function systemIsDark(): MediaQueryList | undefined {
  return window.matchMedia?.('(prefers-color-scheme: dark)');
}

/**
 * Mark `root` with `data-ft-theme="light|dark"` now and whenever the page's theme changes.
 *
 * @param changed - Called after each later change, when the new colours can be read.
 * @returns A function that ends the watching.
 */
export function followTheme(root: HTMLElement, changed: () => void): () => void {
  const mark = (): void => {
    root.dataset.ftTheme = isDark() ? 'dark' : 'light';
  };
  const update = (): void => {
    mark();
    changed();
  };
  mark();
  const observer = new MutationObserver(update);
  observer.observe(document.body, {
    attributeFilter: ['data-jp-theme-light', 'data-jp-theme-name', 'data-vscode-theme-kind', 'class'],
  });
  observer.observe(document.documentElement, { attributeFilter: ['theme', 'data-theme'] });
  const system = systemIsDark();
  system?.addEventListener('change', update);
  return () => {
    observer.disconnect();
    system?.removeEventListener('change', update);
  };
}

/** What the custom property `name` is at `root`, as an `rgb()` colour: system colours and `var()` are resolved. */
export function colour(root: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  root.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
