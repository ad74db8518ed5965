// A registration as it is filled in, step by step: what is asked, what is wrong with it, and how it is sent.
import type { Schemas } from '../../api/client';
import type { Commune } from '../../shared/communes';
import type { Errors } from '../fields';
import { today } from '../../shared/days';
import { localPhone } from '../../shared/phone';
import type { Person } from '../status';
import { words } from '../words/register';

export type Form = Schemas['DeclarationForm'];
export type Answers = Record<string, { yes: boolean | undefined; details: string }>;

export interface Draft {
  step: number;
  name: string;
  /** As precise as it is known, ISO 8601. */
  birth: string;
  sex: string;
  phone: string;
  identity: string;
  guardian: { name: string; relation: string; phone: string };
  ward: Commune | undefined;
  address: string;
  occupation: string;
  priority: number;
  answers: Answers;
}

/** An empty one for the account's number; or of somebody who withdrew and registers again. `adult`: who may answer for a child. */
export function newDraft(phone: string, again?: Person, adult?: Person): Draft {
  const before = again?.registration;
  const guardian = { name: adult?.name ?? '', relation: '', phone: localPhone(adult?.registration?.phone) };
  return {
    step: 1,
    name: before?.name ?? '',
    birth: before?.birth ?? '',
    sex: before?.sex ?? '',
    phone: before ? localPhone(before.phone) : phone,
    identity: before?.identity ?? '',
    guardian: before?.guardian ? { ...before.guardian, phone: localPhone(before.guardian.phone) } : guardian,
    ward: before?.ward ?? undefined,
    address: before?.address ?? '',
    occupation: before?.occupation ?? '',
    priority: before?.priority ?? 0,
    answers: {},
  };
}

export const STEPS = 4;

/** In which step a field of the API stands. */
export function stepOf(field: string): number {
  const [first] = field.split('.');
  if (first === 'declaration') return 3;
  if (['ward', 'address', 'occupation', 'priority'].includes(first ?? '')) return 2;
  return first === 'consent' || field === '' ? STEPS : 1;
}

/** Whether this birth date makes somebody under 18; the first day counts where month or day is not known. */
export function isMinor(birth: string): boolean {
  const [year, month = '01', date = '01'] = birth.split('-');
  if (!year || year.length !== 4) return false;
  return `${Number(year) + 18}-${month}-${date}` > today();
}

/** What is wrong with a birth date: there is none, no such day, or it is yet to come. */
export function wrongBirth(birth: string): string | undefined {
  if (!birth) return words().required;
  if (!/^\d{4}(-\d\d(-\d\d)?)?$/.test(birth)) return words().badDate;
  const whole = `${birth}-01-01`.slice(0, 10);
  const date = new Date(`${whole}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== whole) return words().badDate;
  return whole > today() ? words().future : undefined;
}

/** What is missing in a step; what the service is to judge is left to it. */
export function missing(draft: Draft, form: Form | undefined): Errors {
  const errors: Errors = {};
  const need = (field: string, value: string, sentence = words().required) => {
    if (!value.trim()) errors[field] = sentence;
  };
  if (draft.step === 1) {
    need('name', draft.name);
    const birth = wrongBirth(draft.birth);
    if (birth) errors['birth'] = birth;
    need('sex', draft.sex, words().chooseOne);
    if (isMinor(draft.birth)) {
      need('guardian.name', draft.guardian.name);
      need('guardian.relation', draft.guardian.relation, words().chooseOne);
      need('guardian.phone', draft.guardian.phone);
    } else if (!draft.phone.trim() && !draft.identity.trim()) errors['phone'] = words().oneNumber;
  } else if (draft.step === 2) {
    if (!draft.ward) errors['ward'] = words().chooseCommune;
    need('address', draft.address);
    need('occupation', draft.occupation);
  } else if (draft.step === 3) Object.assign(errors, unanswered(draft.answers, form));
  return errors;
}

/** The questions that have no answer, each under its own word. */
export function unanswered(answers: Answers, form: Form | undefined): Errors {
  const open = (form?.questions ?? []).filter(({ id }) => answers[id]?.yes === undefined);
  return Object.fromEntries(open.map(({ id }) => [`declaration.${id}`, words().answerThis]));
}

/** The declaration as the API takes it. */
export function declarationOf(answers: Answers, form: Form): Schemas['Declaration'] {
  const answer = ({ id: question }: Form['questions'][number]) => {
    const { yes = false, details = '' } = answers[question] ?? {};
    return { question, yes, ...(yes && details.trim() ? { details: details.trim() } : {}) };
  };
  return { version: form.version, answers: form.questions.map(answer) };
}

/** The registration as the API takes it, consent included. */
export function applicationOf(draft: Draft, form: Form): Schemas['Application'] {
  const minor = isMinor(draft.birth);
  const { name, birth, sex, address, occupation, priority, guardian } = draft;
  return {
    name,
    birth,
    sex,
    ...(draft.phone.trim() ? { phone: draft.phone } : {}),
    ...(draft.identity.trim() ? { identity: draft.identity } : {}),
    ward: draft.ward?.code ?? '',
    address,
    occupation,
    priority,
    declaration: declarationOf(draft.answers, form),
    consent: { version: form.consent.version, by: minor ? 'guardian' : 'self' },
    ...(minor ? { guardian } : {}),
  };
}
