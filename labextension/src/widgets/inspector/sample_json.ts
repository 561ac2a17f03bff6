/** A sample as JSON, for the clipboard. */

import type { SampleTokens } from './sample_tokens';

/** Everything of a sample; waits for tokens that are not here yet. */
export async function sampleAsJson(tokens: SampleTokens): Promise<string> {
  await tokens.loadAll();
  const { place, dataset, number, sample, spans, raw, raw_cut: cut } = tokens.sample;
  const parts: [name: string, json: string][] = [
    ['place', JSON.stringify(place)],
    ['dataset', JSON.stringify(dataset)],
    ['row', JSON.stringify(number)],
    ['sample', JSON.stringify(sample)],
    ['input_ids', JSON.stringify([...tokens.inputIds])],
    ['labels', JSON.stringify([...tokens.labels])],
    ['spans', JSON.stringify(spans)],
    // As the kernel wrote it: a number of more digits than a page can count with stays what it is.
    ['raw', isJson(raw) && !cut ? raw : JSON.stringify(raw)],
  ];
  return `{\n${parts.map(([name, json]) => `  ${JSON.stringify(name)}: ${json}`).join(',\n')}\n}\n`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
