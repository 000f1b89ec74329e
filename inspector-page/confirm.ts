import { h } from './dom.ts';

export interface Question {
  readonly title: string;
  readonly text: string;
  /** Label of the button that confirms. */
  readonly action: string;
}

/** Asks before something is done that cannot be undone. Resolves with true if it was confirmed. */
export function confirmed({ title, text, action }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = h('button', { type: 'button' }, 'Cancel');
    const confirm = h('button', { type: 'button', class: 'danger' }, action);
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'question', 'aria-describedby': 'question-text' },
      h('h2', { id: 'question' }, title),
      h('p', { id: 'question-text' }, text),
      h('div', { class: 'buttons' }, cancel, confirm),
    );
    cancel.addEventListener('click', () => dialog.close());
    confirm.addEventListener('click', () => dialog.close('confirmed'));
    // Escape cancels.
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'confirmed');
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}
