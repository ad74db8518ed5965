// What is heard and felt of a verdict, so that nobody need look: each card has its own.
import type { Verdict } from '../verify/verify';

type Card = Verdict['card'];

/** Tones: [hertz, seconds] one after the other. */
const TONES: Record<Card, [number, number][]> = {
  green: [[880, 0.09], [1320, 0.16]],
  yellow: [[660, 0.12], [0, 0.06], [660, 0.12]],
  amber: [[440, 0.15], [0, 0.06], [554, 0.15], [0, 0.06], [440, 0.15]],
  red: [[196, 0.5]],
};

/** Milliseconds of buzzing and pausing. */
const BUZZES: Record<Card, number[]> = {
  green: [60],
  yellow: [60, 60, 60],
  amber: [120, 80, 120, 80, 120],
  red: [400],
};

let audio: AudioContext | undefined;

/** Browsers let a page be heard only after it was touched: call it then. */
export function unlock(): void {
  audio ??= new AudioContext();
  void audio.resume().catch(() => undefined);
}

export function sound(card: Card): void {
  if (audio?.state !== 'running') return;
  let at = audio.currentTime + 0.01;
  for (const [hertz, seconds] of TONES[card]) {
    if (hertz > 0) tone(audio, hertz, at, seconds, card === 'red' ? 'square' : 'sine');
    at += seconds;
  }
}

function tone(context: AudioContext, hertz: number, at: number, seconds: number, type: OscillatorType): void {
  const [oscillator, gain] = [context.createOscillator(), context.createGain()];
  oscillator.type = type;
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0.5, at);
  gain.gain.setTargetAtTime(0, at + seconds * 0.8, 0.01);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + seconds + 0.05);
}

export function buzz(card: Card): void {
  navigator.vibrate?.(BUZZES[card]);
}
