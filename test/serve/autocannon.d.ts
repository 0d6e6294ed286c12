/** What tests use of autocannon, which has no types of its own. */
declare module 'autocannon' {
  interface Load {
    readonly url: string;
    readonly method: 'GET' | 'POST';
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly connections: number;
    /** Requests in all. */
    readonly amount: number;
    /** Seconds for an answer. */
    readonly timeout: number;
  }
  interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly statusCodeStats?: Readonly<Record<string, { readonly count: number }>>;
  }
  export default function autocannon(load: Load): Promise<Result>;
}
