import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t, type Key } from '../i18n';

interface Props {
  open: boolean;
  heading: string;
  side?: boolean;
  /** What the button that closes it says. */
  close?: Key;
  onClose: () => void;
  children: ComponentChildren;
}

/** The browser's own dialog: focus stays inside, Escape closes, and focus goes back where it was. */
export function Dialog({ open, heading, side = false, close = 'media.close', onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (!element || element.open === open) return;
    if (open) element.showModal();
    else element.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class={side ? 'dialog dialog-side' : 'dialog'}
      aria-label={heading}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog-body">
        <h2>{heading}</h2>
        {children}
        <button class="quiet dialog-done" type="button" onClick={onClose}>
          {t(close)}
        </button>
      </div>
    </dialog>
  );
}
