// SIP.js as one party of a call, in place of JsSIP.
import { barePage, scripts } from './bare.mjs';
import { install } from './softphone.mjs';

/** SIP.js in a page of Chromium. */
export async function sipjsPage(context, url) {
  const page = await barePage(context, { url });
  await scripts.sipjs(page);
  await page.evaluate(install);
  await page.evaluate(installSipJs);
  return page;
}

/** Runs in the page, after `install`. */
function installSipJs() {
  const { Inviter, Registerer, SessionState, UserAgent, Web } = window.SIP;
  const uri = (number) => UserAgent.makeURI(`sip:${number}@localhost`);

  // As with JsSIP: what comes without its SSRC being named is measured after a hold too.
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const sdp = description.sdp?.replace(/^a=(ssrc|ssrc-group|msid):?.*\r\n/gm, '');
    return setRemoteDescription.call(this, { type: description.type, sdp });
  };

  class SipJsPhone extends window.PhoneKind {
    prepare({ user, socket, password }) {
      const own = async () => window.tone(this.tone_hz);
      this.agent = new UserAgent({
        uri: uri(user),
        authorizationUsername: user,
        authorizationPassword: password,
        transportOptions: { server: socket },
        sessionDescriptionHandlerFactory: Web.defaultSessionDescriptionHandlerFactory(own),
        sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
        logBuiltinEnabled: false,
        delegate: {
          onInvite: (invitation) => {
            this.reach('rings');
            this.follows(invitation);
          },
          onMessage: (message) => {
            message.accept();
            this.texts.push(message.request.body);
          },
        },
      });
    }

    async start() {
      await this.agent.start();
      const registerer = new Registerer(this.agent);
      await new Promise((done, fail) => {
        registerer.stateChange.addListener((state) => state === 'Registered' && done());
        registerer.register({ requestDelegate: { onReject: ({ message }) => fail(new Error(`registration ${message.statusCode}`)) } });
      });
    }

    follows(session) {
      Object.defineProperty(session, 'connection', { get: () => session.sessionDescriptionHandler?.peerConnection });
      this.calls.push(session);
      session.stateChange.addListener((state) => {
        if (state === SessionState.Established) this.reach('talks');
        if (state !== SessionState.Terminated) return;
        this.calls = this.calls.filter((one) => one !== session);
        this.reach('ends');
      });
    }

    dial(number) {
      const inviter = new Inviter(this.agent, uri(number), { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } }, earlyMedia: true });
      this.follows(inviter);
      inviter.invite({ requestDelegate: { onProgress: ({ message }) => message.statusCode > 100 && this.reach('alerted') } });
    }

    answer() {
      this.call.accept({ sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } });
    }

    hangUp() {
      const { call } = this;
      if (!call) return;
      if (call.state === SessionState.Established) call.bye();
      else if (call instanceof Inviter) call.cancel();
      else call.reject();
    }

    refuse() {
      this.call.reject({ statusCode: 486 });
    }

    redirect(number) {
      this.call.reject({ statusCode: 302, reasonPhrase: 'Moved Temporarily', extraHeaders: [`Contact: <sip:${number}@localhost>`] });
    }

    offers(hold) {
      const { call } = this;
      call.sessionDescriptionHandlerOptionsReInvite = { constraints: { audio: true, video: false }, hold };
      for (const { track } of call.connection.getSenders()) if (track) track.enabled = !hold;
      call.invite();
    }

    hold() {
      this.offers(true);
    }

    resume() {
      this.offers(false);
    }

    press(digits) {
      this.call.sessionDescriptionHandler.sendDtmf(digits, { duration: 120, interToneGap: 280 });
    }

    transfer(number) {
      this.call.refer(uri(number));
    }

    transferBoth() {
      const [first, second] = this.calls.slice(-2);
      first.refer(second);
    }

    async text(number, words) {
      await new window.SIP.Messager(this.agent, uri(number), words).message();
    }

    stop() {
      this.agent.stop();
    }
  }

  window.PhoneKind = SipJsPhone;
}
