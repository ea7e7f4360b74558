import { t } from '../i18n';
import type { Phone } from '../phone';
import { Icon } from './Icon';

/** One failure: what happened, what to do, and the wire's own words in small print. */
export function Banner({ phone }: { phone: Phone }) {
  const shown = phone.failure.value;
  return (
    <div class="banner-place" role="alert">
      {shown && (
        <div class="banner" data-testid="error" data-kind={shown.kind} data-grave={shown.grave}>
          <Icon name={shown.grave ? 'error' : 'warning'} />
          <div class="banner-words">
            <p class="banner-what">{t(`failure.${shown.kind}`, { party: shown.party })}</p>
            <p class="banner-next">{t(`failure.${shown.kind}.next`)}</p>
            {shown.detail && <p class="banner-detail">{shown.detail}</p>}
          </div>
          {shown.remedy && (
            <button class="quiet" type="button" onClick={() => phone.remedy()}>
              {t(`failure.remedy.${shown.remedy}`)}
            </button>
          )}
          <button class="tool" type="button" aria-label={t('failure.dismiss')} title={t('failure.dismiss')} onClick={() => phone.dismiss()}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  );
}
