// Texts that are the same however they are typed.

/** A text without marks and case, and without white space at its ends: `Nguyễn Thị Đào` and `nguyen thi dao` are one. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replace(/[đð]/g, 'd').trim();
}
