import type { DemoMessage } from '../agent/messages.ts';

type BookingPart = Extract<DemoMessage['parts'][number], { type: 'tool-bookTable' }>;

interface BookingProps {
  part: BookingPart;
  onDecision?: ((id: string, approved: boolean) => void) | undefined;
}

/** A call of the tool `bookTable`, with the buttons to approve it. */
export function Booking({ part, onDecision }: BookingProps) {
  if (part.state === 'input-streaming' || part.input === undefined) return null;
  const { place, people, time } = part.input as { place: string; people: number; time: string };
  const asks = part.state === 'approval-requested' && onDecision !== undefined;
  const decide = (approved: boolean): void => {
    if (part.state === 'approval-requested') onDecision?.(part.approval.id, approved);
  };
  return (
    <section className="booking" aria-label="Booking" data-state={part.state}>
      <h3>Book a table</h3>
      <dl>
        <dt>Place</dt>
        <dd>{place}</dd>
        <dt>People</dt>
        <dd>{people}</dd>
        <dt>Time</dt>
        <dd>{time}</dd>
      </dl>
      {asks ? (
        <div className="choices">
          <button type="button" className="primary" onClick={() => decide(true)}>
            Approve
          </button>
          <button type="button" onClick={() => decide(false)}>
            Deny
          </button>
        </div>
      ) : (
        <small>{stateOf(part)}</small>
      )}
    </section>
  );
}

function stateOf(part: BookingPart): string {
  if (part.state === 'output-available') return `Booked, ${part.output.confirmation}`;
  if (part.state === 'output-error') return 'The booking failed';
  if (part.state === 'output-denied') return 'You denied it';
  if (part.state === 'approval-responded')
    return part.approval.approved ? 'You approved it' : 'You denied it';
  return 'Waiting';
}
