// Every instruction row of both machines, over registers and boundary operands, against GNU as. The assembler's text is
// made from the row's name, so a row that this file doesn't understand fails.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as arm64 from '../src/machine/arm64/instructions.ts'
import { Assembler } from '../src/machine/assembler.ts'
import * as x64 from '../src/machine/x64/instructions.ts'

/** One operand as the row takes it, and as the assembler reads it. */
interface Operand {
  readonly numbers: readonly number[]
  readonly text: string
  /** Bytes from the instruction's start (arm64) or its end (x64) to the label that the row is to be given. */
  readonly distance?: number
}

interface Machine {
  readonly name: string
  readonly rows: Readonly<Record<string, unknown>>
  readonly assembler: readonly string[]
  readonly objcopy: string
  readonly header: string
  readonly kinds: Readonly<Record<string, readonly Operand[]>>
  readonly countsFrom: 'start' | 'end'
  /** The line for a row's mnemonic and its operands' texts. */
  line(row: string, mnemonic: string, operands: readonly string[]): string
  /** Encodings that as replaces by a shorter one, which has a row of its own. */
  isReplaced(row: string, numbers: readonly number[]): boolean
}

type Row = (asm: Assembler, ...operands: number[]) => void

const plain = (values: readonly number[], text: (value: number) => string): Operand[] =>
  values.map((value) => ({ numbers: [value], text: text(value) }))

const R64 = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ')
const R32 = 'eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d'.split(' ')
const R16 = 'ax cx dx bx sp bp si di r8w r9w r10w r11w r12w r13w r14w r15w'.split(' ')
const R8 = 'al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b'.split(' ')
const IMM8 = [-128, -100, -2, -1, 0, 1, 2, 24, 32, 63, 126, 127]
/** What as doesn't encode as imm8. */
const IMM32 = [-0x80000000, -65536, -4095, -129, 128, 255, 4096, 0x12345678, 0x7fffffff]
const DISPLACEMENTS = [0, 1, 127, 128, -1, -128, -129, 4096, 0x7fffffff, -0x80000000]

function x64Memory(size: string): Operand[] {
  return R64.flatMap((name, base) =>
    DISPLACEMENTS.map((displacement) => ({
      numbers: [base, displacement],
      text: `${size}[${name}${displacement < 0 ? '' : '+'}${displacement}]`,
    })),
  )
}

const x64Labels = (distances: readonly number[]): Operand[] =>
  distances.map((distance) => ({ numbers: [], text: `${distance}`, distance }))

const X64_CONDITIONS: Readonly<Record<keyof typeof x64.CONDITIONS, string>> = {
  below: 'b',
  atLeast: 'ae',
  eq: 'e',
  ne: 'ne',
  atMost: 'be',
  above: 'a',
  positive: 'ns',
  less: 'l',
  notLess: 'ge',
  notGreater: 'le',
  greater: 'g',
}

