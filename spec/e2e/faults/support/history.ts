import type { Answer } from '../../support/api.ts';

/** One request, from the moment it was sent to the moment of its answer. */
interface Event {
  kind: 'create' | 'destroy' | 'get' | 'list';
  id?: number;
  sent: number;
  answered: number;
  answer: Answer;
}

/**
 * What clients at work at the same time were told, and whether it fits together: every answer has to be one that is right at some
 * moment between request and answer (Herlihy and Wing, "Linearizability", 1990).
 */
export class History {
  readonly #events: Event[] = [];
  #clock = 0;

  create(send: () => Promise<Answer>): Promise<void> {
    return this.#record('create', undefined, send);
  }

  destroy(id: number, send: () => Promise<Answer>): Promise<void> {
    return this.#record('destroy', id, send);
  }

  get(id: number, send: () => Promise<Answer>): Promise<void> {
    return this.#record('get', id, send);
  }

  list(send: () => Promise<Answer>): Promise<void> {
    return this.#record('list', undefined, send);
  }

  /** Ids of all that were made so far. */
  listCreated(): number[] {
    return this.#events.filter(isCreation).flatMap(({ id }) => id ?? []);
  }

  /** Ids of those that nobody has destroyed, ascending. */
  listAlive(): number[] {
    const destroyed = new Set(this.#events.filter(isDestruction).map(({ id }) => id));
    return this.listCreated()
      .filter((id) => !destroyed.has(id))
      .sort((a, b) => a - b);
  }

  /** A line for each answer that cannot be. */
  findContradictions(): string[] {
    const created = this.listCreated();
    const twice = created.filter((id, index) => created.indexOf(id) !== index);
    return [
      ...twice.map((id) => `two creations made instance ${id}`),
      ...this.#events.flatMap((event) => this.#judge(event)),
    ];
  }

  async #record(kind: Event['kind'], id: number | undefined, send: () => Promise<Answer>): Promise<void> {
    const sent = this.#clock++;
    const answer = await send();
    const made = kind === 'create' && answer.status === 201 ? readIds(answer)[0] : id;
    this.#events.push({
      kind,
      ...(made !== undefined && { id: made }),
      sent,
      answered: this.#clock++,
      answer,
    });
  }

  #judge(event: Event): string[] {
    const { kind, id, answer } = event;
    const allowed = { create: [201], destroy: [204, 404], get: [200, 404], list: [200] }[kind];
    if (!allowed.includes(answer.status)) {
      return [`${kind} ${id ?? ''} was answered ${answer.status} ${answer.text}`];
    }
    if (kind === 'list') return this.#judgeList(event);
    if (kind === 'create' || id === undefined) return [];
    // Two destructions at once may both be told that it is done.
    if (answer.status === 404 && !this.#mayBeGone(id, event))
      return [`${kind} ${id}: 404 while it was there`];
    if (answer.status !== 404 && this.#mustBeGone(id, event)) return [`${kind} ${id}: it had been destroyed`];
    return [];
  }

  #judgeList(event: Event): string[] {
    const listed = new Set(readIds(event.answer));
    return this.#events.filter(isCreation).flatMap(({ id = 0, answered }) => {
      if (listed.has(id) && this.#mustBeGone(id, event)) return [`list: ${id} had been destroyed`];
      const there = answered < event.sent && !this.#mayBeGone(id, event);
      return !listed.has(id) && there ? [`list: ${id} was there, and is missing`] : [];
    });
  }

  /** Whether somebody had begun to destroy it before the answer. */
  #mayBeGone(id: number, { answered }: Event): boolean {
    return this.#events.some((other) => isDestruction(other) && other.id === id && other.sent < answered);
  }

  /** Whether somebody had been told that it is destroyed before the request. */
  #mustBeGone(id: number, { sent }: Event): boolean {
    return this.#events.some((other) => isDestruction(other) && other.id === id && other.answered < sent);
  }
}

function isCreation({ kind, answer }: Event): boolean {
  return kind === 'create' && answer.status === 201;
}

function isDestruction({ kind, answer }: Event): boolean {
  return kind === 'destroy' && answer.status === 204;
}

/** Ids of the document's data, whether that is one or many. */
function readIds({ json }: Answer): number[] {
  const { data } = json as { data: { id: string } | { id: string }[] };
  return [data].flat().map(({ id }) => Number(id));
}
