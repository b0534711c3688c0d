/** Fields of our own kinds. Their schema has let them through; where the API server does not check (an old one, a hole in the schema), we do. */
import type { Custom } from '../kubernetes/objects.ts';
import type { Report } from './annotations.ts';

export function textOf({ spec }: Custom, field: string, report: Report): string {
  const value = spec[field];
  if (value !== undefined && typeof value !== 'string') report(`spec.${field}`, 'InvalidField', 'is not a text');
  return typeof value === 'string' ? value : '';
}

export function textsOf({ spec }: Custom, field: string, report: Report): string[] {
  const value = spec[field];
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((each): each is string => typeof each === 'string')) return value;
  report(`spec.${field}`, 'InvalidField', 'is not a list of texts');
  return [];
}

export function flagOf({ spec }: Custom, field: string, report: Report): boolean {
  const value = spec[field];
  if (value !== undefined && typeof value !== 'boolean') report(`spec.${field}`, 'InvalidField', 'is neither true nor false');
  return value === true;
}

export function numberOf({ spec }: Custom, field: string, report: Report): number {
  const value = spec[field];
  if (value !== undefined && !Number.isSafeInteger(value)) report(`spec.${field}`, 'InvalidField', 'is not a whole number');
  return Number.isSafeInteger(value) ? value as number : 0;
}
