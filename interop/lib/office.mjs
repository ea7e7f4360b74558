// An office: an exchange and three baresips as its desk phones, each of which says a tone of its own.
import { startBaresip } from './baresip.mjs';
import { account, http, PASSWORD, transport } from './files.mjs';
import { startServer, until } from './server.mjs';

/** What each says, and in which codec: one has G.722, so that the sound between it and the others is made anew. */
export const PHONES = {
  anna: { tone_hz: 440, number: 100, codecs: 'PCMU/8000/1', allow: 'ulaw' },
  bert: { tone_hz: 700, number: 200, codecs: 'G722/16000/1', allow: 'g722', rate_hz: 16_000 },
  cleo: { tone_hz: 950, number: 300, codecs: 'PCMU/8000/1', allow: 'ulaw' },
};

/** The files of an office: `phones` as in [`PHONES`], with more `options` for each endpoint; `more` are further files. */
export const officeFiles = (phones, options, more) => (ports) => ({
  'pjsip.conf': [
    transport('udp', ports),
    ...Object.entries(phones).map(([name, { allow, number }]) => account(name, `allow=${allow}\ncallerid=${name} <${number}>\n${options}`)),
  ].join('\n'),
  'http.conf': http(ports),
  ...more,
});

export class Office {
  phones = {};

  /** Starts the exchange and its phones; `own` are further options of each. */
  async start(files, own = {}) {
    this.server = await startServer({ files });
    const start = async ([user, phone]) => {
      this.phones[user] = await startBaresip({ server: this.server, user, password: PASSWORD, ...own, ...phone });
    };
    await Promise.all(Object.entries(PHONES).map(start));
    for (const phone of Object.values(this.phones)) await phone.registered();
  }

  async stop() {
    for (const phone of Object.values(this.phones)) await phone.stop();
    await this.server?.stop();
  }

  /** All hang up, and the exchange forgets their calls. */
  async rest() {
    for (const phone of Object.values(this.phones)) {
      phone.hangUp();
      phone.forget();
    }
    await until('an idle server', async () => (await this.server.status()).counts.channels === 0, 8_000);
  }

  /** How this office calls a number. */
  uri(number) {
    return `sip:${number}@127.0.0.1:${this.server.ports.sip}`;
  }

  /** For `catch`: the error with what the exchange has logged. */
  failed = (error) => {
    throw new Error(`${error.message}\n${this.server.log}`);
  };

  /** One hears a tone above all else. */
  async hears(ear, tone_hz) {
    const share = () => this.phones[ear].heard(tone_hz, 400);
    await until(`${ear} hears ${tone_hz} Hz`, async () => (await share()) > 0.7, 8_000).catch(this.failed);
  }

  /** The two hear each other. */
  async talk(one, two) {
    await this.hears(one, PHONES[two].tone_hz);
    await this.hears(two, PHONES[one].tone_hz);
  }
}
