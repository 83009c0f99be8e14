// An assembler for classic BPF (include/uapi/linux/filter.h): the instructions that runt's seccomp programs use, a row each.

import { distance, type Label, placeLabels } from './labels.ts'

export interface ClassicInstruction {
  readonly code: number
  readonly k: number
  /** The label that a jump goes to when its condition holds, and when not: else it goes on. */
  readonly to?: string | undefined
  readonly otherwise?: string | undefined
}

// code = class | size or operation | mode or source
const CLASS = { LD: 0x00, JMP: 0x05, RET: 0x06 } as const
const MODE_ABS = 0x20
const JUMP = { JA: 0x00, JEQ: 0x10, JGT: 0x20, JGE: 0x30 } as const

/** A = *(u32 *)(data + offset) */
export const ldAbs = (offset: number): ClassicInstruction => ({ code: CLASS.LD | MODE_ABS, k: offset })

/** if A == k, goto to, else goto otherwise */
export const jeq = (k: number, to: string, otherwise?: string): ClassicInstruction => ({
  code: CLASS.JMP | JUMP.JEQ,
  k,
  to,
  otherwise,
})

/** if A > k, unsigned, goto to */
export const jgt = (k: number, to: string): ClassicInstruction => ({ code: CLASS.JMP | JUMP.JGT, k, to })

/** if A >= k, unsigned, goto to, else goto otherwise */
export const jge = (k: number, to: string, otherwise?: string): ClassicInstruction => ({
  code: CLASS.JMP | JUMP.JGE,
  k,
  to,
  otherwise,
})

/** goto to */
export const ja = (to: string): ClassicInstruction => ({ code: CLASS.JMP | JUMP.JA, k: 0, to })

/** return k */
export const ret = (k: number): ClassicInstruction => ({ code: CLASS.RET, k })

/** An instruction of somebody else's. */
export const raw = (code: number, k: number, to?: string, otherwise?: string): ClassicInstruction => ({
  code,
  k,
  to,
  otherwise,
})

/** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k */
export const CLASSIC_SIZE = 8
const FARTHEST = 255

/**
 * Bytes as the kernel takes them on a little-endian machine. A label may stand at the very end: what follows is another's.
 * @throws RangeError for a label that is missing, stands twice, lies behind, or is further away than its jump reaches
 */
export function assembleClassic(items: readonly (ClassicInstruction | Label)[]): Uint8Array {
  const { instructions, places } = placeLabels<ClassicInstruction>(items)
  const bytes = new Uint8Array(instructions.length * CLASSIC_SIZE)
  const view = new DataView(bytes.buffer)
  for (const [index, { code, k, to, otherwise }] of instructions.entries()) {
    const always = code === (CLASS.JMP | JUMP.JA)
    const jump = (label: string | undefined): number => {
      const far = label === undefined ? 0 : distance(places, label, index)
      if (far < 0 || (far > FARTHEST && !always)) throw new RangeError(`label ${label} is behind or too far away`)
      return far
    }
    view.setUint16(index * CLASSIC_SIZE, code, true)
    view.setUint8(index * CLASSIC_SIZE + 2, always ? 0 : jump(to))
    view.setUint8(index * CLASSIC_SIZE + 3, jump(otherwise))
    view.setUint32(index * CLASSIC_SIZE + 4, always ? jump(to) : k, true)
  }
  return bytes
}
