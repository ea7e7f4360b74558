// SRTP with AES-128 in counter mode and 80 bits of HMAC-SHA1 (RFC 3711), one source, from what DTLS exports.
import { createCipheriv, createHmac } from 'node:crypto';

const cipher = (key, iv, bytes) => createCipheriv('aes-128-ctr', key, iv).update(bytes);

/** RFC 3711 §4.3: the session keys of a master key. */
function derived(key, salt, label, length) {
  const iv = Buffer.concat([salt, Buffer.alloc(2)]);
  iv[7] ^= label;
  return cipher(key, iv, Buffer.alloc(length));
}

class Direction {
  constructor(key, salt) {
    [this.key, this.auth, this.salt] = [derived(key, salt, 0, 16), derived(key, salt, 1, 20), derived(key, salt, 2, 14)];
  }

  payload(packet, body) {
    const iv = Buffer.concat([this.salt, Buffer.alloc(2)]);
    for (let index = 0; index < 4; index += 1) iv[4 + index] ^= packet[8 + index];
    for (let index = 0; index < 2; index += 1) iv[12 + index] ^= packet[2 + index];
    return cipher(this.key, iv, body);
  }

  tag(packet) {
    return createHmac('sha1', this.auth).update(packet).update(Buffer.alloc(4)).digest().subarray(0, 10);
  }

  seal(packet) {
    const sealed = Buffer.concat([packet.subarray(0, 12), this.payload(packet, packet.subarray(12))]);
    return Buffer.concat([sealed, this.tag(sealed)]);
  }

  /** The packet, or null if somebody else made it. */
  open(bytes) {
    const sealed = bytes.subarray(0, -10);
    if (!this.tag(sealed).equals(bytes.subarray(-10))) return null;
    return Buffer.concat([sealed.subarray(0, 12), this.payload(sealed, sealed.subarray(12))]);
  }
}

/** RFC 5764 §4.2: client key, server key, client salt, server salt. */
export const directions = (material) => ({
  client: new Direction(material.subarray(0, 16), material.subarray(32, 46)),
  server: new Direction(material.subarray(16, 32), material.subarray(46, 60)),
});
