(async (user, password, number) => {
  const until = (probe, ms) => new Promise((done) => {
    const end = performance.now() + ms;
    const look = async () => {
      const found = await probe();
      if (found) done(found);
      else if (performance.now() > end) done(null);
      else setTimeout(look, 50);
    };
    look();
  });
  const find = (id) => document.querySelector(`[data-testid="${id}"]`);
  const type = (id, value) => {
    const field = find(id);
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const error = () => find('error')?.dataset.kind ?? null;
  const begun = performance.now();
  if (!(await until(() => find('user') && find('connect'), 15000))) return { step: 'page', error: document.title };
  type('user', user);
  type('password', password);
  await new Promise((done) => setTimeout(done, 50));
  find('connect').click();
  const isOnline = () => find('status')?.dataset.connection === 'online' || error();
  if (!(await until(isOnline, 15000)) || error()) return { step: 'register', error: error() };
  type('number', number);
  await new Promise((done) => setTimeout(done, 50));
  find('call').click();
  const received = async () => {
    const pc = window.__sidetone.pc();
    if (!pc) return error() ? { error: error() } : null;
    const stats = [...(await pc.getStats()).values()];
    const sum = (type, kind, name) => stats
      .filter((entry) => entry.type === type && entry.kind === kind)
      .reduce((total, entry) => total + (entry[name] ?? 0), 0);
    const seen = {
      audio_sent: sum('outbound-rtp', 'audio', 'packetsSent'),
      audio_received: sum('inbound-rtp', 'audio', 'packetsReceived'),
      frames_decoded: sum('inbound-rtp', 'video', 'framesDecoded'),
    };
    window.seen = seen;
    return seen.audio_received >= 50 && (seen.frames_decoded > 0 || stats.every((entry) => entry.kind !== 'video')) ? seen : null;
  };
  const seen = await until(received, 25000);
  const last = window.seen ?? {};
  find('hangup')?.click();
  await new Promise((done) => setTimeout(done, 300));
  if (!seen || seen.error) return { step: 'media', error: seen?.error ?? error(), ...last };
  return { step: 'done', ms: Math.round(performance.now() - begun), ...seen };
})
