// Which place is looked at: it stands in the address behind `#`, so that the browser's own buttons lead back and a link leads there.

/** A province's code and perhaps a district's; nothing for the whole country. */
export interface Where {
  province?: string;
  district?: string;
}

function read(): Where {
  const found = /^#(\d{2})(?:\/(\d{3}))?$/.exec(location.hash);
  return { ...(found?.[1] && { province: found[1] }), ...(found?.[2] && { district: found[2] }) };
}

let current = $state.raw(read());
addEventListener('hashchange', () => (current = read()));

export const where = {
  get now(): Where {
    return current;
  },
};

/** The address of a place. */
export function hrefOf({ province, district }: Where): string {
  return `#${[province, district].filter(Boolean).join('/')}`;
}
