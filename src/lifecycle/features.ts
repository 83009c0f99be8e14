// features: what this build understands, asked of the tables and checks that read config.json. It depends on nothing else:
// not on the host, not on a list of its own. features.md, features-linux.md

import { PROPERTY_PREFIX } from '../cgroup/systemd/annotations.ts'
import { UNSAFE_ANNOTATIONS } from '../config/annotations.ts'
import { SPEC_VERSION } from '../config/check-container.ts'
import type { OciConfig } from '../config/generated/oci.d.ts'
import { mountOptionNames } from '../config/mount-options.ts'
import { HOOK_KINDS } from '../config/types.ts'
import { findUnsupported } from '../config/unsupported.ts'
import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from '../linux/memory-policy.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { ACTIONS, ARCHITECTURE_NAMES, FLAGS, OPERATORS } from '../seccomp/names.ts'

/** What is known where runt is put together. */
export interface Build {
  readonly version: string
  readonly commit: string
  /** Is there a command of that name? */
  readonly checkpoint: boolean
}

/** Oldest version whose configs are understood. */
const OLDEST_SPEC = '1.0.0'

/** The features structure, as features.md has it. */
export function featuresOf({ version, commit, checkpoint }: Build): Readonly<Record<string, unknown>> {
  return {
    ociVersionMin: OLDEST_SPEC,
    ociVersionMax: SPEC_VERSION,
    hooks: HOOK_KINDS,
    mountOptions: mountOptionNames().filter((option) =>
      supports({ mounts: [{ destination: '/x', options: [option] }] }),
    ),
    linux: linuxFeatures(),
    annotations: {
      'runt.version': version,
      'runt.commit': commit,
      // Engines ask for this one by the name that runc gave it.
      'org.opencontainers.runc.checkpoint.enabled': `${checkpoint}`,
    },
    // Annotations of a config that change what runt does.
    potentiallyUnsafeConfigAnnotations: [...UNSAFE_ANNOTATIONS, PROPERTY_PREFIX],
  }
}

function linuxFeatures(): Readonly<Record<string, unknown>> {
  const process = { cwd: '/', args: ['x'] }
  const mappings = [{ containerID: 0, hostID: 1, size: 1 }]
  return {
    namespaces: Object.keys(NAMESPACES).sort(),
    capabilities: CAPABILITY_NAMES,
    cgroup: {
      v1: true,
      v2: true,
      systemd: true,
      systemdUser: true,
      rdma: supports({ linux: { resources: { rdma: { x: { hcaHandles: 1 } } } } }),
    },
    seccomp: {
      enabled: supports({ linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } } }),
      actions: Object.keys(ACTIONS).sort(),
      operators: Object.keys(OPERATORS).sort(),
      archs: ARCHITECTURE_NAMES,
      knownFlags: Object.keys(FLAGS).sort(),
      supportedFlags: Object.keys(FLAGS).sort(), // a kernel that has not all of them says so at create
    },
    apparmor: { enabled: supports({ process: { ...process, apparmorProfile: 'x' } }) },
    selinux: { enabled: supports({ process: { ...process, selinuxLabel: 'x' } }) },
    intelRdt: {
      enabled: supports({ linux: { intelRdt: { closID: 'x' } } }),
      schemata: supports({ linux: { intelRdt: { schemata: ['x'] } } }),
      monitoring: supports({ linux: { intelRdt: { enableMonitoring: true } } }),
    },
    memoryPolicy: { modes: Object.keys(MEMORY_POLICY_MODES), flags: Object.keys(MEMORY_POLICY_FLAGS) },
    mountExtensions: {
      idmap: {
        enabled: supports({ mounts: [{ destination: '/x', uidMappings: mappings, gidMappings: mappings }] }),
      },
    },
    netDevices: { enabled: supports({ linux: { netDevices: { x: {} } } }) },
  }
}

/** Would a config that has this be refused for what it asks? */
function supports(part: Partial<OciConfig>): boolean {
  const linux = { namespaces: [{ type: 'mount' as const }], ...part.linux }
  return findUnsupported({ ociVersion: SPEC_VERSION, ...part, linux }).length === 0
}
