// G.711: one sample of 16 bits to a byte, and back.

/** µ-law. */
export function ulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const value = Math.min(Math.abs(Math.round(sample)), 32_635) + 132;
  const exponent = Math.floor(Math.log2(value)) - 7;
  return ~(sign | (exponent << 4) | ((value >> (exponent + 3)) & 15)) & 0xff;
}

export function fromUlaw(byte) {
  const code = ~byte & 0xff;
  const value = (((code & 15) << 3) + 132) << ((code >> 4) & 7);
  return code & 0x80 ? 132 - value : value - 132;
}

/** A-law. */
export function alaw(sample) {
  const sign = sample < 0 ? 0 : 0x80;
  const value = Math.min(Math.abs(Math.round(sample)), 32_635);
  const exponent = value < 256 ? 0 : Math.floor(Math.log2(value)) - 7;
  const code = value < 256 ? value >> 4 : (exponent << 4) | ((value >> (exponent + 3)) & 15);
  return (sign | code) ^ 0x55;
}

export function fromAlaw(byte) {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const value = exponent === 0 ? ((code & 15) << 4) + 8 : (((code & 15) << 4) + 264) << (exponent - 1);
  return code & 0x80 ? value : -value;
}
