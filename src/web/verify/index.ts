// The verifier, whole: a QR text and what is known -> the service's verdict.
export { valueOf } from './certlogic';
export { ed25519ByLibrary } from './keys';
export { entriesOf } from './revocation';
export { type TrustListDocument, trustList } from './trust';
export { type Knowledge, type Verdict, verify } from './verify';
