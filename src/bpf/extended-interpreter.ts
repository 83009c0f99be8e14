// Test-only: an interpreter for the eBPF instructions that extended.ts emits, by RFC 9669 and not by the assembler.

/**
 * Run a program.
 * @param context what r1 points to; only aligned 32-bit loads from it are allowed
 * @returns r0
 * @throws Error for what the kernel's verifier would refuse: unknown opcodes, reads before writes, jumps out, loops, no exit
 */
export function runExtended(program: Uint8Array, context: Uint8Array): bigint {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const memory = new DataView(context.buffer, context.byteOffset, context.byteLength)
  const registers: (bigint | 'context' | undefined)[] = [undefined, 'context']
  const count = program.length / 8
  for (let at = 0; at < count; ) {
    const opcode = view.getUint8(at * 8)
    const dst = view.getUint8(at * 8 + 1) & 0xf
    const src = view.getUint8(at * 8 + 1) >> 4
    const offset = view.getInt16(at * 8 + 2, true)
    const imm = view.getInt32(at * 8 + 4, true)
    const value = (register: number): bigint => {
      const held = registers[register]
      if (typeof held !== 'bigint') throw new Error(`instruction ${at}: r${register} holds no number`)
      return held
    }
    const low = (register: number): number => Number(value(register) & 0xffffffffn)
    const jumpIf = (condition: boolean): void => {
      if (offset < 0) throw new Error(`instruction ${at}: a jump back`)
      if (condition) at += offset
    }
    switch (opcode) {
      case 0x61: {
        if (registers[src] !== 'context') throw new Error(`instruction ${at}: a load from nowhere`)
        if (offset % 4 !== 0) throw new Error(`instruction ${at}: not aligned`)
        registers[dst] = BigInt(memory.getUint32(offset, true))
        break
      }
      case 0xbf:
        registers[dst] = value(src)
        break
      case 0xb7:
        registers[dst] = BigInt.asUintN(64, BigInt(imm))
        break
      case 0x57:
        registers[dst] = value(dst) & BigInt.asUintN(64, BigInt(imm))
        break
      case 0x77:
        registers[dst] = value(dst) >> BigInt(imm & 63)
        break
      case 0x05:
        jumpIf(true)
        break
      case 0x56:
        jumpIf(low(dst) !== imm >>> 0)
        break
      case 0x46:
        jumpIf((low(dst) & imm) !== 0)
        break
      case 0x95:
        return value(0)
      default:
        throw new Error(`instruction ${at}: opcode 0x${opcode.toString(16)}`)
    }
    at++
  }
  throw new Error('ran off the end')
}
