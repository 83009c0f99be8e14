// Test-only: an interpreter for the classic BPF that seccomp allows, by the kernel's documentation (networking/filter) and not
// by the assembler or libseccomp.

const SIZE = 8
const WORDS = 16

/**
 * Run a program.
 * @param data what absolute loads read, in 32-bit words of this machine's order: struct seccomp_data
 * @returns what it returns
 * @throws Error for what the kernel refuses: unknown opcodes, loads out of bounds, a run off the end
 */
export function runClassic(program: Uint8Array, data: Uint8Array): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const input = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const memory = new Uint32Array(WORDS)
  let [a, x] = [0, 0]
  const count = program.length / SIZE
  for (let at = 0; at < count; at++) {
    const code = view.getUint16(at * SIZE, true)
    const [then, otherwise] = [view.getUint8(at * SIZE + 2), view.getUint8(at * SIZE + 3)]
    const k = view.getUint32(at * SIZE + 4, true)
    const operand = (code & 0x08) === 0 ? k : x
    const jump = (holds: boolean): void => {
      at += holds ? then : otherwise
    }
    switch (code) {
      case 0x20:
        if (k % 4 !== 0 || k + 4 > data.length) throw new Error(`instruction ${at}: a load from ${k}`)
        a = input.getUint32(k, true)
        break
      case 0x80:
        a = data.length
        break
      case 0x00:
        a = k
        break
      case 0x01:
        x = k
        break
      case 0x60:
        a = memory[k] ?? 0
        break
      case 0x61:
        x = memory[k] ?? 0
        break
      case 0x02:
        memory[k] = a
        break
      case 0x03:
        memory[k] = x
        break
      case 0x07:
        x = a
        break
      case 0x87:
        a = x
        break
      case 0x54:
      case 0x5c:
        a = (a & operand) >>> 0
        break
      case 0x05:
        at += k
        break
      case 0x15:
      case 0x1d:
        jump(a === operand)
        break
      case 0x25:
      case 0x2d:
        jump(a > operand)
        break
      case 0x35:
      case 0x3d:
        jump(a >= operand)
        break
      case 0x45:
      case 0x4d:
        jump((a & operand) !== 0)
        break
      case 0x06:
        return k
      case 0x16:
        return a
      default:
        throw new Error(`instruction ${at}: opcode 0x${code.toString(16)}`)
    }
  }
  throw new Error('ran off the end')
}
