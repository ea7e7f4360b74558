// Folders of Asterisk-style files for the tests.

/** One browser account `alice` and the given dial plan, on the given ports. */
export const files = (extensions) => (ports) => ({
  'pjsip.conf': `[transport-ws]
type=transport
protocol=ws
bind=127.0.0.1

[browser](!)
type=endpoint
context=sets
webrtc=yes
disallow=all
allow=opus,ulaw,vp8
max_video_streams=4

[alice](browser)
aors=alice
auth=alice

[alice]
type=auth
auth_type=userpass
username=alice
password=wonderland

[alice]
type=aor
max_contacts=5
`,
  'http.conf': http(ports),
  'extensions.conf': extensions,
  'rtp.conf': `[general]
rtpstart=20000
rtpend=20099
`,
});

export const PASSWORD = 'wonderland';

/** The endpoint, auth and AoR of one account; `options` are lines of its endpoint, `aor` those of its AoR. */
export const account = (name, options, aor = 'max_contacts=5') => `[${name}]
type=endpoint
context=sets
aors=${name}
auth=${name}
disallow=all
${options}

[${name}]
type=auth
username=${name}
password=${PASSWORD}

[${name}]
type=aor
${aor}
`;

/** SIP in the clear over one of the two at the port for it. */
export const transport = (protocol, ports) => `[transport-${protocol}]
type=transport
protocol=${protocol}
bind=127.0.0.1:${ports.sip}
`;

/** What `http.conf` needs to say for the console and the page. */
export const http = (ports) => `[general]
enabled=yes
bindaddr=127.0.0.1
bindport=${ports.http}
`;

/** The demo's 246 with the echo taken out. */
export const WITHOUT_ECHO = `[sets]
exten => 246,1,Answer()
 same => n,Wait(20)
 same => n,Hangup()
`;

export const STREAM_ECHO = `[sets]
exten => 246,1,Noop()
 same => n,Answer()
 same => n,Wait(0.5)
 same => n,StreamEcho(4)
 same => n,Hangup()
`;

/** The same, with an echo of pictures at 246, and the slip of many a book: a transport that browsers do not use. */
export const pinned = (ports) => {
  const written = files(STREAM_ECHO)(ports);
  written['pjsip.conf'] = written['pjsip.conf'].replace('[browser](!)\ntype=endpoint\n', '[browser](!)\ntype=endpoint\ntransport=transport-tls\n');
  return written;
};

/** A desk phone `desk` over UDP and TCP of both families; it may call as a browser does. */
export const deskPhones = (ports) => ({
  ...files(`${STREAM_ECHO}[lamps]\nexten => lamp,hint,PJSIP/desk\n`)(ports),
  'pjsip.conf': `[transport-udp]
type=transport
protocol=udp
bind=[::]:${ports.sip}

[transport-tcp]
type=transport
protocol=tcp
bind=[::]:${ports.sip}

[desk]
type=endpoint
context=sets
subscribe_context=lamps
aors=desk
auth=desk
webrtc=yes
disallow=all
allow=ulaw

[desk]
type=auth
auth_type=userpass
username=desk
password=${PASSWORD}

[desk]
type=aor
max_contacts=5
`,
});
