// Registers of arm64 by their numbers in instructions.

export const X0 = 0
export const X1 = 1
export const X2 = 2
export const X3 = 3
export const X4 = 4
export const X5 = 5
export const X8 = 8
export const X9 = 9
export const X16 = 16
export const X19 = 19
export const X20 = 20
export const X21 = 21
export const X22 = 22
export const X30 = 30
/** The zero register, where the instruction doesn't take it for the stack pointer. */
export const XZR = 31
