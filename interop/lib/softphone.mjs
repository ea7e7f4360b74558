// JsSIP in a page of Chromium as one party of a call: it says a tone of its own and measures what it hears.
import { barePage, scripts } from './bare.mjs';
import { until } from './server.mjs';

/** linphonec makes a key of RSA before its first call with DTLS, which a busy machine takes its time for. */
const PATIENCE_MS = 25_000;

/** A page in which softphones can live: those of JsSIP. */
export async function softphonePage(context, url) {
  const page = await barePage(context, { url });
  await scripts.jssip(page);
  await page.evaluate(install);
  return page;
}

export class Softphone {
  /** Registers `user`; `socket` is the URL of the WebSocket. */
  static async start(page, { user, password, socket, tone_hz, digits: form }) {
    await page.evaluate((account) => window.makePhone(account), { user, password, socket, tone_hz });
    return Object.assign(new Softphone(), { page, user, tone_hz, form });
  }

  /** Calls a method of the phone in the page. */
  does(verb, ...words) {
    return this.page.evaluate(([user, name, rest]) => window.phones[user][name](...rest), [this.user, verb, words]);
  }

  async reaches(state, ms = PATIENCE_MS) {
    await until(`${state} of ${this.user}`, () => this.does('has', state), ms).catch(async (error) => {
      throw new Error(`${error.message}: ${await this.story()}`);
    });
  }

  dial(number) {
    return this.does('dial', number);
  }

  rings() {
    return this.reaches('rings');
  }

  alerted() {
    return this.reaches('alerted');
  }

  answer() {
    return this.does('answer');
  }

  talks() {
    return this.reaches('talks');
  }

  hangUp() {
    return this.does('hangUp');
  }

  ends() {
    return this.reaches('ends');
  }

  hold() {
    return this.does('hold');
  }

  resume() {
    return this.does('resume');
  }

  /** Turns a call away: it is busy. */
  refuse() {
    return this.does('refuse');
  }

  /** Sends the one who calls on to another number, instead of an answer. */
  redirect(number) {
    return this.does('redirect', number);
  }

  text(number, words) {
    return this.does('text', number, words);
  }

  getsText(words) {
    return until(`a text at ${this.user}`, () => this.does('gotText', words), PATIENCE_MS);
  }

  /** The digits that came by INFO since the mark. */
  told() {
    return this.does('digits');
  }

  press(digits, how = this.form === 'info' ? 'INFO' : 'RFC2833') {
    return this.does('press', digits, how);
  }

  transfer(number) {
    return this.does('transfer', number);
  }

  /** Connects its two calls with each other. */
  transferBoth() {
    return this.does('transferBoth');
  }

  async mark() {
    await this.does('mark');
  }

  share(tone_hz) {
    return this.does('share', tone_hz);
  }

  /** The digits whose tones it heard since the mark. */
  keys() {
    return this.does('keys');
  }

  /** What it played of what came: packets that were received and thrown away, and sound that it had to make up. */
  played() {
    return this.does('played');
  }

  /** What happened to it, and what it sent and got. */
  story() {
    return this.does('story');
  }

  /** What it came to before is not what the next wait is for. */
  forget() {
    return this.does('forget');
  }

  stop() {
    return this.does('stop');
  }
}

