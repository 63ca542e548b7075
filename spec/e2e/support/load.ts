import { inject } from 'vitest';
import type { Answer, Api } from './api.ts';

/** What may be answered while something is broken: what was asked for, or that it has to be asked again. */
export function isAcceptable(answer: Answer, expected: readonly number[]): boolean {
  if (expected.includes(answer.status)) return true;
  return answer.status === 503 && answer.headers['retry-after'] !== undefined;
}

/** Clients that make an instance, look at it, and destroy it, again and again, and ask again whatever was refused. */
export class Load {
  /** Answers that no client should have got. */
  readonly wrong: string[] = [];
  /** How many requests were answered, and how many of them had to be asked again. */
  answered = 0;
  refused = 0;
  readonly #api: Api;
  readonly #clients: Promise<void>[];
  #stopping = false;

  constructor(api: Api, clients: number) {
    this.#api = api;
    this.#clients = Array.from({ length: clients }, () => this.#work());
  }

  /** Resolves when every client has destroyed what it had. Everything has to work again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  async #work(): Promise<void> {
    const body = { data: { type: 'instances', attributes: { image_id: inject('e2e').imageId } } };
    while (!this.#stopping) {
      const made = await this.#ask('POST', '/instances', [201], body);
      if (made.status !== 201) continue;
      const path = `/instances/${(made.json as { data: { id: string } }).data.id}`;
      for (let round = 0; round < 3; round++) {
        await this.#ask('GET', path, [200]);
        await this.#ask('GET', `/images/${inject('e2e').imageId}`, [200]);
        await this.#ask('GET', '/instances', [200]);
      }
      // One that was refused may have been carried out.
      let gone = await this.#ask('DELETE', path, [204]);
      while (gone.status === 503) gone = await this.#ask('DELETE', path, [204, 404]);
    }
  }

  async #ask(method: string, path: string, expected: readonly number[], body?: unknown): Promise<Answer> {
    const answer = await this.#api.send(method, path, body === undefined ? {} : { body });
    this.answered++;
    if (!isAcceptable(answer, expected))
      this.wrong.push(`${method} ${path}: ${answer.status} ${answer.text}`);
    if (answer.status === 503) this.refused++;
    return answer;
  }
}
