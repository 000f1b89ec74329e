import { randomUUID } from 'node:crypto';
import { redirect } from 'next/navigation';
import { connection } from 'next/server';

/** Begins a new chat for each visitor. */
export default async function Page() {
  await connection();
  redirect(`/chat/${randomUUID()}`);
}
