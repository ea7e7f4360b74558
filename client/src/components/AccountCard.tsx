import { t } from '../i18n';
import type { Phone } from '../phone';
import type { Account } from '../signalling';

interface Props {
  phone: Phone;
  accounts: readonly Account[];
}

/** Open while there is nobody to be; one line while connected. */
export function AccountCard({ phone, accounts }: Props) {
  const offline = phone.connection.value === 'offline';
  return (
    <section class="card account" aria-labelledby="account-heading">
      <h2 id="account-heading" class="card-heading">
        {t('account.heading')}
      </h2>
      {accounts.length > 0 && <Chooser phone={phone} accounts={accounts} />}
      {offline && <Credentials phone={phone} />}
      {!offline && (
        <button class="quiet" type="button" data-testid="disconnect" disabled={phone.phase.value !== 'idle'} onClick={() => phone.disconnect()}>
          {t('account.disconnect')}
        </button>
      )}
    </section>
  );
}

/** Choosing while connected changes places at once: nobody should have to disconnect first. */
function Chooser({ phone, accounts }: Props) {
  const choose = (user: string) => {
    const account = accounts.find((a) => a.user === user);
    if (!account) return;
    const reconnect = phone.connection.value !== 'offline';
    phone.account.value = account;
    if (reconnect) phone.connect();
  };
  return (
    <label class="field">
      <span>{t('account.choose')}</span>
      <select
        data-testid="account"
        value={phone.account.value.user}
        disabled={phone.phase.value !== 'idle'}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        {accounts.map(({ user }) => (
          <option key={user} value={user}>
            {user}
          </option>
        ))}
      </select>
    </label>
  );
}

function Credentials({ phone }: { phone: Phone }) {
  const change = (part: Partial<Account>) => {
    phone.account.value = { ...phone.account.value, ...part };
  };
  return (
    <form
      id="credentials"
      class="credentials"
      onSubmit={(event) => {
        event.preventDefault();
        phone.connect();
      }}
    >
      <label class="field">
        <span>{t('account.user')}</span>
        <input
          data-testid="user"
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          value={phone.account.value.user}
          onInput={(event) => change({ user: event.currentTarget.value.trim() })}
        />
      </label>
      <label class="field">
        <span>{t('account.password')}</span>
        <input
          data-testid="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
          value={phone.account.value.password}
          onInput={(event) => change({ password: event.currentTarget.value })}
        />
      </label>
    </form>
  );
}
