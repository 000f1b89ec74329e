/** Entry point `durable-proxy/react/devtools`: a panel for development. Requires React only. */
import { createElement, type ReactElement } from 'react';
import { Devtools, type DurableDevtoolsProps } from './Devtools.tsx';

export type { DurableDevtoolsProps };

/**
 * Shows the durable answers of this page in a floating panel, with buttons that break their connections. Wraps the
 * page's `fetch` while it is mounted. Renders nothing unless `process.env.NODE_ENV` is `development`: a bundle for
 * production contains none of its code.
 *
 * @param props position and initial state of the panel.
 * @returns the panel, or null in production.
 * @example
 * <DurableDevtools />
 */
export function DurableDevtools(props: DurableDevtoolsProps): ReactElement | null {
  return process.env.NODE_ENV === 'development' ? createElement(Devtools, props) : null;
}
