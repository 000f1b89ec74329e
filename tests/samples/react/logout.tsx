import { useDurableChat } from 'durable-proxy/react';

export function Chat({ user }: { user: { id: string } }) {
  const { messages, sendMessage, forget } = useDurableChat({
    id: 'support',
    scope: user.id, // A session cookie does not identify the user to the hook.
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
  });
  const logOut = async () => {
    await forget();
    await fetch('/logout', { method: 'POST' }); // Your own route, which ends the session.
    location.reload();
  };
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      <button onClick={() => void sendMessage({ text: 'Why is water wet?' })}>Ask</button>
      <button onClick={() => void logOut()}>Log out</button>
    </>
  );
}
