// The QR code on an identity card, as a handheld scanner types it: number|old number|name|birth|sex|address|issued.
import { isoDay } from '../dates';

export interface IdentityCard {
  identity: string;
  name: string;
  /** As it is typed in the form: ddmmyyyy. */
  birth: string;
  sex: 'female' | 'male' | '';
}

/** What a card says; nothing if the text is of no card. */
export function identityCard(text: string): IdentityCard | undefined {
  const [identity, , name, birth, sex] = text.trim().split('|');
  if (!identity || !name || !birth || !/^\d{12}$/.test(identity) || !isoDay(birth)) return undefined;
  const said = sex?.toLowerCase().normalize('NFC');
  return { identity, name, birth, sex: said === 'nữ' ? 'female' : said === 'nam' ? 'male' : '' };
}
