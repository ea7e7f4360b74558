// Whether a request proves who it comes from (RFC 7616), worked out by itself.
import { createHash } from 'node:crypto';

const HASHES = { MD5: 'md5', 'SHA-256': 'sha256' };

/** A header that challenges. */
export const challenge = (header, { realm = 'provider.test', nonce, algorithm = 'MD5', stale = false }) =>
  `${header}: Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`;

/** What answers a challenge: the value of Authorization. */
export function proof(header, { method, uri, user, password }) {
  const { realm, nonce, algorithm } = parameters(header);
  const [nc, cnonce, qop] = ['00000001', 'abcdef', 'auth'];
  const response = digest({ realm, nonce, algorithm, method, uri, user, password, nc, cnonce, qop });
  return `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, qop=${qop}, nc=${nc}, cnonce="${cnonce}", response="${response}"`;
}

const parameters = (line) => Object.fromEntries([...line.matchAll(/([\w-]+)="?([^",]*)"?/g)].map(([, name, value]) => [name, value]));

function digest({ realm, nonce, algorithm, method, uri, user, password, nc, cnonce, qop }) {
  const hash = (...parts) => createHash(HASHES[algorithm]).update(parts.join(':')).digest('hex');
  return hash(hash(user, realm, password), nonce, nc, cnonce, qop, hash(method, uri));
}

/** Throws unless the request carries `header` with what this user and password make of this nonce. */
export function mustProve(request, header, { user, password, realm = 'provider.test', nonce, algorithm = 'MD5' }) {
  const line = new RegExp(`^${header}: *Digest (.*)$`, 'm').exec(request)?.[1];
  if (!line) throw new Error(`there is no ${header} in\n${request}`);
  const said = parameters(line);
  const method = request.slice(0, request.indexOf(' '));
  const wanted = digest({ ...said, method, user, password, realm, nonce, algorithm });
  const fits = said.username === user && said.realm === realm && said.nonce === nonce && said.qop === 'auth' && said.response === wanted;
  if (!fits) throw new Error(`${header} does not prove it: ${line}`);
}
