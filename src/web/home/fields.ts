// What the API says is wrong, beside the field that it is about.
import { worded } from '../api/client';

/** What is wrong, by the name of the field; `''` for what is about no field. */
export type Errors = Record<string, string>;

/** The error of a problem document or of a failed network. `strip`: a beginning of names that the form does not have. */
export function errorsOf(error: unknown, strip = ''): Errors {
  const { field } = (error ?? {}) as { field?: unknown };
  const name = typeof field === 'string' ? field : '';
  return { [name.startsWith(strip) ? name.slice(strip.length) : name]: worded(error) };
}

/** Moves to the first field that something is wrong with, once it is shown. */
export function focusError(within: HTMLElement | undefined): void {
  requestAnimationFrame(() => {
    const wrong = within?.querySelector<HTMLElement>('[aria-invalid="true"], [data-error]');
    const target = wrong?.matches('input, select, textarea') ? wrong : wrong?.querySelector<HTMLElement>('input, button') ?? wrong;
    target?.focus();
    wrong?.scrollIntoView({ block: 'center' });
  });
}
