// NUMA memory policies: numbers of set_mempolicy(2). include/uapi/linux/mempolicy.h

export const MEMORY_POLICY_MODES = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
} as const

export type MemoryPolicyMode = keyof typeof MEMORY_POLICY_MODES

export const MEMORY_POLICY_FLAGS = {
  MPOL_F_NUMA_BALANCING: 0x2000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_STATIC_NODES: 0x8000,
} as const

export type MemoryPolicyFlag = keyof typeof MEMORY_POLICY_FLAGS
