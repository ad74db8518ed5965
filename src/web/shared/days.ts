// The time and the day in Viet Nam, seven hours ahead of UTC all year.
import { vietnameseDay } from '../verify/dates';

/** The hour, minute and second of an instant in milliseconds since 1970. */
export const clock = (ms: number) => new Date(ms + 7 * 3_600_000).toISOString().slice(11, 19);

/** The day that it is. */
export const today = () => vietnameseDay(Date.now() / 1000);
