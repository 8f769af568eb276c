/** Version of this package, written into what it makes; the same as in package.json. */
export const VERSION: string = '0.1.0';
