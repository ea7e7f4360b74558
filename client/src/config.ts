// `client.json`, beside the page: what the server tells it before anybody signs in.

import type { Account } from './signalling';

export interface ClientConfig {
  demo: { accounts: Account[]; numbers: { number: string; label: string }[] } | null;
  loopbackOnly: boolean;
  version: string;
}

const NOTHING: ClientConfig = { demo: null, loopbackOnly: false, version: '' };

export async function fetchConfig(): Promise<ClientConfig> {
  try {
    const response = await fetch('client.json', { cache: 'no-store' });
    return response.ok ? parseConfig(await response.json()) : NOTHING;
  } catch {
    return NOTHING;
  }
}

/** Takes what it understands; a newer or older server must not leave the page empty. */
export function parseConfig(value: unknown): ClientConfig {
  const json = record(value);
  const demo = json['demo'] ? record(json['demo']) : null;
  return {
    demo: demo && {
      accounts: list(demo['accounts']).map((a) => ({ user: text(record(a)['id']), password: text(record(a)['password']) })),
      numbers: list(demo['numbers']).map((n) => ({ number: text(record(n)['number']), label: text(record(n)['label']) })),
    },
    loopbackOnly: json['loopback_only'] === true,
    version: text(json['version']),
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
