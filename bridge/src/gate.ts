/** So many requests at once and no more: the others wait in one line, first come first served, up to a limit. */
import { overloaded, type BridgeError } from "./errors.ts";

interface Waiter {
  enter: () => void;
  refuse: (error: BridgeError) => void;
}

export class Gate {
  #places: number;
  #longestLine: number;
  #taken = 0;
  #line: Waiter[] = [];

  constructor(places: number, longestLine: number) {
    this.#places = places;
    this.#longestLine = longestLine;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Resolves with a place taken; rejects when the line is full or the signal fires, with the signal's reason. */
  async enter(signal: AbortSignal): Promise<void> {
    if (this.#taken < this.#places) this.#taken += 1;
    else await this.#wait(signal);
    if (!signal.aborted) return;
    this.leave();
    throw signal.reason;
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#line.length >= this.#longestLine) {
      throw overloaded(`All ${this.#places} claude processes are busy and the queue is full. Try again soon.`, 1);
    }
    return new Promise((enter, refuse) => {
      const waiter: Waiter = { enter, refuse };
      this.#line.push(waiter);
      const giveUp = () => {
        this.#line = this.#line.filter((other) => other !== waiter);
        refuse(signal.reason as BridgeError);
      };
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Hands the place to the next in the line, or gives it back. */
  leave(): void {
    const next = this.#line.shift();
    if (next) next.enter();
    else this.#taken -= 1;
  }

  /** Sends everybody in the line away. */
  dismiss(error: BridgeError): void {
    for (const waiter of this.#line.splice(0)) waiter.refuse(error);
  }
}
