import { useEffect, useState } from 'react';
import { post } from './post.ts';

/** Redeems the code that another device shows, then opens its conversation. */
export function Pair({ code, conversation }: { code: string; conversation: string }) {
  const [problem, setProblem] = useState('');
  useEffect(() => {
    void post('pair/redeem', { code }).then((response) => {
      if (response?.ok) location.replace(`#${conversation}`);
      else setProblem('This code was used or has expired. Show a new one on the computer.');
    });
  }, [code, conversation]);
  return (
    <main className="pair">
      <h1>Open on your phone</h1>
      <p role="status">{problem || 'Pairing …'}</p>
    </main>
  );
}