const X64: Machine = {
  name: 'x86-64',
  rows: x64.x64,
  assembler: ['as', '--64'],
  objcopy: 'objcopy',
  header: '.intel_syntax noprefix\n',
  countsFrom: 'end',
  kinds: {
    r64: plain(
      R64.map((_, number) => number),
      (number) => R64[number] ?? '',
    ),
    r32: plain(
      R32.map((_, number) => number),
      (number) => R32[number] ?? '',
    ),
    r16: plain(
      R16.map((_, number) => number),
      (number) => R16[number] ?? '',
    ),
    r8: plain(
      R8.map((_, number) => number),
      (number) => R8[number] ?? '',
    ),
    cl: [{ numbers: [], text: 'cl' }],
    eax: [{ numbers: [], text: 'eax' }],
    rax: [{ numbers: [], text: 'rax' }],
    imm8: plain(IMM8, String),
    imm32: plain(IMM32, String),
    simm32: plain([...IMM32, ...IMM8], String),
    imm64: [
      [0, 1],
      [0xffffffff, 0x7fffffff],
      [0x9abcdef0, 0x12345678],
      [0, 0x80000000],
      [1, 0xffffffff],
    ].map(([low = 0, high = 0]) => ({
      numbers: [low, high],
      text: `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`,
    })),
    m8: x64Memory('byte ptr '),
    m16: x64Memory('word ptr '),
    m32: x64Memory('dword ptr '),
    m64: x64Memory('qword ptr '),
    m: x64Memory(''),
    rip: x64Labels([0, -1, 127, 128, -129, 0x7fffffff, -0x80000000]),
    rel8: x64Labels([0, 1, -2, 127, -128]),
    rel32: x64Labels([0, 128, -129, 0x12345678, 0x7ffff000, -0x7ffff000]),
    cc: Object.entries(x64.CONDITIONS).map(([name, number]) => ({
      numbers: [number],
      text: X64_CONDITIONS[name as keyof typeof x64.CONDITIONS], // its keys, by Object.entries
    })),
  },
  line(row, mnemonic, operands) {
    if (row === 'lea_r64_rip') return `lea ${operands[0]}, [rip + ${operands[1]}]`
    if (!row.includes('_rel')) return `${mnemonic} ${operands.join(', ')}`
    const name = mnemonic === 'jcc' ? `j${operands[0]}` : mnemonic
    const isLong = row.endsWith('rel32')
    const size = isLong ? (mnemonic === 'jcc' ? 6 : 5) : 2
    return `${isLong ? '{disp32} ' : ''}${name} . + ${size} + ${operands.at(-1)}`
  },
  isReplaced(row, numbers) {
    if (row === 'and_r32_imm32') return numbers[0] === 0
    return row === 'shl_r64_imm8' && (numbers[1] === 1 || (numbers[1] ?? 0) < 0)
  },
}

const FEW_REGISTERS = [0, 1, 2, 7, 8, 15, 16, 19, 20, 29, 30]
const IMM12 = [0, 1, 2, 24, 127, 128, 2048, 4094, 4095]

const arm64Register = (letter: string): Operand[] => plain(FEW_REGISTERS, (number) => `${letter}${number}`)

function arm64Memory(size: number): Operand[] {
  return FEW_REGISTERS.flatMap((base) =>
    [0, 1, 2, 31, 255, 2048, 4095].map((units) => ({
      numbers: [base, units * size],
      text: `[x${base}, #${units * size}]`,
    })),
  )
}

/** DecodeBitMasks of the Arm manual, written from its definition; undefined for the reserved encodings. */
function decodeBitmask(bits: number): bigint | undefined {
  const [n, immr, imms] = [bits >> 12, (bits >> 6) & 0x3f, bits & 0x3f]
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f))
  if (length < 1) return undefined
  const size = 1 << length
  const [s, r] = [imms & (size - 1), immr & (size - 1)]
  if (s === size - 1 || immr >= size) return undefined
  let element = 0n
  for (let bit = 0; bit <= s; bit++) element |= 1n << BigInt((bit - r + size) % size)
  let result = 0n
  for (let shift = 0; shift < 64; shift += size) result |= element << BigInt(shift)
  return result
}

const BITMASKS: readonly { readonly bits: number; readonly value: bigint }[] = Array.from(
  { length: 1 << 13 },
  (_, bits) => ({ bits, value: decodeBitmask(bits) }),
).flatMap(({ bits, value }) => (value === undefined ? [] : [{ bits, value }]))

const arm64Labels = (distances: readonly number[]): Operand[] =>
  distances.map((distance) => ({ numbers: [], text: `. + ${distance}`, distance }))

const ARM64_CONDITIONS: Readonly<Record<keyof typeof arm64.CONDITIONS, string>> = {
  eq: 'eq',
  ne: 'ne',
  atLeast: 'hs',
  below: 'lo',
  positive: 'pl',
  above: 'hi',
  atMost: 'ls',
  notLess: 'ge',
  less: 'lt',
  greater: 'gt',
  notGreater: 'le',
}

