// key-pair-signatures.ts: the type of crypto.generateKeyPair's twin, which has an overload for each kind of key and of encoding: forty and more.
//
// It is `Twin` (signatures.ts) for that one function, of which it would see only the last ten. Read it as a loop: written as one over a list, it is too deep for the compiler.

import type { Waitable } from '../../core/op.ts';

/** The twin of a function with up to sixty-four overloads that return promises. */
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
  (...args: infer A40): infer R40;
  (...args: infer A41): infer R41;
  (...args: infer A42): infer R42;
  (...args: infer A43): infer R43;
  (...args: infer A44): infer R44;
  (...args: infer A45): infer R45;
  (...args: infer A46): infer R46;
  (...args: infer A47): infer R47;
  (...args: infer A48): infer R48;
  (...args: infer A49): infer R49;
  (...args: infer A50): infer R50;
  (...args: infer A51): infer R51;
  (...args: infer A52): infer R52;
  (...args: infer A53): infer R53;
  (...args: infer A54): infer R54;
  (...args: infer A55): infer R55;
  (...args: infer A56): infer R56;
  (...args: infer A57): infer R57;
  (...args: infer A58): infer R58;
  (...args: infer A59): infer R59;
  (...args: infer A60): infer R60;
  (...args: infer A61): infer R61;
  (...args: infer A62): infer R62;
  (...args: infer A63): infer R63;
}
  ? Waits<A0, R0> &
      Waits<A1, R1> &
      Waits<A2, R2> &
      Waits<A3, R3> &
      Waits<A4, R4> &
      Waits<A5, R5> &
      Waits<A6, R6> &
      Waits<A7, R7> &
      Waits<A8, R8> &
      Waits<A9, R9> &
      Waits<A10, R10> &
      Waits<A11, R11> &
      Waits<A12, R12> &
      Waits<A13, R13> &
      Waits<A14, R14> &
      Waits<A15, R15> &
      Waits<A16, R16> &
      Waits<A17, R17> &
      Waits<A18, R18> &
      Waits<A19, R19> &
      Waits<A20, R20> &
      Waits<A21, R21> &
      Waits<A22, R22> &
      Waits<A23, R23> &
      Waits<A24, R24> &
      Waits<A25, R25> &
      Waits<A26, R26> &
      Waits<A27, R27> &
      Waits<A28, R28> &
      Waits<A29, R29> &
      Waits<A30, R30> &
      Waits<A31, R31> &
      Waits<A32, R32> &
      Waits<A33, R33> &
      Waits<A34, R34> &
      Waits<A35, R35> &
      Waits<A36, R36> &
      Waits<A37, R37> &
      Waits<A38, R38> &
      Waits<A39, R39> &
      Waits<A40, R40> &
      Waits<A41, R41> &
      Waits<A42, R42> &
      Waits<A43, R43> &
      Waits<A44, R44> &
      Waits<A45, R45> &
      Waits<A46, R46> &
      Waits<A47, R47> &
      Waits<A48, R48> &
      Waits<A49, R49> &
      Waits<A50, R50> &
      Waits<A51, R51> &
      Waits<A52, R52> &
      Waits<A53, R53> &
      Waits<A54, R54> &
      Waits<A55, R55> &
      Waits<A56, R56> &
      Waits<A57, R57> &
      Waits<A58, R58> &
      Waits<A59, R59> &
      Waits<A60, R60> &
      Waits<A61, R61> &
      Waits<A62, R62> &
      Waits<A63, R63>
  : never;

type Waits<A, R> = A extends readonly unknown[]
  ? R extends Promise<infer T>
    ? (...args: A) => Waitable<T>
    : unknown
  : unknown;
