// Reading aids for the messages of the story drawer.

/** `INVITE 246` or `200 OK (INVITE)`. */
export function summary(message: string): string {
  const [start = ''] = message.split('\r\n', 1);
  const response = /^SIP\/2\.0 (\d{3} .*)$/.exec(start);
  if (response) return `${response[1]} (${/^CSeq:\s*\d+\s+(\S+)/im.exec(message)?.[1] ?? '?'})`;
  const [method = '', uri = ''] = start.split(' ');
  return `${method} ${uri.replace(/^sips?:/, '').replace(/@.*$/, '')}`;
}

/** The digest of a password is a secret too: it can be guessed at. */
export function redacted(message: string): string {
  return message.replace(/^((?:Proxy-)?Authorization:\s*\S+).*$/gim, '$1 …');
}
