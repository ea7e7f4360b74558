import { describe, expect, it } from 'vitest';
import { FAILURES } from '../src/failure';
import { en } from '../src/i18n/en';
import { ru } from '../src/i18n/ru';

const placeholders = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
const keys = Object.keys(en) as (keyof typeof en)[];

describe('dictionaries', () => {
  it('have the same keys', () => {
    expect(Object.keys(ru).sort()).toEqual([...keys].sort());
  });

  it.each(keys)('fills the same places in %s', (key) => {
    expect(placeholders(ru[key])).toEqual(placeholders(en[key]));
    expect(ru[key].trim()).not.toBe('');
  });

  it('leave no English sentence in Russian', () => {
    const same = keys.filter((key) => ru[key] === en[key]);
    expect(same).toEqual(['app.title']);
  });

  it.each(FAILURES)('has a sentence and a next step for %s', (kind) => {
    for (const dictionary of [en, ru]) {
      expect(dictionary[`failure.${kind}`]).toMatch(/[.…]$/);
      expect(dictionary[`failure.${kind}.next`]).toMatch(/\.$/);
    }
  });
});
