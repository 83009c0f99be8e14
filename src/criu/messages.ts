// CRIU's RPC as data: the messages that runt sends and reads, by the names and numbers of CRIU's own description of them
// (rpc.proto), and only the fields that are used. wire.ts turns them into bytes and back.

import { type Message, many, one } from './fields.ts'

/** enum criu_req_type */
export const REQUEST = {
  DUMP: 1,
  RESTORE: 2,
  PRE_DUMP: 4,
  NOTIFY: 6,
  FEATURE_CHECK: 9,
  VERSION: 10,
  SINGLE_PRE_DUMP: 13,
} as const

/** enum criu_cg_mode */
export const CGROUP_MODE = { ignore: 0, soft: 3, full: 4, strict: 5 } as const

const PAGE_SERVER = { address: one(1, 'string'), port: one(2, 'int32') }
const MOUNT_MAP = { key: one(1, 'string'), val: one(2, 'string') }
const JOIN_NAMESPACE = { ns: one(1, 'string'), ns_file: one(2, 'string') }
const INHERIT_FD = { key: one(1, 'string'), fd: one(2, 'int32') }
const CGROUP_ROOT = { ctrl: one(1, 'string'), path: one(2, 'string') }
const FEATURES = { mem_track: one(1, 'bool'), lazy_pages: one(2, 'bool') }

const OPTIONS = {
  images_dir_fd: one(1, 'int32'),
  pid: one(2, 'int32'),
  leave_running: one(3, 'bool'),
  ext_unix_sk: one(4, 'bool'),
  tcp_established: one(5, 'bool'),
  evasive_devices: one(6, 'bool'),
  shell_job: one(7, 'bool'),
  file_locks: one(8, 'bool'),
  log_level: one(9, 'int32'),
  log_file: one(10, 'string'),
  ps: one(11, PAGE_SERVER),
  notify_scripts: one(12, 'bool'),
  root: one(13, 'string'),
  parent_img: one(14, 'string'),
  track_mem: one(15, 'bool'),
  auto_dedup: one(16, 'bool'),
  work_dir_fd: one(17, 'int32'),
  link_remap: one(18, 'bool'),
  ext_mnt: many(23, MOUNT_MAP),
  manage_cgroups: one(24, 'bool'),
  cg_root: many(25, CGROUP_ROOT),
  rst_sibling: one(26, 'bool'),
  inherit_fd: many(27, INHERIT_FD),
  manage_cgroups_mode: one(34, 'int32'),
  ghost_limit: one(35, 'uint32'),
  external: many(37, 'string'),
  empty_ns: one(38, 'uint32'),
  join_ns: many(39, JOIN_NAMESPACE),
  freeze_cgroup: one(44, 'string'),
  timeout: one(45, 'uint32'),
  tcp_skip_in_flight: one(46, 'bool'),
  weak_sysctls: one(47, 'bool'),
  lazy_pages: one(48, 'bool'),
  orphan_pts_master: one(50, 'bool'),
  config_file: one(51, 'string'),
  tcp_close: one(52, 'bool'),
  lsm_profile: one(53, 'string'),
  pre_dump_mode: one(61, 'int32'),
  lsm_mount_context: one(63, 'string'),
  network_lock: one(64, 'int32'),
  mntns_compat_mode: one(65, 'bool'),
}

/** struct criu_req */
export const REQUEST_FIELDS = {
  type: one(1, 'int32'),
  opts: one(2, OPTIONS),
  notify_success: one(3, 'bool'),
  features: one(5, FEATURES),
}

/** struct criu_resp */
export const RESPONSE_FIELDS = {
  type: one(1, 'int32'),
  success: one(2, 'bool'),
  restore: one(4, { pid: one(1, 'int32') }),
  notify: one(5, { script: one(1, 'string'), pid: one(2, 'int32') }),
  cr_errno: one(7, 'int32'),
  features: one(8, FEATURES),
  cr_errmsg: one(9, 'string'),
  version: one(10, { major_number: one(1, 'int32'), minor_number: one(2, 'int32'), sublevel: one(4, 'int32') }),
}

export type CriuOptions = Message<typeof OPTIONS>
export type CriuFeatures = Message<typeof FEATURES>
export type CriuRequest = Message<typeof REQUEST_FIELDS>
export type CriuResponse = Message<typeof RESPONSE_FIELDS>
