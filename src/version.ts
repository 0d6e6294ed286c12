/** The version of this package, which browsers cannot read from package.json. */
export const VERSION = '0.1.0';
