// bad-argument.ts: the errors for arguments that cannot be: JavaScript's own classes, because that is what they are everywhere else, with a code.
//
// The codes are Node's: ERR_INVALID_ARG_TYPE and ERR_OUT_OF_RANGE, or a more telling one of Node's where it has one (ERR_SOCKET_BAD_PORT).

/** A TypeError with a `code`. */
export function typeError(message: string, code = 'ERR_INVALID_ARG_TYPE', options?: ErrorOptions): TypeError {
  return Object.assign(new TypeError(message, options), { code });
}

/** A RangeError with a `code`. */
export function rangeError(message: string, code = 'ERR_OUT_OF_RANGE'): RangeError {
  return Object.assign(new RangeError(message), { code });
}
