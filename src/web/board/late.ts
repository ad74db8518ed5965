// Which sites are late, and in what way.
import type { Facility } from './data';
import { LATE_DAYS } from './measures';

/** It records, but days after the doses. */
export const isSlow = (site: Facility) => (site.lag_days ?? 0) > LATE_DAYS;

/** It gave doses, and recorded none in the last seven days. */
export const isSilent = (site: Facility) => site.doses > 0 && site.doses_7d === 0;

export const isLate = (site: Facility) => isSlow(site) || isSilent(site) || site.corrections_overdue > 0;
