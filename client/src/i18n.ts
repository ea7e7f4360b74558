// English and Russian. The English dictionary is the list of keys; the compiler compares the other with it.

import { computed, effect, signal } from '@preact/signals';
import { en } from './i18n/en';
import { ru } from './i18n/ru';
import { readSetting, writeSetting } from './settings';

export type Key = keyof typeof en;
export type Dictionary = Readonly<Record<Key, string>>;
export type Language = 'en' | 'ru';

const DICTIONARIES: Record<Language, Dictionary> = { en, ru };

const chosen = signal<Language>(initial());
export const language = computed(() => chosen.value);

/** The sentence for `key`, with `{name}` filled in. Reads a signal: components follow the language. */
export function t(key: Key, values: Readonly<Record<string, string>> = {}): string {
  return DICTIONARIES[chosen.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

export function toggleLanguage(): void {
  chosen.value = chosen.value === 'en' ? 'ru' : 'en';
  writeSetting('language', chosen.value);
}

export function applyLanguage(): void {
  effect(() => {
    document.documentElement.lang = chosen.value;
  });
}

function initial(): Language {
  const wish =
    new URLSearchParams(location.search).get('lang') ??
    readSetting('language') ??
    navigator.languages?.find((tag) => /^(en|ru)\b/i.test(tag)) ??
    navigator.language;
  return /^ru\b/i.test(wish ?? '') ? 'ru' : 'en';
}
