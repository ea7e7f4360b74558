// What a person sees and hears, measured inside the page. Each function runs in the browser through
// page.evaluate, so it may use nothing from outside its own body.

/** Presses Call and times it: {first_ms, all_ms} from the press to decoded frames in 1 and `count` pictures. */
export function callAndTime({ number, count, limit_ms }) {
  const find = (id) => document.querySelector(`[data-testid="${id}"]`);
  const field = find('number');
  field.value = number;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  return new Promise((done) => {
    setTimeout(() => {
      const pressed = performance.now();
      find('call').click();
      const result = { first_ms: null, all_ms: null, pictures: 0 };
      const look = () => {
        const videos = [...document.querySelectorAll('[data-testid="remote-tile"] video')];
        // Firefox counts no frames of a MediaStream; a picture that has data and a size is a decoded one.
      const decoded = videos.filter(
        (video) => video.getVideoPlaybackQuality().totalVideoFrames > 0 || (navigator.userAgent.includes('Firefox') && video.readyState >= 2 && video.videoWidth > 0),
      );
        const now = performance.now() - pressed;
        result.pictures = decoded.length;
        if (decoded.length > 0) result.first_ms ??= now;
        if (decoded.length >= count) result.all_ms ??= now;
        if (result.all_ms !== null || now > limit_ms) done(result);
        else setTimeout(look, 5);
      };
      look();
    }, 0);
  });
}

/** Every received video stream as getStats tells it: {mid, ssrc, frames, stream}. */
export async function receivedVideo() {
  const pc = window.__sidetone.pc();
  if (!pc) return [];
  const stats = [...(await pc.getStats()).values()];
  return stats
    .filter((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video')
    .map((entry) => ({
      mid: entry.mid,
      ssrc: entry.ssrc,
      frames: entry.framesDecoded ?? 0,
      nack: entry.nackCount ?? 0,
      pli: entry.pliCount ?? 0,
      retransmitted: entry.retransmittedPacketsReceived ?? 0,
      lost: entry.packetsLost ?? 0,
    }));
}

/** A checksum of what each picture shows now: own picture first, then the remote ones by stream id. */
export function pictures() {
  const canvas = document.createElement('canvas');
  canvas.width = 32;
  canvas.height = 24;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const tiles = [
    ...document.querySelectorAll('[data-testid="local-tile"]'),
    ...document.querySelectorAll('[data-testid="remote-tile"]'),
  ];
  return tiles.map((tile) => {
    pen.drawImage(tile.querySelector('video'), 0, 0, 32, 24);
    const pixels = pen.getImageData(0, 0, 32, 24).data;
    let sum = 0;
    let light = 0;
    for (let i = 0; i < pixels.length; i += 4) {
      sum = (sum * 31 + pixels[i] + pixels[i + 1] * 7 + pixels[i + 2] * 13) >>> 0;
      light += pixels[i] + pixels[i + 1] + pixels[i + 2];
    }
    return { stream: tile.dataset.streamId ?? 'own', sum, light };
  });
}

/** The loudest frequency of the received sound between 200 and 2000 Hz, and how far it stands out. */
export async function loudestTone({ ms }) {
  const pc = window.__sidetone.pc();
  const receiver = pc?.getReceivers().find((one) => one.track.kind === 'audio');
  if (!receiver) return { hz: 0, over_db: 0 };
  const audio = new AudioContext();
  await audio.resume();
  const analyser = audio.createAnalyser();
  analyser.fftSize = 32_768;
  analyser.smoothingTimeConstant = 0;
  audio.createMediaStreamSource(new MediaStream([receiver.track])).connect(analyser);
  await new Promise((done) => setTimeout(done, ms));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const bin_hz = audio.sampleRate / analyser.fftSize;
  await audio.close();
  const band = [...levels.keys()].filter((bin) => bin * bin_hz > 200 && bin * bin_hz < 2000);
  const peak = band.reduce((best, bin) => (levels[bin] > levels[best] ? bin : best));
  const sorted = band.map((bin) => levels[bin]).sort((a, b) => a - b);
  return { hz: peak * bin_hz, over_db: levels[peak] - sorted[Math.floor(sorted.length / 2)], peak_db: levels[peak] };
}
