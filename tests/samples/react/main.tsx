import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat } from './chat.tsx';

// Each chat has its own id. This page keeps it in the URL; an app takes it from its router or database.
if (location.hash === '') history.replaceState(null, '', `#${crypto.randomUUID()}`);

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Chat id={location.hash.slice(1)} />
  </StrictMode>,
);
