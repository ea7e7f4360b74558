// The `+sip.instance` of this tab (RFC 5626 §4.1): stable over reloads, different in every tab.

const KEY = 'sidetone.instance';

export function instanceId(): string {
  try {
    const known = sessionStorage.getItem(KEY);
    if (known) return known;
    const fresh = uuid();
    sessionStorage.setItem(KEY, fresh);
    return fresh;
  } catch {
    return uuid();
  }
}

/** `crypto.randomUUID` exists in secure contexts only; this page must also explain an insecure one. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
