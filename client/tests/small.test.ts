import { expect, it } from 'vitest';
import { clock } from '../src/components/Timer';
import { parseConfig } from '../src/config';
import { bestGrid } from '../src/layout';
import { levelOf } from '../src/level';
import { redacted, summary } from '../src/story';

it('arranges five pictures in three columns on a desk and two on a phone', () => {
  expect(bestGrid(5, 1040, 600, 12).columns).toBe(3);
  expect(bestGrid(5, 366, 560, 8).columns).toBe(2);
});

it('never makes tiles larger than their place', () => {
  for (let count = 1; count <= 25; count += 1) {
    const { columns, width, height } = bestGrid(count, 800, 500, 10);
    expect(columns * width + (columns - 1) * 10).toBeLessThanOrEqual(800);
    const rows = Math.ceil(count / columns);
    expect(rows * height + (rows - 1) * 10).toBeLessThanOrEqual(500);
  }
});

it('survives a place of no size', () => {
  expect(bestGrid(3, 0, 0, 10).width).toBe(0);
});

it('reads what it understands of client.json', () => {
  expect(parseConfig({ demo: { accounts: [{ id: 'alice', password: 'p' }] }, loopback_only: true })).toEqual({
    demo: { accounts: [{ user: 'alice', password: 'p' }], numbers: [] },
    loopbackOnly: true,
    version: '',
  });
  expect(parseConfig(null).demo).toBeNull();
});

it('counts hours only when there are any', () => {
  expect(clock(61_900)).toBe('01:01');
  expect(clock(3_600_000)).toBe('1:00:00');
});

it('names a message in a few words', () => {
  expect(summary('INVITE sip:246@localhost SIP/2.0\r\n\r\n')).toBe('INVITE 246');
  expect(summary('SIP/2.0 404 Not Found\r\nCSeq: 2 INVITE\r\n\r\n')).toBe('404 Not Found (INVITE)');
});

it('hides the digest', () => {
  expect(redacted('Authorization: Digest username="a", response="1"\r\nX: y')).not.toContain('response');
});

it('measures loudness between silence and full scale', () => {
  expect(levelOf(new Float32Array(512))).toBe(0);
  expect(levelOf(new Float32Array(512).fill(1))).toBe(1);
  expect(levelOf(new Float32Array(512).fill(0.03))).toBeGreaterThan(0.3);
});
