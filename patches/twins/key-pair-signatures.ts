// key-pair-signatures.ts: the type of crypto.generateKeyPair's twin, which has an overload for each kind of key and of encoding: forty.
//
// It is `Signatures` (signatures.ts) for that one function, which would see only the last ten. Read it as a loop.

import type { Overloads } from './signatures.ts';

/** The twin of a function with up to forty overloads that return promises. */
export type ManyOverloads<F> = F extends {
  (...args: infer A0): infer R0;
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
  (...args: infer A7): infer R7;
  (...args: infer A8): infer R8;
  (...args: infer A9): infer R9;
  (...args: infer A10): infer R10;
  (...args: infer A11): infer R11;
  (...args: infer A12): infer R12;
  (...args: infer A13): infer R13;
  (...args: infer A14): infer R14;
  (...args: infer A15): infer R15;
  (...args: infer A16): infer R16;
  (...args: infer A17): infer R17;
  (...args: infer A18): infer R18;
  (...args: infer A19): infer R19;
  (...args: infer A20): infer R20;
  (...args: infer A21): infer R21;
  (...args: infer A22): infer R22;
  (...args: infer A23): infer R23;
  (...args: infer A24): infer R24;
  (...args: infer A25): infer R25;
  (...args: infer A26): infer R26;
  (...args: infer A27): infer R27;
  (...args: infer A28): infer R28;
  (...args: infer A29): infer R29;
  (...args: infer A30): infer R30;
  (...args: infer A31): infer R31;
  (...args: infer A32): infer R32;
  (...args: infer A33): infer R33;
  (...args: infer A34): infer R34;
  (...args: infer A35): infer R35;
  (...args: infer A36): infer R36;
  (...args: infer A37): infer R37;
  (...args: infer A38): infer R38;
  (...args: infer A39): infer R39;
}
  ? [
      [A0, R0],
      [A1, R1],
      [A2, R2],
      [A3, R3],
      [A4, R4],
      [A5, R5],
      [A6, R6],
      [A7, R7],
      [A8, R8],
      [A9, R9],
      [A10, R10],
      [A11, R11],
      [A12, R12],
      [A13, R13],
      [A14, R14],
      [A15, R15],
      [A16, R16],
      [A17, R17],
      [A18, R18],
      [A19, R19],
      [A20, R20],
      [A21, R21],
      [A22, R22],
      [A23, R23],
      [A24, R24],
      [A25, R25],
      [A26, R26],
      [A27, R27],
      [A28, R28],
      [A29, R29],
      [A30, R30],
      [A31, R31],
      [A32, R32],
      [A33, R33],
      [A34, R34],
      [A35, R35],
      [A36, R36],
      [A37, R37],
      [A38, R38],
      [A39, R39],
    ] extends infer S
    ? Overloads<S, 'promise', 'wait'>
    : never
  : never;
