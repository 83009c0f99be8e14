// Options of CRIU's that a config.json may choose, in a file that an annotation names. CRIU itself believes such a file anything:
// with action-script, libdir or log-file whoever writes a config.json would act as the host's root. So runt reads the file, and
// tells CRIU what is known to be harmless.

import { RuntError } from '../errors.ts'
import { O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { close, readAll, status, tryOpen } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'
import type { CriuOptions } from './messages.ts'

/** By CRIU's name: what it is in a request. Each concerns what belongs to the container alone; the reasons stand beside. */
const HARMLESS: Readonly<Record<string, Reader>> = {
  // As the flags of the same names: what may be saved at all.
  'tcp-established': flag({ tcp_established: true }),
  'ext-unix-sk': flag({ ext_unix_sk: true }),
  'shell-job': flag({ shell_job: true }),
  'file-locks': flag({ file_locks: true }),
  'link-remap': flag({ link_remap: true }),
  // Less of its connections is kept.
  'skip-in-flight': flag({ tcp_skip_in_flight: true }),
  'tcp-close': flag({ tcp_close: true }),
  // Its devices by another name of theirs.
  'evasive-devices': flag({ evasive_devices: true }),
  // Sysctls of its namespaces that this kernel lacks.
  'weak-sysctls': flag({ weak_sysctls: true }),
  // Its mounts made in the older way.
  'mntns-compat-mode': flag({ mntns_compat_mode: true }),
  // Memory that is saved twice goes from the images.
  'auto-dedup': flag({ auto_dedup: true }),
  // How large a removed file may be, and how long it may take to freeze.
  'ghost-limit': size((ghost_limit) => ({ ghost_limit })),
  timeout: number((timeout) => ({ timeout })),
  // What keeps its connections silent meanwhile.
  'network-lock': choice({ iptables: 1, nftables: 2, skip: 3 }, (network_lock) => ({ network_lock })),
  'pre-dump-mode': choice({ splice: 1, read: 2 }, (pre_dump_mode) => ({ pre_dump_mode })),
}

type Reader = (value: string | undefined) => CriuOptions | undefined

function flag(options: CriuOptions): Reader {
  return (value) => (value === undefined ? options : undefined)
}

function number(options: (value: number) => CriuOptions): Reader {
  return (value) => (/^\d{1,9}$/.test(value ?? '') ? options(Number(value)) : undefined)
}

const UNITS = ['', 'K', 'M', 'G']

/** In bytes, K, M or G of them; of 32 bits. */
function size(options: (value: number) => CriuOptions): Reader {
  return (value) => {
    const [, digits, unit = ''] = /^(\d{1,9})([KMG]?)$/.exec(value ?? '') ?? []
    const bytes = Number(digits) * 1024 ** UNITS.indexOf(unit)
    return bytes <= 0xffffffff ? options(bytes) : undefined
  }
}

function choice(words: Readonly<Record<string, number>>, options: (value: number) => CriuOptions): Reader {
  const values = new Map(Object.entries(words))
  return (word) => {
    const value = values.get(word ?? '')
    return value === undefined ? undefined : options(value)
  }
}

/** Of a file of options. */
const MOST_BYTES = 1 << 16

/**
 * @param about who names the file, as an error begins
 * @throws RuntError for an option that isn't harmless, and when it is no file
 */
export function readHarmless(path: string, about: string): CriuOptions {
  const fd = tryOpen(path, O.RDONLY | O.NONBLOCK | O.NOCTTY)
  if (fd < 0) throw new RuntError('criu', `${about}: ${new SyscallError('openat', -fd, path).message}`)
  let bytes: Uint8Array | undefined
  try {
    const found = status('', fd)
    bytes = found !== undefined && (found.mode & S_IFMT) === S_IF.REG ? readAll(fd, MOST_BYTES) : undefined
  } finally {
    close(fd)
  }
  if (bytes === undefined) throw new RuntError('criu', `${about}: ${path}: not a file of at most ${MOST_BYTES} bytes`)
  return parseHarmless(new TextDecoder().decode(bytes), `${about}: ${path}`)
}

/** The text may be anybody's secret: an error tells the line's number, not what stands there. */
export function parseHarmless(text: string, about: string): CriuOptions {
  const options = text.split('\n').map((line, index) => {
    const [name, ...words] = line
      .replace(/#.*/, '')
      .split(/[\s=]+/)
      .filter((word) => word !== '')
    if (name === undefined) return {}
    const read = Object.hasOwn(HARMLESS, name) && words.length <= 1 ? HARMLESS[name] : undefined
    const option = read?.(words[0])
    if (option !== undefined) return option
    throw new RuntError('criu', `${about}: line ${index + 1}: not an option that a container may choose`, {
      hint: `these are ${Object.keys(HARMLESS).join(', ')}; others belong into /etc/criu/runt.conf`,
    })
  })
  return Object.assign({}, ...options)
}
