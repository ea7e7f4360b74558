// The page's own SIP ladder: why a call failed, next to the call.

import { t } from '../i18n';
import type { Phone } from '../phone';
import type { WireMessage } from '../signalling';
import { redacted, summary } from '../story';
import { Dialog } from './Dialog';

export function Story({ phone, open, onClose }: { phone: Phone; open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} heading={t('story.heading')} side onClose={onClose}>
      <p class="story-note">{t('story.note')}</p>
      {open && phone.story.value.length === 0 && <p>{t('story.empty')}</p>}
      {open && (
        <ol class="ladder">
          {phone.story.value.map((message, index) => (
            <Rung key={`${message.at}-${index}`} message={message} />
          ))}
        </ol>
      )}
    </Dialog>
  );
}

function Rung({ message }: { message: WireMessage }) {
  const time = new Date(message.at).toISOString().slice(11, 23);
  return (
    <li class="rung" data-sent={message.sent}>
      <details>
        <summary>
          <span class="rung-arrow" aria-label={t(message.sent ? 'story.sent' : 'story.received')}>
            {message.sent ? '→' : '←'}
          </span>
          <span class="rung-words">{summary(message.text)}</span>
          <time>{time}</time>
        </summary>
        <pre>{redacted(message.text)}</pre>
      </details>
    </li>
  );
}
