// Bundles the widget front ends into the Python package: one ES module and one style sheet each, and plotly.js beside
// them as a gzip file, which a page asks for once. Usage: node build_widgets.mjs [--minify]
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const STATIC = new URL('../ft_jupyter/static/', import.meta.url);
const PLOTLY = new URL('node_modules/plotly.js-basic-dist-min/', import.meta.url);

await mkdir(STATIC, { recursive: true });
await build({
  absWorkingDir: new URL('.', import.meta.url).pathname,
  entryPoints: ['run_view', 'chat_view', 'inspector'].flatMap(name => [
    { in: `src/widgets/${name}/index.ts`, out: name },
    { in: `src/widgets/${name}/${name}.css`, out: name },
  ]),
  outdir: STATIC.pathname,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  minify: process.argv.includes('--minify'),
  logLevel: 'info',
});
const plotly = await readFile(new URL('plotly-basic.min.js', PLOTLY));
await writeFile(new URL('plotly-basic.min.js.gz', STATIC), gzipSync(plotly, { level: 9 }));
await copyFile(new URL('LICENSE', PLOTLY), new URL('plotly-basic.LICENSE', STATIC));
