import { lazy, Suspense, useRef, useState } from 'react';
import { Icon } from './Icon.tsx';
import { post } from './post.ts';

const QrCode = lazy(() => import('./QrCode.tsx'));

/** Response of the server: no `url` if it listens on this machine only. */
interface Invitation {
  readonly url?: string;
  readonly error?: string;
}

/** Shows a code that opens this conversation on a phone, with the session of this browser. */
export function PhoneButton() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [invitation, setInvitation] = useState<Invitation>();
  const open = (): void => {
    setInvitation(undefined);
    dialog.current?.showModal();
    post('pair')
      .then((response) => response?.json() as Promise<Invitation>)
      .then(setInvitation, () => setInvitation({ error: 'The server cannot be reached.' }));
  };
  const url = invitation?.url && `${invitation.url}${location.hash.slice(1)}`;
  return (
    <>
      <button type="button" onClick={open}>
        <Icon name="phone" />
        Open on your phone
      </button>
      <dialog ref={dialog} aria-labelledby="phone">
        <h2 id="phone">Open on your phone</h2>
        {url ? (
          <Suspense fallback={<p>…</p>}>
            <QrCode text={url} />
            <p>Scan it within two minutes. It works once, in the same network.</p>
          </Suspense>
        ) : (
          <p role="status">
            {invitation === undefined && 'Asking for a code …'}
            {invitation?.error}
            {invitation && !invitation.error && (
              <>
                This server listens on your computer only. Start it with <code>HOST=0.0.0.0 npm start</code>.
              </>
            )}
          </p>
        )}
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      </dialog>
    </>
  );
}
