import type { Usage } from '../../protocol/usage.ts';

/** Maximum bytes of a request body that is searched for the model. Parsing a longer body would delay the request. */
const MAX_BODY_BYTES = 262_144;

/** Names of providers in the semantic conventions, by the end of their host names. */
const PROVIDERS: readonly (readonly [host: string, name: string])[] = [
  ['api.openai.com', 'openai'],
  ['openai.azure.com', 'azure.ai.openai'],
  ['api.anthropic.com', 'anthropic'],
  ['generativelanguage.googleapis.com', 'gcp.gemini'],
  ['aiplatform.googleapis.com', 'gcp.vertex_ai'],
  ['api.mistral.ai', 'mistral_ai'],
  ['api.groq.com', 'groq'],
  ['api.deepseek.com', 'deepseek'],
  ['api.x.ai', 'x_ai'],
];

export type Attributes = Record<string, string | number | string[]>;

/**
 * Returns the attributes of a request to a model, or undefined if it names none.
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
export function requestAttributes(url: URL, body: Uint8Array | undefined): Attributes | undefined {
  const model = modelInPath(url) ?? modelInBody(body);
  if (model === undefined) return undefined;
  const provider = PROVIDERS.find(([host]) => url.hostname === host || url.hostname.endsWith(`.${host}`));
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': provider?.[1] ?? url.hostname,
    'gen_ai.request.model': model,
  };
}

/** Returns the attributes of the usage that the provider reported. */
export function usageAttributes(usage: Usage): Attributes {
  const { model, inputTokens, outputTokens, finishReason, providerId } = usage;
  return {
    ...(model !== undefined && { 'gen_ai.response.model': model }),
    ...(providerId !== undefined && { 'gen_ai.response.id': providerId }),
    ...(finishReason !== undefined && { 'gen_ai.response.finish_reasons': [finishReason] }),
    ...(inputTokens !== undefined && { 'gen_ai.usage.input_tokens': inputTokens }),
    ...(outputTokens !== undefined && { 'gen_ai.usage.output_tokens': outputTokens }),
  };
}

/** Gemini has the model in the path: `/v1beta/models/gemini-3-pro:streamGenerateContent`. */
function modelInPath({ pathname }: URL): string | undefined {
  return /\/models\/([\w.-]+):\w+$/.exec(pathname)?.[1];
}

function modelInBody(body: Uint8Array | undefined): string | undefined {
  if (!body || body.length === 0 || body.length > MAX_BODY_BYTES || body[0] !== 0x7b) return undefined;
  try {
    const { model } = JSON.parse(Buffer.from(body).toString()) as { model?: unknown };
    return typeof model === 'string' && model.length <= 200 ? model : undefined;
  } catch {
    return undefined;
  }
}