const ARM64: Machine = {
  name: 'arm64',
  rows: arm64.arm64,
  assembler: ['aarch64-linux-gnu-as'],
  objcopy: 'aarch64-linux-gnu-objcopy',
  header: '',
  countsFrom: 'start',
  kinds: {
    x: arm64Register('x'),
    w: arm64Register('w'),
    imm12: plain(IMM12, (value) => `#${value}`),
    imm16: plain([0, 1, 0xff, 0x8000, 0xfffe, 0xffff], (value) => `#${value}`),
    hw: plain([0, 1, 2, 3], (value) => `lsl #${16 * value}`),
    lsl12: [{ numbers: [], text: 'lsl #12' }],
    bitmask: BITMASKS.map(({ bits, value }) => ({ numbers: [bits], text: `#0x${value.toString(16)}` })),
    m8: arm64Memory(1),
    m16: arm64Memory(2),
    m32: arm64Memory(4),
    m64: arm64Memory(8),
    distance: plain([0, 4, -4, 1, 3, 0xffffc, 0xfffff, -0x100000], (value) => `. + ${value}`),
    adr: arm64Labels([0, 4, -4, 1, 3, 0xfffff, -0x100000]),
    b: arm64Labels([0, 4, -4, 0x7fffffc, -0x8000000]),
    bl: arm64Labels([0, 4, -4, 0x7fffffc, -0x8000000]),
    bcc: arm64Labels([0, 4, -4, 0xffffc, -0x100000]),
    cc: Object.entries(arm64.CONDITIONS).map(([name, number]) => ({
      numbers: [number],
      text: ARM64_CONDITIONS[name as keyof typeof arm64.CONDITIONS], // its keys, by Object.entries
    })),
    cntvct_el0: [{ numbers: [], text: 'cntvct_el0' }],
    sp: [{ numbers: [], text: 'sp' }],
  },
  line(_, mnemonic, operands) {
    if (mnemonic === 'bcc') return `b.${operands.join(' ')}`
    return `${mnemonic} ${operands.join(', ')}`
  },
  isReplaced: (row, numbers) => row === 'movn_w_imm16_hw' && (numbers[2] ?? 0) > 1,
}

/** The kinds of a row's operands, from its name: mov_r32_imm32 takes an r32 and an imm32. */
function kindsOf(machine: Machine, row: string): string[] {
  const [mnemonic = '', ...kinds] = row.replace('cntvct_el0', 'cntvct').split('_')
  const spelled = kinds.map((kind) => (kind === 'label' ? mnemonic : kind === 'cntvct' ? 'cntvct_el0' : kind))
  for (const kind of spelled) if (!(kind in machine.kinds)) throw new Error(`${row}: no samples of ${kind}`)
  return mnemonic === 'jcc' || mnemonic === 'bcc' ? ['cc', ...spelled] : spelled
}

/** All registers with a few of the other operands, and all of those with one register: not the whole product. */
function combinations(lists: readonly (readonly Operand[])[]): Operand[][] {
  let rows: Operand[][] = [[]]
  for (const list of lists) {
    const isLarge = rows.length * list.length > 4000
    rows = rows.flatMap((row, index) =>
      (isLarge && index % 37 !== 0 ? list.filter((_, place) => (place + index) % 97 === 0) : list).map((operand) => [
        ...row,
        operand,
      ]),
    )
  }
  return rows
}

/** Bytes of one instruction. */
function encode(machine: Machine, row: Row, operands: readonly Operand[]): Uint8Array {
  const numbers = operands.flatMap((operand) => operand.numbers)
  const distance = operands.find((operand) => operand.distance !== undefined)?.distance
  const first = new Assembler(0x100000000, 16)
  if (distance === undefined) {
    row(first, ...numbers)
    return first.bytes.slice(0, first.length)
  }
  row(first, ...numbers, first.label())
  const asm = new Assembler(0x100000000, 16)
  const label = asm.label()
  asm.bind(label, asm.origin + distance + (machine.countsFrom === 'end' ? first.length : 0))
  row(asm, ...numbers, label)
  asm.resolve()
  return asm.bytes.slice(0, asm.length)
}

