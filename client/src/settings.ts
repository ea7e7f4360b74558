// What this browser remembers. Private windows may refuse storage; then nothing is remembered.

type Name = 'microphone' | 'camera' | 'processing' | 'theme' | 'language' | 'user' | 'number';

export function readSetting(name: Name): string | null {
  try {
    return localStorage.getItem(`sidetone.${name}`);
  } catch {
    return null;
  }
}

export function writeSetting(name: Name, value: string): void {
  try {
    localStorage.setItem(`sidetone.${name}`, value);
  } catch {
    // Nothing is remembered.
  }
}
