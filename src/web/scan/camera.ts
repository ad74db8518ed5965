// The camera: opened, chosen, lit and zoomed, and its frames handed on.
import { keep, recall } from '../shared/device';

/** Why there is no picture; each has a sentence that says what to do. */
export type NoCamera = 'refused' | 'none' | 'busy' | 'insecure' | 'lost';

/** What the camera in use can do. */
export interface Abilities {
  torch: boolean;
  zoom: { min: number; max: number; step: number } | undefined;
}

// Not yet among the types of documents: W3C Image Capture.
interface Capabilities extends MediaTrackCapabilities {
  torch?: boolean;
  zoom?: { min: number; max: number; step?: number };
  focusMode?: string[];
}

const CHOSEN = 'camera';

export class Camera {
  readonly #video: HTMLVideoElement;
  #track: MediaStreamTrack | undefined;
  #torch = false;
  #zoom: number | undefined;
  /** Called when the picture ends by itself: unplugged, or taken by another programme. */
  onlost: () => void = () => undefined;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  /** Shows the camera that was chosen before, else the one that looks away from the holder. */
  async open(): Promise<NoCamera | undefined> {
    if (!navigator.mediaDevices) return 'insecure';
    this.close();
    const chosen = recall(CHOSEN);
    const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
    const stream = await this.#stream({ ...size, ...(chosen ? { deviceId: { exact: chosen } } : { facingMode: 'environment' }) });
    // The chosen one may be gone.
    const other = stream === 'none' && chosen ? await this.#stream({ ...size, facingMode: 'environment' }) : stream;
    if (typeof other === 'string') return other;
    [this.#track] = other.getVideoTracks();
    this.#track?.addEventListener('ended', () => this.onlost());
    this.#video.srcObject = other;
    await this.#video.play().catch(() => undefined);
    await this.#apply();
    return undefined;
  }

  async #stream(video: MediaTrackConstraints): Promise<MediaStream | NoCamera> {
    try {
      return await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      switch ((error as DOMException).name) {
        case 'NotAllowedError':
        case 'SecurityError':
          return 'refused';
        case 'NotFoundError':
        case 'OverconstrainedError':
          return 'none';
        default:
          return 'busy';
      }
    }
  }

  close(): void {
    this.#track?.stop();
    this.#track = undefined;
    this.#video.srcObject = null;
  }

  /** True while there is a picture. */
  get live(): boolean {
    return this.#track?.readyState === 'live';
  }

  get abilities(): Abilities {
    const can = this.#capabilities();
    const zoom = can.zoom && can.zoom.max > can.zoom.min ? { ...can.zoom, step: can.zoom.step ?? 0.1 } : undefined;
    return { torch: can.torch === true, zoom };
  }

  #capabilities(): Capabilities {
    return this.#track?.getCapabilities?.() ?? {};
  }

  /** The cameras there are, by id; their names are known once one was allowed. */
  async all(): Promise<{ id: string; name: string }[]> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === 'videoinput').map(({ deviceId, label }) => ({ id: deviceId, name: label }));
  }

  get id(): string | undefined {
    return this.#track?.getSettings().deviceId;
  }

  choose(id: string): Promise<NoCamera | undefined> {
    keep(CHOSEN, id);
    return this.open();
  }

  /** Lights the torch, or not. It stays so when the camera is opened again. */
  torch(lit: boolean): Promise<void> {
    this.#torch = lit;
    return this.#apply();
  }

  zoom(factor: number): Promise<void> {
    this.#zoom = factor;
    return this.#apply();
  }

  async #apply(): Promise<void> {
    const can = this.#capabilities();
    const wish: Record<string, unknown> = {};
    if (can.torch) wish['torch'] = this.#torch;
    if (can.zoom && this.#zoom !== undefined) wish['zoom'] = this.#zoom;
    if (can.focusMode?.includes('continuous')) wish['focusMode'] = 'continuous';
    // A camera that says it can and cannot is used as it is.
    await this.#track?.applyConstraints({ advanced: [wish as MediaTrackConstraintSet] }).catch(() => undefined);
  }
}

/** Calls `take` with each new frame's time until it is stopped. `take` may be called more seldom than there are frames. */
export function eachFrame(video: HTMLVideoElement, take: (at: number) => void): () => void {
  let stopped = false;
  const next = (at: number) => {
    if (stopped) return;
    take(at);
    wait();
  };
  const wait = () => {
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
  };
  wait();
  return () => {
    stopped = true;
  };
}
