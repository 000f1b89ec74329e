import Prism from 'prismjs';
import 'prismjs/components/prism-typescript.js';
import 'prismjs/components/prism-bash.js';
import 'prismjs/components/prism-http.js';
import 'prismjs/components/prism-json.js';
import 'prismjs/components/prism-python.js';
import type { ReactNode } from 'react';

type Tokens = ReturnType<typeof Prism.tokenize>;

/** Code with its tokens as elements. Loaded with the first block of code. */
export default function Highlighted({ code, language }: { code: string; language: string }) {
  const grammar = Prism.languages[language];
  return grammar ? nodesOf(Prism.tokenize(code, grammar)) : code;
}

function nodesOf(tokens: Tokens): ReactNode[] {
  return tokens.map((token, index) => {
    if (typeof token === 'string') return token;
    const content = Array.isArray(token.content) ? token.content : [token.content];
    return (
      <span key={index} className={`token-${token.type}`}>
        {nodesOf(content as Tokens)}
      </span>
    );
  });
}
