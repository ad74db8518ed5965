// Phone numbers.

/** A phone number as people here write it: the API gives `+84..`. */
export function localPhone(phone: string | null | undefined): string {
  return (phone ?? '').replace(/^\+84/, '0');
}
