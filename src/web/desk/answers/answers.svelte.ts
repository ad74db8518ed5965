// What waits for this site's answer: corrections by their deadline, and changes for a second person.
import { type Schemas, apiAs, worded } from '../../api/client';

export type Correction = Schemas['CorrectionAnswer'];
export type Change = Schemas['WaitingDocument'];

class Answers {
  corrections = $state.raw<Correction[]>([]);
  changes = $state.raw<Change[]>([]);
  trouble = $state.raw<string>();
  loaded = $state.raw(false);
  /** Raised by `forget`: what was asked for before is another's. */
  #turn = 0;

  async load(): Promise<void> {
    const turn = this.#turn;
    try {
      const [corrections, changes] = await Promise.all([
        apiAs('staff').GET('/v1/corrections', { params: { query: { limit: 200 } } }),
        apiAs('staff').GET('/v1/dose-changes', { params: { query: { purpose: 'to be agreed to by a second person' } } }),
      ]);
      if (turn !== this.#turn) return;
      if (corrections.data) this.corrections = corrections.data.corrections;
      if (changes.data) this.changes = changes.data.changes;
      const error = corrections.error ?? changes.error;
      this.trouble = error === undefined ? undefined : worded(error);
      this.loaded = true;
    } catch (error) {
      if (turn === this.#turn) this.trouble = worded(error);
    }
  }

  /** Forgets what waits: somebody logs out, or another in. */
  forget(): void {
    this.#turn += 1;
    [this.corrections, this.changes, this.trouble, this.loaded] = [[], [], undefined, false];
  }
}

export const answers = new Answers();
