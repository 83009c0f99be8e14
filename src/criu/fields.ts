// How a message is described: a table of its fields, by name and number. wire.ts turns messages into bytes and back.

export type Scalar = 'int32' | 'uint32' | 'uint64' | 'bool' | 'string' | 'bytes'

export interface Field {
  readonly number: number
  readonly type: Scalar | Fields
  readonly repeated: boolean
}

export interface Fields {
  readonly [name: string]: Field
}

export const one = <T extends Scalar | Fields>(number: number, type: T) => ({ number, type, repeated: false }) as const
export const many = <T extends Scalar | Fields>(number: number, type: T) => ({ number, type, repeated: true }) as const

interface Values {
  readonly int32: number
  readonly uint32: number
  readonly uint64: bigint
  readonly bool: boolean
  readonly string: string
  readonly bytes: Uint8Array
}

type ValueOf<T> = T extends Scalar ? Values[T] : T extends Fields ? Message<T> : never

/** A message of a table's fields; what is undefined is left out. */
export type Message<F extends Fields> = {
  readonly [Name in keyof F]?:
    | (F[Name]['repeated'] extends true ? readonly ValueOf<F[Name]['type']>[] : ValueOf<F[Name]['type']>)
    | undefined
}
