import { act, renderHook, waitFor, type RenderHookResult } from '@testing-library/react';
import type { UIMessage } from '@ai-sdk/react';
import { expect } from 'vitest';
import {
  useDurableChat,
  type UseDurableChatHelpers,
  type UseDurableChatOptions,
} from '../../../react/useDurableChat.ts';

export type Page = RenderHookResult<UseDurableChatHelpers, UseDurableChatOptions>;

/** Opens a page with a chat in StrictMode. */
export function openPage(options: UseDurableChatOptions): Page {
  return renderHook((props: UseDurableChatOptions) => useDurableChat(props), {
    initialProps: options,
    reactStrictMode: true,
  });
}

/** Returns the parts of a message without the private fields of the SDK. */
export function shown(message: UIMessage | undefined): unknown {
  return JSON.parse(
    JSON.stringify({ role: message?.role, parts: message?.parts, metadata: message?.metadata }),
  );
}

export function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

export async function untilText(page: Page, text: string): Promise<void> {
  await waitFor(() => expect(textOf(page.result.current.messages.at(-1))).toBe(text));
}

export async function untilStatus(page: Page, status: string): Promise<void> {
  await waitFor(() => expect(page.result.current.status).toBe(status));
}

/** Sends a message without waiting for the end of the answer. */
export function send(page: Page, text = 'Hello'): void {
  act(() => void page.result.current.sendMessage({ text }));
}

export const uniqueId = (): string => `chat-${crypto.randomUUID()}`;
