import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/strip.css';
import './styles/tiles.css';
import { render } from 'preact';
import { App } from './components/App';
import { fetchConfig } from './config';
import { applyLanguage } from './i18n';
import { SipSignalling } from './jssip';
import { listenForKeys } from './keys';
import { Phone } from './phone';
import type { Signalling } from './signalling';
import { applyTheme } from './theme';
import { applyTitle } from './title';

const phone = new Phone(await signalling());
applyTheme();
applyLanguage();
applyTitle(phone);
listenForKeys(phone);

const config = await fetchConfig();
phone.configure(config);
render(<App phone={phone} config={config} />, document.body);
// A demo account needs no typing, so it needs no pressing either.
if (config.demo && phone.account.value.password && !phone.failure.value?.grave) phone.connect();

addEventListener('pagehide', () => phone.disconnect());

// For tests: the connection of the present call and what the page believes.
Object.defineProperty(window, '__sidetone', {
  value: {
    pc: () => phone.peerConnection(),
    get state() {
      return {
        connection: phone.connection.value,
        phase: phone.phase.value,
        failure: phone.failure.value?.kind ?? null,
        sources: phone.media.sources.value,
      };
    },
  },
});

/** The design mock exists in `vite dev` only; the built page has no trace of it. */
async function signalling(): Promise<Signalling> {
  if (import.meta.env.DEV) {
    const scene = new URLSearchParams(location.search).get('mock');
    if (scene) return new (await import('./dev/mock')).MockSignalling(scene);
  }
  return new SipSignalling();
}
