/** US dollars for a million tokens. The scripted model costs nothing and shows what `gpt-4.1-mini` would cost. */
const USD_PER_MILLION: Readonly<Record<string, { input: number; output: number }>> = {
  scripted: { input: 0.4, output: 1.6 },
  'gpt-4.1-mini': { input: 0.4, output: 1.6 },
  'gpt-4.1': { input: 2, output: 8 },
};

/** Returns what an answer has cost in US dollars, or undefined for a model whose price is not known. */
export function costOf(model: string, inputTokens: number, outputTokens: number): number | undefined {
  const price = USD_PER_MILLION[model];
  return price && (inputTokens * price.input + outputTokens * price.output) / 1_000_000;
}
