import { Chat } from './chat';

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <Chat id={id} proxyUrl={process.env.PROXY_URL ?? 'http://localhost:4440/v1/proxy'} />;
}
