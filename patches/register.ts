// register.ts: `node --import tendril/patches/register app.js`: patches before anything of the program loads.
//
// The one module of this package that does something by being imported.

export {};
