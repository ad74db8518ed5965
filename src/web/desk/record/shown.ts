// A card that is shown: what stands on it beside its code.
export interface Shown {
  uvci: string;
  /** The dose that it was made for. */
  dose: string;
  card: 'yellow' | 'green';
  flags: string[];
  record_no: string;
  name: string;
  /** ISO 8601, as precise as it is known. */
  birth: string;
  /** The product's name. */
  product: string;
  /** In seconds since 1970. */
  given_at: number;
}
