import { durableHandler } from '../../../durable-handler';

// The edge runtime cannot open the store, and has no process that outlives a response.
export const runtime = 'nodejs';

export {
  durableHandler as DELETE,
  durableHandler as GET,
  durableHandler as HEAD,
  durableHandler as OPTIONS,
  durableHandler as PATCH,
  durableHandler as POST,
};
