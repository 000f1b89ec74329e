import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { headHeaders } from '../read/headers.ts';
import { visibleStream } from '../access/visible.ts';

/** Handles HEAD {base}/{id}: responds with the metadata of the stream. */
export async function headStream(
  exchange: Exchange,
  context: Pick<Context, 'store' | 'guardian'>,
): Promise<void> {
  const info = await visibleStream(exchange, context);
  respond(exchange.res, 200, headHeaders(info));
}
