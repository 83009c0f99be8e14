// bpf(2): commands, program and attachment kinds, and the parts of union bpf_attr that runt fills (include/uapi/linux/bpf.h).

export const BPF = {
  PROG_LOAD: 5,
  PROG_ATTACH: 8,
  PROG_DETACH: 9,
  PROG_GET_FD_BY_ID: 13,
  PROG_QUERY: 16,
} as const

export const BPF_PROG_TYPE_CGROUP_DEVICE = 15
export const BPF_CGROUP_DEVICE = 6

/** All programs on the way from a cgroup to the root are asked, and all must allow. */
export const BPF_F_ALLOW_MULTI = 0x2

/** struct bpf_cgroup_dev_ctx: u32 access_type (access << 16 | kind), u32 major, u32 minor. */
export const BPF_DEVCG = {
  ACC_MKNOD: 1,
  ACC_READ: 2,
  ACC_WRITE: 4,
  DEV_BLOCK: 1,
  DEV_CHAR: 2,
  CTX_ACCESS_TYPE: 0,
  CTX_MAJOR: 4,
  CTX_MINOR: 8,
} as const

/** Enough for every command here; the kernel wants the rest to be zero. */
const ATTR_SIZE = 128

/** union bpf_attr for BPF_PROG_LOAD of a cgroup device program. Addresses are of memory that doesn't move. */
export function bpfLoadAttr(program: {
  readonly instructions: bigint
  readonly count: number
  readonly license: bigint
  readonly log: { readonly address: bigint; readonly size: number } | undefined
}): Uint8Array {
  return attr((view) => {
    view.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true)
    view.setUint32(4, program.count, true)
    view.setBigUint64(8, program.instructions, true)
    view.setBigUint64(16, program.license, true)
    if (program.log !== undefined) {
      view.setUint32(24, 1, true) // log_level
      view.setUint32(28, program.log.size, true)
      view.setBigUint64(32, program.log.address, true)
    }
    view.setUint32(68, BPF_CGROUP_DEVICE, true) // expected_attach_type
  })
}

/** union bpf_attr for BPF_PROG_ATTACH and BPF_PROG_DETACH. */
export function bpfAttachAttr(directory: number, program: number, flags: number): Uint8Array {
  return attr((view) => {
    view.setUint32(0, directory, true)
    view.setUint32(4, program, true)
    view.setUint32(8, BPF_CGROUP_DEVICE, true)
    view.setUint32(12, flags, true)
  })
}

/** union bpf_attr for BPF_PROG_QUERY; the kernel leaves the number of ids at BPF_QUERY_COUNT. */
export function bpfQueryAttr(directory: number, ids: bigint, room: number): Uint8Array {
  return attr((view) => {
    view.setUint32(0, directory, true)
    view.setUint32(4, BPF_CGROUP_DEVICE, true)
    view.setBigUint64(16, ids, true)
    view.setUint32(BPF_QUERY_COUNT, room, true)
  })
}

export const BPF_QUERY_COUNT = 24

/** union bpf_attr for BPF_PROG_GET_FD_BY_ID. */
export function bpfIdAttr(id: number): Uint8Array {
  return attr((view) => view.setUint32(0, id, true))
}

function attr(fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(ATTR_SIZE)
  fill(new DataView(bytes.buffer))
  return bytes
}
