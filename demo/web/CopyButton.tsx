import { useEffect, useState } from 'react';
import { Icon } from './Icon.tsx';

/** Milliseconds for which the button says that it has copied. */
const SAID_MS = 1500;

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="icon"
      aria-label={copied ? 'Copied' : label}
      title={label}
      onClick={() => void copyText(text).then(setCopied)}
    >
      <Icon name={copied ? 'check' : 'copy'} />
    </button>
  );
}

/** Resolves with false if the browser does not allow it. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, on a phone in the same network, there is no clipboard API.
    const field = document.body.appendChild(document.createElement('textarea'));
    field.value = text;
    field.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way without TLS
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}
