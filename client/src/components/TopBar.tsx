import { language, t, toggleLanguage } from '../i18n';
import type { Phone } from '../phone';
import type { Connection } from '../signalling';
import { theme, toggleTheme } from '../theme';
import { Icon } from './Icon';
import { Lamp, type Glow } from './Lamp';

interface Props {
  phone: Phone;
  version: string;
  onStory: () => void;
}

const GLOW: Record<Connection, Glow> = { offline: 'off', connecting: 'wait', online: 'on', reconnecting: 'fault' };

export function TopBar({ phone, version, onStory }: Props) {
  const connection = phone.connection.value;
  const dark = theme.value === 'dark';
  const other = language.value === 'en' ? 'ru' : 'en';
  return (
    <header class="top">
      <h1 class="mark" title={version && `Sidetone ${version}`}>
        <svg class="mark-jack" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <circle cx="16" cy="16" r="12" />
          <circle cx="16" cy="16" r="4" />
        </svg>
        <span>
          {t('app.title')} <span class="mark-kind">{t('app.kind')}</span>
        </span>
      </h1>
      <p class="status" role="status" data-testid="status" data-connection={connection}>
        <Lamp glow={GLOW[connection]} />
        <span>{t(`connection.${connection}`, { user: phone.account.value.user })}</span>
      </p>
      <div class="top-tools">
        <button class="tool" type="button" data-testid="story" onClick={onStory} aria-label={t('story.open')} title={t('story.open')}>
          <Icon name="story" />
        </button>
        <button class="tool tool-text" type="button" lang={other} onClick={toggleLanguage} title={t('app.language')} data-testid="language">
          <span aria-hidden="true">{other === 'ru' ? 'РУ' : 'EN'}</span>
          <span class="unseen">{t('app.language')}</span>
        </button>
        <button
          class="tool"
          type="button"
          onClick={toggleTheme}
          aria-label={t(dark ? 'app.theme.light' : 'app.theme.dark')}
          title={t(dark ? 'app.theme.light' : 'app.theme.dark')}
          data-testid="theme"
        >
          <Icon name={dark ? 'sun' : 'moon'} />
        </button>
      </div>
    </header>
  );
}
