// Light or dark: the system's choice until the reader makes one.

import { computed, effect, signal } from '@preact/signals';
import { readSetting, writeSetting } from './settings';

export type Theme = 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(system.matches);
const chosen = signal<Theme | null>(initial());

export const theme = computed<Theme>(() => chosen.value ?? (systemDark.value ? 'dark' : 'light'));

export function toggleTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark';
  writeSetting('theme', chosen.value);
}

export function applyTheme(): void {
  system.addEventListener('change', ({ matches }) => {
    systemDark.value = matches;
  });
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
    const paper = theme.value === 'dark' ? '#14161a' : '#f4efe6';
    document.querySelector('meta[name=theme-color]')?.setAttribute('content', paper);
  });
}

function initial(): Theme | null {
  const value = new URLSearchParams(location.search).get('theme') ?? readSetting('theme');
  return value === 'light' || value === 'dark' ? value : null;
}
