import type { ConnectConnectionAdapter } from '@tanstack/ai-client';
import { uiMessagesToWire } from '@tanstack/ai/client';
import type * as ai6 from 'ai';
import type * as ai5 from 'ai5';
import type * as ai7 from 'ai7';
import { describe, expect, it } from 'vitest';
import { createDurableAdapter, createDurableChatTransport } from './index.ts';

const options = { api: 'https://app.example/api/chat', proxyUrl: 'https://app.example/v1/proxy' };

describe('types, which `tsc` checks', () => {
  it('fit the ChatTransport of ai 5, 6 and 7', () => {
    const five: ai5.ChatTransport<ai5.UIMessage> = createDurableChatTransport(options);
    const six: ai6.ChatTransport<ai6.UIMessage> = createDurableChatTransport(options);
    const seven: ai7.ChatTransport<ai7.UIMessage> = createDurableChatTransport(options);
    expect([six.resumeStreamIsReplay, seven.resumeStreamIsReplay]).toEqual([true, true]);
    expect(five.sendMessages).toBeTypeOf('function');
  });

  it('accept options written for the transport of the SDK', () => {
    type Prepare<T extends { prepareSendMessagesRequest?: unknown }> = NonNullable<
      T['prepareSendMessagesRequest']
    >;
    const five: Prepare<
      NonNullable<ConstructorParameters<typeof ai5.DefaultChatTransport<ai5.UIMessage>>[0]>
    > = ({ messages }) => ({ body: { last: messages.at(-1) } });
    const seven: Prepare<
      NonNullable<ConstructorParameters<typeof ai7.DefaultChatTransport<ai7.UIMessage>>[0]>
    > = ({ messages }) => ({ body: { last: messages.at(-1) } });
    createDurableChatTransport<ai5.UIMessage>({ ...options, prepareSendMessagesRequest: five });
    createDurableChatTransport<ai7.UIMessage>({ ...options, prepareSendMessagesRequest: seven });
  });

  it('fit TanStack AI’s ConnectConnectionAdapter', () => {
    const adapter: ConnectConnectionAdapter = createDurableAdapter(options.api, {
      ...options,
      serializeMessages: uiMessagesToWire,
    });
    expect(adapter.joinRun).toBeTypeOf('function');
  });
});
