// A web phone as people wrote them: an account, a number, pictures. It speaks through JsSIP 3.0.13.
const find = (id) => document.getElementById(id);
const say = (text) => (find('state').textContent = text);

let call;

const show = (stream, own) => {
  if (document.getElementById(stream.id)) return;
  const video = document.createElement('video');
  Object.assign(video, { id: stream.id, autoplay: true, muted: true, srcObject: stream });
  const tile = document.createElement('figure');
  Object.assign(tile.dataset, { testid: own ? 'local-tile' : 'remote-tile', streamId: stream.id });
  tile.append(video);
  find('pictures').append(tile);
};

const watch = (rtc) => {
  call = rtc;
  const pc = rtc.connection;
  window.__sidetone = {
    pc: () =>
      new Proxy(pc, {
        get: (target, name) => {
          if (name === 'getStats') return () => window.nativeStats.call(target);
          const value = target[name];
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  };
  pc.ontrack = (event) => event.track.kind === 'video' && show(event.streams[0], false);
  rtc.on('confirmed', () => say('in a call'));
  rtc.on('failed', (event) => say(`failed: ${event.cause}`));
  rtc.on('ended', () => {
    say('registered');
    find('pictures').replaceChildren();
  });
};

const media = () => navigator.mediaDevices.getUserMedia({ audio: true, video: true });

find('connect').onclick = () => {
  window.agent?.stop();
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(`wss://${location.host}/ws`)],
    uri: `sip:${find('user').value}@${location.hostname}`,
    password: find('password').value,
    session_timers: true,
  });
  agent.on('registered', (event) => {
    window.contact = event.response.getHeader('Contact');
    say('registered');
  });
  agent.on('registrationFailed', (event) => say(`refused: ${event.response?.status_code ?? event.cause}`));
  agent.on('newRTCSession', async ({ originator, session }) => {
    if (originator !== 'remote') return;
    say('ringing');
    session.answer({ mediaStream: await media(), pcConfig: { iceServers: [] } });
    watch(session);
  });
  window.agent = agent;
  agent.start();
};

find('call').onclick = async () => {
  const mediaStream = await media();
  show(mediaStream, true);
  const number = `sip:${find('number').value}@${location.hostname}`;
  watch(window.agent.call(number, { mediaStream, pcConfig: { iceServers: [] } }));
};

find('hangup').onclick = () => call.terminate();
