/** Environment variables, as `process.env` holds them. A type of our own: those who install this package need not have Node's. */
export type Environment = Readonly<Record<string, string | undefined>>;
