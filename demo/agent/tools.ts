import { createHash } from 'node:crypto';
import { jsonSchema, tool } from 'ai';
import type { BookTable } from './messages.ts';

/** Acts in the name of the user, so it runs only after the user has approved the call. */
const bookTable = tool<BookTable['input'], BookTable['output']>({
  description: 'Books a table in a restaurant.',
  inputSchema: jsonSchema<BookTable['input']>({
    type: 'object',
    properties: { place: { type: 'string' }, people: { type: 'integer' }, time: { type: 'string' } },
    required: ['place', 'people', 'time'],
    additionalProperties: false,
  }),
  needsApproval: true,
  execute: (input) => {
    const number = createHash('sha256').update(JSON.stringify(input)).digest().readUInt16BE();
    return { confirmation: `SK-${String(number % 10_000).padStart(4, '0')}` };
  },
});

export const tools = { bookTable };
