import { lazy, Suspense, type ReactNode } from 'react';
import { CopyButton } from './CopyButton.tsx';

const Highlighted = lazy(() => import('./Highlighted.tsx'));

interface CodeProps {
  className?: string | undefined;
  children?: ReactNode;
}

/** A block of code: react-markdown passes its `code` element, with the language in the class. */
export function CodeBlock({ children }: { children?: ReactNode }) {
  const { className = '', children: text } = (children as { props?: CodeProps } | undefined)?.props ?? {};
  const language = /language-(\w+)/.exec(className)?.[1] ?? 'text';
  const code = String((text as string | undefined) ?? '').replace(/\n$/, '');
  return (
    <figure className="code">
      <figcaption>
        {language}
        <CopyButton text={code} label="Copy code" />
      </figcaption>
      <pre tabIndex={0} aria-label={`Code in ${language}`}>
        <code>
          <Suspense fallback={code}>
            <Highlighted code={code} language={language} />
          </Suspense>
        </code>
      </pre>
    </figure>
  );
}