function assemble(machine: Machine, lines: readonly string[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'encoders-'))
  try {
    const [source, object, binary] = ['a.s', 'a.o', 'a.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ] // three names
    writeFileSync(source, `${machine.header}${lines.join('\n')}\n`)
    const [command = '', ...args] = machine.assembler
    for (const [name, ...rest] of [
      [command, ...args, '-o', object, source],
      [machine.objcopy, '-O', 'binary', object, binary],
    ] as const) {
      const { status, stderr } = spawnSync(name, rest, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${name}: ${stderr}`)
    }
    return readFileSync(binary)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function missingTool(machine: Machine): string | undefined {
  return [machine.assembler[0] ?? '', machine.objcopy].find((tool) => spawnSync(tool, ['--version']).status !== 0)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

for (const machine of [X64, ARM64]) {
  test(`${machine.name}: every row encodes as GNU as does`, () => {
    const missing = missingTool(machine)
    if (missing !== undefined) return console.log(`skipped: ${missing} is not installed`)
    const lines: string[] = []
    const encodings: Uint8Array[] = []
    for (const [name, row] of Object.entries(machine.rows)) {
      const mnemonic = name.split('_')[0] ?? ''
      let count = 0
      for (const operands of combinations(kindsOf(machine, name).map((kind) => machine.kinds[kind] ?? []))) {
        const numbers = operands.flatMap((operand) => operand.numbers)
        if (machine.isReplaced(name, numbers)) continue
        const texts = operands.map((operand) => operand.text)
        lines.push(machine.line(name, mnemonic, texts))
        encodings.push(encode(machine, row as Row, operands)) // kindsOf() has checked that all operands are numbers
        count++
      }
      assert.ok(count > 0, name)
    }
    const expected = assemble(machine, lines)
    let at = 0
    for (const [index, ours] of encodings.entries()) {
      assert.is(hex(ours), hex(expected.subarray(at, at + ours.length)), lines[index])
      at += ours.length
    }
    assert.is(at, expected.length)
    console.log(`${machine.name}: ${Object.keys(machine.rows).length} rows, ${lines.length} encodings`)
  })
}

test('logical immediates are found for exactly the numbers that have one', () => {
  const known = new Set<bigint>()
  for (const { bits, value } of BITMASKS) {
    known.add(value)
    assert.is(arm64.logicalImmediate(Number(value & 0xffffffffn), Number(value >> 32n)), bits, value.toString(16))
  }
  assert.is(known.size, 5334)
  for (const { value } of BITMASKS)
    for (const other of [value ^ 1n, value ^ (1n << 40n), value ^ 0x10001n]) {
      const found = arm64.logicalImmediate(Number(other & 0xffffffffn), Number(other >> 32n))
      assert.is(found !== undefined, known.has(other), other.toString(16))
    }
})

test('jumps that can not reach their label are refused', () => {
  const refused = (row: (asm: Assembler, label: number) => void, distance: number): void => {
    const asm = new Assembler(0x100000000, 16)
    const label = asm.label()
    asm.bind(label, asm.origin + distance)
    assert.throws(() => row(asm, label), /can't reach/)
  }
  refused(x64.x64.jmp_rel8, 130)
  refused(x64.x64.jmp_rel8, -127)
  refused(x64.x64.jmp_rel32, 0x80000005)
  refused(arm64.arm64.b_label, 0x8000000)
  refused((asm, label) => arm64.arm64.bcc_label(asm, 0, label), 0x100000)
  refused((asm, label) => arm64.arm64.adr_x_label(asm, 0, label), -0x100001)
})

test.run()