/** Runs in the page: `makePhone`, and `phones` by user; other libraries have a `PhoneKind` of their own. */
export function install() {
  const WINDOW = 16_384;
  const DIGITS = { rows: [697, 770, 852, 941], columns: [1209, 1336, 1477, 1633], keys: ['123A', '456B', '789C', '*0#D'] };
  /** So many looks without a digit are a pause. */
  const PAUSE = 5;
  const audio = new AudioContext();

  /** How much of these samples is this tone: 0 to 1 (Goertzel). */
  const share = (samples, hz, rate = audio.sampleRate) => {
    const step = (2 * Math.PI * hz) / rate;
    let [one, two, energy] = [0, 0, 0];
    for (const sample of samples) {
      [one, two] = [sample + 2 * Math.cos(step) * one - two, one];
      energy += sample * sample;
    }
    const power = one * one + two * two - 2 * Math.cos(step) * one * two;
    return energy / samples.length < 1e-8 ? 0 : (2 * power) / (energy * samples.length);
  };

  const tone = (hz) => {
    const source = new OscillatorNode(audio, { frequency: hz });
    const volume = new GainNode(audio, { gain: 0.25 });
    const sink = new MediaStreamAudioDestinationNode(audio);
    source.connect(volume).connect(sink);
    source.start();
    return sink.stream;
  };

  class Phone {
    constructor(account) {
      Object.assign(this, { tone_hz: account.tone_hz, calls: [], states: [], events: [], heard: '', told: '', texts: [] });
      this.prepare(account);
    }

    prepare({ user, socket, password }) {
      this.ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(socket)], uri: `sip:${user}@localhost`, password, session_timers: false });
      this.ua.on('newMessage', ({ originator, message, request }) => originator === 'remote' && this.texts.push(request.body ?? message.content));
      this.ua.on('newRTCSession', ({ session, originator }) => this.begins(session, originator));
    }

    start() {
      return new Promise((done, fail) => {
        this.ua.on('registered', () => done(true));
        this.ua.on('registrationFailed', (event) => fail(new Error(`registration: ${event.cause}`)));
        this.ua.start();
      });
    }

    /** It has come to this state. */
    reach(state, cause = '') {
      this.states.push(state);
      this.events.push(`${state} ${cause}`);
    }

    begins(session, originator) {
      this.calls.push(session);
      const reach = (state) => (event) => this.reach(state, event?.cause);
      if (originator === 'remote') reach('rings')();
      session.on('progress', reach(originator === 'remote' ? 'progress' : 'alerted'));
      session.on('confirmed', reach('talks'));
      for (const name of ['ended', 'failed']) {
        session.on(name, (event) => {
          this.calls = this.calls.filter((one) => one !== session);
          reach('ends')(event);
        });
      }
      // Chromium hands nothing to who measures once a stream with the same SSRC has been away, as in a hold: it plays it
      // alone. What comes without being named is measured.
      session.on('sdp', (event) => {
        if (event.originator === 'remote') event.sdp = event.sdp.replace(/^a=(ssrc|ssrc-group|msid):?.*\r\n/gm, '');
      });
      session.on('newDTMF', ({ originator, dtmf }) => originator === 'remote' && (this.told += dtmf.tone));
      session.on('hold', reach('hold'));
      session.on('unhold', reach('unhold'));
    }

    /**
     * Measures what comes from now on. Made anew each time: Chromium gives no sound to what listened to a track before
     * a hold. What is not played is not measured either.
     */
    listens() {
      const { call } = this;
      const track = call?.connection?.getReceivers().find((one) => one.track.kind === 'audio')?.track;
      if (!track) return;
      call.ear?.disconnect();
      const stream = new MediaStream([track]);
      call.player = Object.assign(new Audio(), { srcObject: stream, muted: true });
      call.player.play();
      call.analyser = new AnalyserNode(audio, { fftSize: WINDOW });
      call.ear = audio.createMediaStreamSource(stream);
      call.ear.connect(call.analyser);
    }

    get call() {
      return this.calls.at(-1);
    }

    /** Whether it has come to this state since it was last asked. */
    has(state) {
      const at = this.states.indexOf(state);
      if (at < 0) return false;
      this.states.splice(at, 1);
      return true;
    }

    async story() {
      const stats = this.call ? [...(await window.statistics(this.call.connection)).values()] : [];
      const counted = stats.filter(({ type }) => type.endsWith('bound-rtp')).map((one) => `${one.type} ${one.packetsReceived ?? one.packetsSent}`);
      return [...this.events, ...counted].join(', ');
    }

    get options() {
      // JsSIP silences the stream of a call that it holds, so each has its own.
      return { mediaStream: tone(this.tone_hz), mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };
    }

    dial(number) {
      this.ua.call(`sip:${number}@localhost`, this.options);
    }

    answer() {
      this.call.answer(this.options);
    }

    hangUp() {
      this.call?.terminate();
    }

    hold() {
      this.call.hold();
    }

    resume() {
      this.call.unhold();
    }

    refuse() {
      this.call.terminate({ status_code: 486 });
    }

    redirect(number) {
      this.call.terminate({ status_code: 302, reason_phrase: 'Moved Temporarily', extraHeaders: [`Contact: <sip:${number}@localhost>`] });
    }

    text(number, words) {
      this.ua.sendMessage(`sip:${number}@localhost`, words);
    }

    gotText(words) {
      return this.texts.includes(words);
    }

    digits() {
      return this.told;
    }

    press(digits, transportType) {
      this.call.sendDTMF(digits, { transportType, duration: 120, interToneGap: 280 });
    }

    transfer(number) {
      this.call.refer(`sip:${number}@localhost`);
    }

    transferBoth() {
      const [first, second] = this.calls.slice(-2);
      first.refer(second.remote_identity.uri, { replaces: second });
    }

    mark() {
      this.marked_ms = performance.now();
      this.heard = '';
      this.told = '';
      this.listener = null;
      this.listens();
    }

    /** How much of what is heard now is this tone; what was heard before the mark counts for nothing. */
    share(hz) {
      // Before there was a description, there was nothing to listen to.
      if (this.call && !this.call.analyser) this.mark();
      const { analyser } = this.call ?? {};
      const whole_ms = (WINDOW / audio.sampleRate) * 1_000 + 60;
      if (!analyser || performance.now() - this.marked_ms < whole_ms) return 0;
      const samples = new Float32Array(WINDOW);
      analyser.getFloatTimeDomainData(samples);
      return share(samples, hz);
    }

    async played() {
      const stats = [...(await window.statistics(this.call.connection)).values()];
      const own = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
      const { packetsReceived: received, packetsDiscarded: discarded, concealedSamples, totalSamplesReceived, totalSamplesDuration } = own;
      return { at_ms: performance.now(), received, discarded, concealed_ms: (concealedSamples / totalSamplesReceived) * totalSamplesDuration * 1_000 };
    }

    /** Listens for the pairs of tones of digits, in every sample: a timer would miss some on a busy machine. */
    keys() {
      if (!this.listener) this.listenForDigits();
      return this.heard;
    }

    /** Every sample of a track, piece by piece: [samples, their rate]. */
    async *samples(track) {
      const reader = new MediaStreamTrackProcessor({ track: track.clone(), maxBufferSize: 1_000 }).readable.getReader();
      try {
        for (;;) {
          const { value: data, done } = await reader.read();
          if (done) return;
          const piece = new Float32Array(data.numberOfFrames);
          data.copyTo(piece, { planeIndex: 0, format: 'f32-planar' });
          const rate = data.sampleRate;
          data.close();
          yield [piece, rate];
        }
      } finally {
        reader.cancel();
      }
    }

    async listenForDigits() {
      const track = this.call.connection.getReceivers().find((one) => one.track.kind === 'audio').track;
      const listener = (this.listener = {});
      const best = (samples, rate, list) =>
        list.map((hz) => share(samples, hz, rate)).reduce((found, value, index) => (value > found.value ? { value, index } : found), { value: 0 });
      let [last, gone, samples] = ['', 0, []];
      for await (const [piece, rate] of this.samples(track)) {
        if (this.listener !== listener) return;
        samples.push(...piece);
        if (samples.length < rate / 25) continue;
        const [row, column] = [best(samples, rate, DIGITS.rows), best(samples, rate, DIGITS.columns)];
        samples = samples.slice(-Math.floor(rate / 50));
        const digit = row.value > 0.25 && column.value > 0.25 ? DIGITS.keys[row.index][column.index] : '';
        gone = digit === last ? 0 : gone + 1;
        // What is heard once may be the edge of something else, and a digit may crackle.
        if (gone < (digit ? 2 : PAUSE)) continue;
        this.heard += digit;
        [last, gone] = [digit, 0];
      }
    }

    forget() {
      this.states = [];
    }

    stop() {
      this.ua.stop();
    }
  }

  window.phones = {};
  window.PhoneKind = Phone;
  window.tone = tone;
  window.makePhone = (account) => {
    const phone = new window.PhoneKind(account);
    window.phones[account.user] = phone;
    return phone.start();
  };
}
